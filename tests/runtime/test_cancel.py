"""Cancels and async inputs: exactly the one that is meant ends."""

from __future__ import annotations

import asyncio
import gc
import signal
import threading

import pytest

from modal_nb.runtime.payload import dumps_arguments, dumps_chunk
from modal_nb.runtime.service import Service
from tests.runtime.model import answers, chunk, later, method, one


def test_cancel_reaches_a_method_that_sleeps(runner):
    instance = runner.service.instance
    thread = later(instance.began, lambda: runner.cancel(1))
    reply = one(runner, "wait", 5)
    thread.join()
    assert reply.outcome == "cancelled"
    assert instance.log == [("finally", 5)]
    assert answers(one(runner, "double", 1)) == [(True, 2)]


def test_a_swallowed_cancel_is_raised_again(runner):
    instance = runner.service.instance
    thread = later(instance.began, lambda: runner.cancel(1))
    reply = one(runner, "stubborn")
    thread.join()
    assert reply.outcome == "cancelled"
    assert instance.log == ["swallowed"] * 3


@pytest.mark.parametrize("where", ["destructor", "collection"])
def test_a_cancel_waits_for_code_that_can_raise_nothing(runner, where):
    """What is raised there is ignored by Python, which says so on stderr; pytest makes a failure of that."""
    began, told, seen = threading.Event(), threading.Event(), []

    def clean_up(*_):
        began.set()
        told.wait(60)
        seen.append("through")

    class Resource:
        def __del__(self):
            clean_up()

    class Model:
        @method
        def work(self):
            if where == "destructor":
                Resource()
            else:
                gc.callbacks.append(clean_up)
                gc.collect()
            threading.Event().wait(60)

    def cancel():
        runner.cancel(1)
        told.set()

    runner.service = Service(Model)
    thread = later(began, cancel)
    try:
        assert one(runner, "work").outcome == "cancelled"
    finally:
        gc.callbacks[:] = [callback for callback in gc.callbacks if callback is not clean_up]
        thread.join()
    assert seen[0] == "through"


def test_cancel_before_the_run_never_enters_user_code(runner):
    ticket = runner.expect(3)
    assert runner.cancel(3)
    reply = runner.run_sync(ticket, "keep", dumps_arguments((1,), {}))
    assert (reply.outcome, reply.begun) == ("cancelled", 0)
    assert runner.service.instance.log == []


def test_cancel_of_an_unknown_or_finished_input_is_nothing(runner):
    one(runner, "double", 1, number=8)
    assert not runner.cancel(8)
    assert not runner.cancel("never seen")


def test_a_cancelled_chunk_keeps_what_was_through(runner):
    class Slow:
        began = threading.Event()

        @method
        def f(self, x):
            if x == 2:
                Slow.began.set()
                threading.Event().wait(60)
            return x

    runner.service = Service(Slow)
    thread = later(Slow.began, lambda: runner.cancel(9))
    reply = chunk(runner, "f", range(5))
    thread.join()
    assert (reply.outcome, reply.begun) == ("cancelled", 3)
    assert answers(reply, 5) == [(True, 0), (True, 1)]


def test_a_signal_with_nothing_armed_does_nothing(runner):
    signal.raise_signal(signal.SIGUSR1)
    assert answers(one(runner, "double", 1)) == [(True, 2)]


def test_an_interrupt_hits_the_method_and_nothing_else(runner):
    instance = runner.service.instance
    before = signal.signal(signal.SIGINT, runner.on_interrupt)
    try:
        signal.raise_signal(signal.SIGINT)
        main = threading.main_thread().ident
        thread = later(instance.began, lambda: signal.pthread_kill(main, signal.SIGINT))
        reply = one(runner, "wait")
        thread.join()
    finally:
        signal.signal(signal.SIGINT, before)
    assert reply.outcome == "interrupted"
    [(_, error)] = answers(reply)
    assert type(error) is KeyboardInterrupt


def test_handlers_can_only_be_set_on_the_main_thread(runner):
    said = []

    def elsewhere():
        try:
            runner.install()
        except RuntimeError as error:
            said.append(str(error))

    thread = threading.Thread(target=elsewhere)
    thread.start()
    thread.join()
    assert "main thread" in said[0]


def test_inputs_on_other_threads_run_and_are_never_signalled(runner):
    instance = runner.service.instance
    replies = []
    thread = threading.Thread(target=lambda: replies.append(one(runner, "wait", number=2)))
    thread.start()
    instance.began.wait(30)
    assert runner.cancel(2)
    instance.never.set()
    thread.join()
    assert replies[0].outcome == "ok"


# --- async ---


def test_async_methods_run_as_tasks_with_their_own_ids(runner):
    async def several():
        made = []
        for number in range(5):
            ticket = runner.expect(number, call_id=f"fc-{number}")
            made.append(runner.run_async(ticket, "a_where", dumps_arguments((), {})))
        return await asyncio.gather(*map(asyncio.ensure_future, made))

    said = [answers(reply)[0][1] for reply in asyncio.run(several())]
    assert said == [(f"in-{n}", f"fc-{n}") for n in range(5)]


def test_an_async_chunk_runs_in_order(runner):
    ticket = runner.expect(1, count=3)
    frames = dumps_chunk([((number,), {}) for number in range(3)])
    reply = asyncio.run(runner.run_async(ticket, "a_double", frames))
    assert answers(reply, 3) == [(True, 0), (True, 2), (True, 4)]


def test_cancel_of_an_async_input_leaves_its_neighbour(runner):
    instance = runner.service.instance

    async def both():
        first = asyncio.ensure_future(runner.run_async(runner.expect(1), "a_wait", dumps_arguments((1,), {})))
        second = asyncio.ensure_future(
            runner.run_async(runner.expect(2), "a_wait", dumps_arguments((2,), {}))
        )
        await asyncio.to_thread(instance.began.wait, 30)
        await asyncio.to_thread(runner.cancel, 1)
        reply = await first
        assert reply.outcome == "cancelled"
        assert not second.done()
        runner.cancel(2)
        return await second

    assert asyncio.run(both()).outcome == "cancelled"
    assert instance.log == [("finally", 1), ("finally", 2)]


def test_cancel_before_an_async_run(runner):
    ticket = runner.expect(1)
    runner.cancel(1)
    reply = asyncio.run(runner.run_async(ticket, "a_wait", dumps_arguments((), {})))
    assert (reply.outcome, reply.begun) == ("cancelled", 0)


def test_sys_exit_in_an_async_method_does_not_end_the_loop(runner):
    async def go():
        reply = await runner.run_async(runner.expect(1), "a_leave", dumps_arguments((), {}))
        await asyncio.sleep(0)
        return reply

    [(_, error)] = answers(asyncio.run(go()))
    assert type(error) is SystemExit


def test_an_async_method_that_cancels_itself_failed(runner):
    reply = asyncio.run(runner.run_async(runner.expect(1), "a_cancels_itself", dumps_arguments((), {})))
    assert reply.outcome == "error"


def test_ending_the_run_itself_cancels_the_input_and_goes_on_outside(runner):
    instance = runner.service.instance

    async def go():
        task = asyncio.ensure_future(runner.run_async(runner.expect(1), "a_wait", dumps_arguments((), {})))
        await asyncio.to_thread(instance.began.wait, 30)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(go())
    assert instance.log == [("finally", None)]
    assert not runner.cancel(1)
