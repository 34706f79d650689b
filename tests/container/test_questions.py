"""What code of inputs asks is answered by who called it, and its time limit stands still meanwhile."""

from __future__ import annotations

import inspect
import itertools
import linecache
import threading

import pytest

from modal_nb.exception import InvalidError
from modal_nb.protocol.kinds import Kind
from modal_nb.protocol.output import Out
from tests.container.callers import CANCELLED, OK, enter, method, text_of, value
from tests.container.test_attach import client_of


class Asking:
    """Code of a user."""

    @enter
    def ready(self):
        self.ended = []

    @method
    def name(self, prompt="name? "):
        print("before")
        return input(prompt)

    @method
    def secret(self):
        import getpass

        return getpass.getpass()

    @method
    def two_threads(self):
        said = {}

        def ask(key):
            said[key] = input(key)

        threads = [threading.Thread(target=ask, args=(key,)) for key in "ab"]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return said

    @method
    async def woven(self):
        return input("woven? ")  # noqa: ASYNC250

    @method
    def cleaned(self):
        try:
            input()
        finally:
            self.ended.append("cleaned")

    @method
    def together(self, prompts):
        return [input(prompts[0])] * len(prompts)

    @method
    def seen(self):
        return self.ended

    @method
    def stops(self, x):
        y = x + 1
        breakpoint()  # noqa: T100
        y += 1
        return y

    @method
    def plain(self, x):
        return x


def paused(heard):
    return [one.packet.flags for one in heard if one.kind == Kind.PAUSE]


def test_a_question_goes_to_who_called_and_time_stands_still_until_it_is_answered(called):
    container = called(Asking)
    container.send(1, "name", out=Out.TEXT)
    heard = container.until_shown("input_request")
    asked = heard[-1]
    assert (asked.data["prompt"], asked.data["password"], asked.packet.number) == ("name? ", False, 1)
    assert (text_of(heard), paused(heard)) == ("before\n", [1])
    container.answer(asked, "Ada")
    heard = container.until_reply(1)
    assert (value(heard[-1]), paused(heard)) == ("Ada", [0])


def test_a_password_is_asked_as_such(called):
    container = called(Asking)
    container.send(1, "secret")
    asked = container.until_shown("input_request")[-1]
    assert (asked.data["prompt"], asked.data["password"]) == ("Password: ", True)
    container.answer(asked, "1234")
    assert value(container.until_reply(1)[-1]) == "1234"


def test_each_thread_gets_its_own_answer(called):
    container = called(Asking)
    container.send(1, "two_threads")
    one, other = (container.until_shown("input_request")[-1] for _ in range(2))
    for asked in (other, one):
        container.answer(asked, asked.data["prompt"].upper())
    heard = container.until_reply(1)
    assert value(heard[-1]) == {"a": "A", "b": "B"}
    assert paused(heard) == [0]


def test_a_coroutine_may_ask(called):
    container = called(Asking)
    container.send(1, "woven")
    container.answer(container.until_shown("input_request")[-1], "yes")
    assert value(container.until_reply(1)[-1]) == "yes"


def test_inputs_side_by_side_get_their_own_answers(called):
    container = called(Asking, slots=2)
    container.send(1, "name", "one")
    container.send(2, "name", "two")
    asked = [container.until_shown("input_request")[-1] for _ in range(2)]
    assert {one.packet.number: one.data["prompt"] for one in asked} == {1: "one", 2: "two"}
    for one in asked:
        container.answer(one, one.data["prompt"] * 2)
    replies = iter((False, True))
    heard = container.until(lambda one: one.kind == Kind.REPLY and next(replies))
    assert {one.packet.number: value(one) for one in heard if one.kind == Kind.REPLY} == {
        1: "oneone",
        2: "twotwo",
    }


def test_a_refusal_says_why(called):
    container = called(Asking)
    container.send(1, "name")
    asked = container.until_shown("input_request")[-1]
    container.tell("input_reply", {"ask": asked.data["ask"], "error": "there is nobody"})
    reply = container.until_reply(1)[-1]
    assert reply.message.content["type"].endswith("InvalidError")
    assert reply.message.content["message"] == "input() got no answer: there is nobody"


def test_where_nobody_looks_it_fails_at_once_and_says_what_to_do(called):
    container = called(Asking)
    reply = container.call(1, "name", out=Out.NONE)[-1]
    assert "with modal.enable_output()" in reply.message.content["message"]
    assert InvalidError.__name__ in reply.message.content["type"]


def test_a_cancel_ends_the_wait(called):
    container = called(Asking)
    container.send(1, "cleaned")
    container.until_shown("input_request")
    container.cancel(1)
    heard = container.until_reply(1)
    assert heard[-1].packet.flags == CANCELLED
    assert paused(heard) == [0]
    assert value(container.call(2, "seen")[-1]) == ["cleaned"]


