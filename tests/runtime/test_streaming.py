"""Generators on the runner's thread: items, waits, closings; the reader is played by the test."""

from __future__ import annotations

import asyncio
import logging
import time

import pytest

from modal_nb.exception import InvalidError
from modal_nb.runtime import context
from modal_nb.runtime.partial_function import Mark, PartialFunction
from modal_nb.runtime.payload import dumps_arguments, dumps_chunk
from modal_nb.runtime.service import Service
from modal_nb.runtime.window import MOST_ITEMS
from tests.runtime.flow import Flow, Reader, run
from tests.runtime.model import answers, later


@pytest.fixture
def flow(runner):
    runner.service = Service(Flow)
    return runner.service.instance.ready()


BOTH = pytest.mark.parametrize("name", ["count", "a_count"])


@BOTH
def test_items_come_in_order_and_the_reply_tells_their_number(runner, flow, name):
    reply, reader = run(runner, name, 500)
    assert reader.items == [(number, number) for number in range(500)]
    assert (reply.outcome, reply.content, answers(reply)) == ("ok", {"items": 500}, [(True, None)])
    assert flow.log == [*range(500), "finally"]
    assert not reader.pauses


@BOTH
def test_an_empty_one(runner, flow, name):
    reply, reader = run(runner, name, 0)
    assert (reply.outcome, reply.content, reader.items) == ("ok", {"items": 0}, [])


@BOTH
def test_an_exception_comes_behind_the_items(runner, flow, name):
    reply, reader = run(runner, name, 3, True)
    [(ok, error)] = answers(reply)
    assert (reader.values, ok, error.args) == ([0, 1, 2], False, ("in the middle", 3))


@BOTH
def test_a_reader_that_does_not_read_stops_it_before_the_next_item(runner, flow, name):
    def act(reader):
        reader.waits.wait(30)
        assert flow.log == list(range(MOST_ITEMS))
        reader.waits.clear()
        reader.outlet.allow(MOST_ITEMS + 10)
        reader.waits.wait(30)
        assert flow.log == list(range(MOST_ITEMS + 10))
        reader.greedy = True
        reader.outlet.allow(MOST_ITEMS + 74)

    reply, reader = run(runner, name, 200, act=act, greedy=False)
    assert (reply.outcome, len(reader.items)) == ("ok", 200)
    assert reader.pauses == [True, False, True, False]


@BOTH
def test_a_cancel_while_it_waits_for_the_reader_closes_it(runner, flow, name):
    def act(reader):
        reader.waits.wait(30)
        assert runner.cancel(1)

    reply, reader = run(runner, name, 200, act=act, greedy=False)
    assert (reply.outcome, len(reader.items)) == ("cancelled", MOST_ITEMS)
    assert flow.log == [*range(MOST_ITEMS), "finally"]
    assert reader.pauses == [True, False]
    assert run(runner, name, 3)[1].values == [0, 1, 2]


@pytest.mark.parametrize("name", ["stuck", "a_stuck"])
def test_a_cancel_while_it_runs_ends_it(runner, flow, name):
    thread = later(flow.began, lambda: runner.cancel(1))
    reply, reader = run(runner, name)
    thread.join()
    assert (reply.outcome, reader.values, flow.log) == ("cancelled", [1], ["finally"])


def test_one_that_swallows_its_cancel_is_closed_where_it_yields(runner, flow):
    thread = later(flow.began, lambda: runner.cancel(1))
    reply, reader = run(runner, "stubborn")
    thread.join()
    assert (reply.outcome, reader.values, flow.log) == ("cancelled", [1, 2], ["swallowed", "finally"])


@BOTH
def test_a_cancel_before_it_begins(runner, flow, name):
    async def go():
        ticket = runner.expect(1)
        runner.cancel(1)
        return await runner.run_stream(ticket, name, dumps_arguments((3,), {}), Reader().outlet)

    reply = asyncio.run(go())
    assert (reply.outcome, reply.begun, flow.log) == ("cancelled", 0, [])


def test_what_is_not_begun_can_be_recalled(runner, flow):
    async def go():
        ticket = runner.expect(1)
        assert runner.recall(1) == 0
        return await runner.run_stream(ticket, "count", dumps_arguments((3,), {}), Reader().outlet)

    assert asyncio.run(go()).outcome == "returned"
    assert flow.log == []


def test_an_exception_while_it_is_closed_is_told_to_the_log_only(runner, flow, caplog):
    def act(reader):
        reader.waits.wait(30)
        runner.cancel(1)

    with caplog.at_level(logging.WARNING):
        reply, _ = run(runner, "closes_badly", act=act, greedy=False)
    assert reply.outcome == "cancelled"
    assert "Flow.closes_badly raised while it was closed" in caplog.text
    assert "KeyError" in caplog.text


@BOTH
def test_ending_the_run_itself_closes_it_too(runner, flow, name):
    async def go():
        reader = Reader(greedy=False)
        run = runner.run_stream(runner.expect(1), name, dumps_arguments((200,), {}), reader.outlet)
        task = asyncio.ensure_future(run)
        await asyncio.to_thread(reader.waits.wait, 30)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(go())
    assert flow.log[-1] == "finally"


