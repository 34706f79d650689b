"""What is through of a chunk is answered while another input of it runs on; each input has one answer."""

from __future__ import annotations

import asyncio
import signal

import pytest

from modal_nb.runtime.attempt import Told
from modal_nb.runtime.payload import dumps_chunk
from modal_nb.runtime.runner import Runner
from modal_nb.runtime.service import Service
from tests.runtime.model import answers, method


class Slow(Exception):
    pass


class Model:
    """At the input "then" others have their turn: ``then`` is called, and its result is the input's."""

    def end(self, x):
        if x == "bad":
            raise ValueError(x)
        return self.then() if x == "then" else x

    @method
    def plain(self, x):
        return self.end(x)

    @method
    async def awaited(self, x):
        return self.end(x)


@pytest.fixture(params=["plain", "awaited"])
def run(request):
    """``run(values, then)``: the answers that came before the reply, part by part, and the reply."""

    def run(values, then, *, rows=True):
        runner = Runner(Service(Model), told=Told((Slow,)))
        runner.install()
        parts = []
        runner.service.instance.then = lambda: then(runner, lambda: runner.send_part(1, parts.append))
        ticket = runner.expect(1, count=len(values))
        # plain positional arguments take the quick way
        frames = dumps_chunk([((value,), {}) if rows else ((), {"x": value}) for value in values])
        if request.param == "awaited":
            reply = asyncio.run(runner.run_async(ticket, request.param, frames))
        else:
            reply = runner.run_sync(ticket, request.param, frames)
        return parts, reply

    before = signal.getsignal(signal.SIGUSR1)
    yield run
    signal.signal(signal.SIGUSR1, before)


def told(reply):
    return [value if ok else type(value) for ok, value in answers(reply)]


@pytest.mark.parametrize("rows", [True, False])
def test_what_is_through_comes_first_and_the_rest_follows(run, rows):
    (part,), reply = run(["a", "bad", "b", "then", "c"], lambda _, part: part() or "then", rows=rows)
    assert (part.begun, told(part)) == (3, ["a", ValueError, "b"])
    assert (reply.begun, told(reply)) == (5, ["then", "c"])


def test_each_part_has_what_the_one_before_had_not(run):
    parts, reply = run(["a", "then", "bad", "then", "then"], lambda _, part: part() or "then")
    assert [(part.begun, told(part)) for part in parts] == [
        (1, ["a"]),
        (3, ["then", ValueError]),
        (4, ["then"]),
    ]
    assert (reply.begun, told(reply)) == (5, ["then"])


def test_without_anything_new_nothing_is_sent(run):
    parts, reply = run(["then", "b"], lambda _, part: part() or "then")
    assert (parts, told(reply)) == ([], ["then", "b"])
    parts, reply = run(["a", "then"], lambda _, part: [part() for _ in range(3)] and "then")
    assert ([told(part) for part in parts], told(reply)) == ([["a"]], ["then"])


def test_what_is_recalled_behind_a_part_is_counted_from_the_start(run):
    def then(runner, part):
        part()
        return runner.recall(1)

    (part,), reply = run(["a", "b", "then", "c", "d"], then)
    assert (told(part), told(reply), reply.begun) == (["a", "b"], [3], 3)


def test_one_that_may_be_tried_again_goes_back_behind_a_part(run):
    def then(_, part):
        part()
        raise Slow

    (part,), reply = run(["a", "then", "b"], then)
    assert told(part) == ["a"]
    assert (reply.failed, reply.begun, reply.content["count"]) == (True, 1, 0)


def test_a_cancel_behind_a_part_ends_the_rest(run):
    def then(runner, part):
        part()
        runner.cancel(1)
        return "then"

    (part,), reply = run(["a", "then", "b"], then)
    assert told(part) == ["a"]
    assert reply.outcome == "cancelled"
    assert told(reply) in ([], ["then"])