def test_a_breakpoint_stops_in_the_users_frame_and_shows_its_lines(called):
    container = called(Asking)
    container.send(1, "stops", 1)
    heard = container.until_shown("input_request")
    assert "-> y += 1" in text_of(heard)
    assert heard[-1].data["prompt"] == "(Pdb) "
    for command, shown in (("p y", "2\n"), ("w", "stops()"), ("y = 10", ""), ("next", "-> return y")):
        container.answer(heard[-1], command)
        heard = container.until_shown("input_request")
        assert shown in text_of(heard)
        assert "modal_nb" not in text_of(heard) or command == "w"
    container.answer(heard[-1], "continue")
    reply = container.until_reply(1)[-1]
    assert (reply.packet.flags, value(reply)) == (OK, 11)


def test_a_cancel_ends_a_debugger(called):
    container = called(Asking)
    container.send(1, "stops", 1)
    container.until_shown("input_request")
    container.cancel(1)
    assert container.until_reply(1)[-1].packet.flags == CANCELLED
    assert value(container.call(2, "plain", 5)[-1]) == 5


CELL = """
class OfCell:
    @method
    def stops(self):
        breakpoint()
        return "a line of the cell"
"""


def test_a_debugger_shows_the_lines_of_a_cell(called):
    name = "/tmp/ipykernel_1/2.py"
    linecache.cache[name] = (len(CELL), None, CELL.splitlines(keepends=True), name)
    space = {"__name__": "__main__", "method": method}
    exec(compile(CELL, name, "exec"), space)
    container = called(space["OfCell"])
    container.send(1, "stops")
    heard = container.until_shown("input_request")
    assert '-> return "a line of the cell"' in text_of(heard)


def test_time_stands_still_while_a_debugger_holds_an_input(called):
    container = called(Asking)
    line = inspect.getsourcelines(Asking.plain.raw_f)[1] + 2
    with client_of(container.connection_file) as client:
        client.wait_for_ready(timeout=60)
        ask_debugger(client, "initialize", clientID="test", adapterID="python")
        ask_debugger(client, "attach", justMyCode=False)
        source = {"path": inspect.getsourcefile(Asking)}
        ask_debugger(client, "setBreakpoints", source=source, breakpoints=[{"line": line}])
        ask_debugger(client, "configurationDone")
        container.send(1, "plain", 5)
        heard = container.until(lambda one: one.kind == Kind.PAUSE)
        assert paused(heard) == [1]
        ask_debugger(client, "continue", threadId=1)
        heard = container.until_reply(1)
        assert (paused(heard), value(heard[-1])) == ([0], 5)


def ask_debugger(client, command, **arguments):
    request = {"type": "request", "seq": next(numbers), "command": command, "arguments": arguments}
    client.control_channel.send(client.session.msg("debug_request", request))
    reply = client.control_channel.get_msg(timeout=60)
    assert reply["content"].get("success"), reply["content"]
    return reply["content"]


numbers = itertools.count(1)


@pytest.mark.parametrize("command", ["next", "step"])
def test_who_steps_to_the_end_of_a_method_stops_in_no_other(called, command):
    container = called(Asking)
    container.send(1, "stops", 1)
    asked = container.until_shown("input_request")[-1]
    while asked.kind != Kind.REPLY:
        container.answer(asked, command)
        heard = container.until(lambda one: one.msg_type == "input_request" or one.kind == Kind.REPLY)
        assert "runtime/" not in text_of(heard)
        asked = heard[-1]
    assert value(container.call(2, "plain", 5)[-1]) == 5


@pytest.mark.parametrize("name", ["name", "woven"])
def test_a_cancel_ends_a_wait_beside_other_inputs(called, name):
    """On a thread, or where the loop stands still: nothing else could end it but the end of the container."""
    container = called(Asking, slots=2)
    container.send(1, name)
    container.until_shown("input_request")
    container.send(2, "secret")
    container.cancel(1)
    assert container.until_reply(1)[-1].packet.flags == CANCELLED


def test_the_time_of_all_inputs_of_a_batch_stands_still(called):
    container = called(Asking, batched=["together"])
    container.send(1, "together", "who? ", flags=2)
    container.send(2, "together", "and? ", flags=1)
    heard = container.until_shown("input_request")
    container.answer(heard[-1], "Ada")
    heard += container.until_reply(2)
    stood = [(one.packet.number, one.packet.flags) for one in heard if one.kind == Kind.PAUSE]
    assert stood == [(1, 1), (2, 1), (1, 0), (2, 0)]
    assert [value(one) for one in heard if one.kind == Kind.REPLY] == ["Ada", "Ada"]