@BOTH
def test_what_the_reader_has_is_made_again_and_not_sent_again(runner, flow, name):
    reply, reader = run(runner, name, 100, allowed=90 + MOST_ITEMS)
    assert reader.items == [(number, number) for number in range(90, 100)]
    assert reply.content == {"items": 100}
    assert flow.log == [*range(100), "finally"]


def test_run_time_leaves_out_the_waits(runner, flow, monkeypatch):
    now = [0.0]
    monkeypatch.setattr(time, "perf_counter", lambda: now[0])

    def act(reader):
        reader.waits.wait(30)
        now[0] += 100
        reader.outlet.allow(2 * MOST_ITEMS)

    reply, reader = run(runner, "count", 100, act=act, greedy=False)
    assert (reader.outlet.waited, reply.seconds) == (100, 0)


def test_ids_are_known_in_every_step(runner, flow):
    assert run(runner, "ids", number=5)[1].values == [("in-5", "fc-7")] * 2
    assert context.current_input_id() is None


def test_an_async_generator_is_one_task_from_its_first_step_to_its_last(runner, flow):
    assert run(runner, "a_scope")[1].values == [("sweet", True)] * 3
    assert flow.log == ["reset"]


def test_a_plain_generator_may_run_a_loop_of_its_own(runner, flow):
    assert run(runner, "loops")[1].values == [3]


def test_the_loop_lives_while_a_generator_that_never_waits_runs(runner, flow):
    async def go():
        turns = 0

        async def turn():
            nonlocal turns
            while True:
                turns += 1
                await asyncio.sleep(0)

        other = asyncio.ensure_future(turn())
        await runner.run_stream(runner.expect(1), "count", dumps_arguments((300,), {}), Reader().outlet)
        other.cancel()
        return turns

    assert asyncio.run(go()) >= 300


def test_an_item_that_cannot_be_pickled_ends_it_with_a_sentence(runner, flow):
    reply, reader = run(runner, "locks")
    [(_, error)] = answers(reply)
    assert reader.values == [1]
    assert type(error) is TypeError
    assert "item of Flow.locks (a _thread.lock) cannot be pickled" in str(error)


def test_an_unfinished_item_is_refused(runner, flow):
    [(_, error)] = answers(run(runner, "nested_generator")[0])
    assert type(error) is InvalidError
    assert "Flow.nested_generator returned a generator, which cannot travel" in str(error)


@pytest.mark.parametrize("name", ["leaves", "a_leaves"])
def test_sys_exit_is_an_ordinary_failure(runner, flow, name):
    reply, reader = run(runner, name)
    [(_, error)] = answers(reply)
    assert (reader.values, type(error), error.code) == ([1], SystemExit, 3)


# --- declared with is_generator=True ---


def test_a_plain_method_may_return_an_iterator(runner, flow):
    class Given(Flow):
        def given(self, n):
            return iter(range(n))

        given = PartialFunction(given, Mark.METHOD, is_generator=True)

    runner.service = Service(Given)
    runner.service.instance.ready()
    for name in ("given", "a_given", "given_async"):
        assert run(runner, name, 3)[1].values == [0, 1, 2], name


@pytest.mark.parametrize(("what", "named"), [(3, "an? int"), ([1, 2], "a list"), (None, "a NoneType")])
def test_anything_else_is_refused(runner, flow, what, named):
    [(_, error)] = answers(run(runner, "given", what)[0])
    assert type(error) is InvalidError
    assert "Flow.given is declared with is_generator=True and returned a" in str(error)
    assert "yield the items, or return iter(...) of them" in str(error)


# --- misuse ---


def test_a_method_that_is_no_generator_is_not_streamed(runner, flow):
    [(_, error)] = answers(run(runner, "plain")[0])
    assert type(error) is InvalidError
    assert str(error) == "Flow.plain is not a generator: it has one result, so call it with remote."


@BOTH
def test_a_generator_is_not_called_for_one_result(runner, flow, name):
    """As on the stock shell channel, which has no streams."""
    ticket, frames = runner.expect(1), dumps_arguments((3,), {})
    reply = runner.run_sync(ticket, name, frames) if name == "count" else None
    reply = reply or asyncio.run(runner.run_async(ticket, name, frames))
    [(_, error)] = answers(reply)
    assert type(error) is InvalidError
    assert str(error) == f"Flow.{name} is a generator: its results are streamed, so call it with remote_gen."


def test_a_chunk_is_not_streamed(runner, flow):
    async def go():
        frames = dumps_chunk([((1,), {}), ((2,), {})])
        return await runner.run_stream(runner.expect(1, count=2), "count", frames, Reader().outlet)

    reply = asyncio.run(go())
    assert (reply.outcome, reply.begun, flow.log) == ("error", 2, [])


def test_an_unknown_method_is_an_error(runner, flow):
    assert run(runner, "nothing")[0].outcome == "error"
