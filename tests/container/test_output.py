"""What inputs print reaches who called them: in its order, before the result, of each call its own, and bounded."""

from __future__ import annotations

import asyncio
import os
import re
import sys
import threading

import pytest

from modal_nb.protocol.kinds import Kind
from modal_nb.protocol.output import Out
from tests.container.callers import enter, method, text_of, value


class Printing:
    """Code of a user."""

    @enter
    def ready(self):
        self.gate = threading.Event()
        self.meet = threading.Barrier(2)

    @method
    def both(self):
        for number in range(3):
            print("out", number)
            print("err", number, file=sys.stderr)
        sys.stdout.buffer.write("ä€".encode()[:3])
        sys.stdout.buffer.write("ä€".encode()[3:] + b" no end")
        return "done"

    @method
    def quiet(self):
        return "nothing"

    @method
    def later(self):
        def run():
            self.gate.wait()
            print("late")

        threading.Thread(target=run).start()
        return "first"

    @method
    def open(self):
        self.gate.set()

    @method
    def beside(self, name):
        for _ in range(50):
            self.meet.wait()
            print(name)

    @method
    async def woven(self, name):
        for _ in range(50):
            await asyncio.sleep(0)
            print(name)

    @method
    def flood(self):
        for number in range(20_000):
            print(f"line {number:6} " + "x" * 50)
        sys.stdout.write("\rbar 100%")

    @method
    def items(self):
        for number in range(2):
            print("makes", number)
            yield number

    @method
    def together(self, values):
        print(len(values), "at once")
        return values

    @method
    def fork(self):
        child = os.fork()
        if not child:
            print("child " * 30_000, flush=True)
            os._exit(0)
        os.waitpid(child, 0)
        print("parent")


def test_text_comes_in_its_order_and_before_the_result(called):
    container = called(Printing)
    heard = container.call(1, "both")
    assert value(heard[-1]) == "done"
    texts = [(one.data["name"], one.text) for one in heard[:-1]]
    assert texts[:2] == [("stdout", "out 0\n"), ("stderr", "err 0\n")]
    assert "".join(text for name, text in texts if name == "stdout") == "out 0\nout 1\nout 2\nä€ no end"
    shown = heard[0].message.content
    assert (shown["container"], shown["call"], shown["input"]) == ("ta-test", "fc-t-1", "in-t-1-0")
    assert heard[0].packet.number == 1


def test_nothing_is_sent_or_made_for_who_does_not_look(called):
    container = called(Printing)
    (reply,) = container.call(1, "both", out=Out.NONE)
    assert value(reply) == "done"
    container.call(2, "quiet")
    assert container.kernel.num_threads() == 2, "the control stream, and no thread for output"


def test_a_thread_of_an_ended_input_goes_on_to_print_for_it(called):
    container = called(Printing)
    assert value(container.call(1, "later")[-1]) == "first"
    container.call(2, "open", out=Out.NONE)
    (late,) = container.until_shown("stream")
    assert (late.packet.number, late.text) == (1, "late\n")


@pytest.mark.parametrize("name", ["beside", "woven"])
def test_what_runs_side_by_side_never_mixes(called, name):
    container = called(Printing, slots=2)
    container.send(1, name, "one")
    container.send(2, name, "two")
    replies = iter((False, True))
    heard = container.until(lambda one: one.kind == Kind.REPLY and next(replies))
    for number, said in ((1, "one"), (2, "two")):
        own = [one for one in heard if one.packet.number == number and one.msg_type == "stream"]
        assert text_of(own) == f"{said}\n" * 50


def test_a_flood_is_cut_and_a_line_says_by_how_much(called):
    container = called(Printing)
    heard = container.call(1, "flood")
    heard += (
        [] if "left out" in text_of(heard, "stderr") else container.until(lambda one: "left out" in one.text)
    )
    note = text_of(heard, "stderr")
    found = re.search(
        r"\[modal_nb left out ([\d,]+) characters here: the whole is in call.logs\(\)\]\n", note
    )
    assert found
    text = text_of(heard, "stdout")
    assert 200_000 < len(text) < 400_000
    assert "line      0" in text


def test_what_a_generator_prints_comes_before_its_item(called):
    container = called(Printing)
    heard = container.call(1, "items", stream=True)
    assert [one.text or one.kind for one in heard] == [
        "makes 0\n",
        Kind.ITEM,
        "makes 1\n",
        Kind.ITEM,
        Kind.REPLY,
    ]


def test_what_a_batch_prints_is_said_to_each_of_its_callers(called):
    container = called(Printing, batched=["together"])
    container.send(1, "together", "a", flags=2)
    container.send(2, "together", "b", flags=1)
    heard = container.until_reply(2)
    for number in (1, 2):
        own = [one for one in heard if one.packet.number == number]
        assert text_of(own) == "2 at once\n"
        assert own[-1].kind == Kind.REPLY


def test_a_forked_child_says_nothing(called):
    container = called(Printing)
    heard = container.call(1, "fork")
    assert text_of(heard) == "parent\n"


class Entered:
    """Says something while it starts."""

    @enter
    def hook(self):
        print("entering")

    @method
    def nothing(self):
        return None


def test_what_is_printed_while_the_container_starts_is_of_no_input(called):
    container = called(Entered, out=Out.TEXT)
    said = [one for one in container.while_starting if one.msg_type == "stream"]
    assert text_of(said) == "entering\n"
    assert {one.packet.number for one in said} == {0}
    assert {one.message.content["call"] for one in said} == {""}
