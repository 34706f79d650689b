"""Plain methods side by side: each input on a thread of its own, in a context of its own."""

from __future__ import annotations

import asyncio
import contextvars
import signal
import threading

import pytest

from modal_nb.runtime import context
from modal_nb.runtime.outlet import Outlet
from modal_nb.runtime.payload import dumps_arguments, dumps_chunk, loads
from modal_nb.runtime.runner import Runner
from modal_nb.runtime.service import Service
from modal_nb.runtime.threads import Threads
from tests.runtime.flow import Flow
from tests.runtime.model import Model, answers, method

WAIT = 30
flavour = contextvars.ContextVar("flavour", default="none")


# -- threads ----------------------------------------------------------------------------------------------------------


def started(threads, act):
    """Run it and wait for its end; what it gave."""
    found, done = [], threading.Event()

    def run():
        try:
            found.append(act())
        finally:
            done.set()

    threads.run(run)
    assert done.wait(WAIT)
    return found[0]


def idle(threads, count):
    while threads._free != count:
        pass


def test_it_is_a_daemon_with_a_name():
    thread = started(Threads(), threading.current_thread)
    assert thread.daemon
    assert thread.name == "modal_nb-input-1"


def test_a_thread_that_is_free_is_used_again():
    threads = Threads()
    first = started(threads, threading.get_ident)
    idle(threads, 1)
    assert started(threads, threading.get_ident) == first
    assert threads._made == 1


def test_each_runs_at_once_however_many_others_are_stuck():
    threads, gate, together = Threads(), threading.Event(), threading.Barrier(51)
    for _ in range(50):
        threads.run(lambda: (together.wait(WAIT), gate.wait(WAIT)))
    together.wait(WAIT)
    assert started(threads, lambda: "ran") == "ran"
    gate.set()


def test_none_waits_behind_another_whoever_starts_them():
    """Each waits for a partner that is started later: one that shared a thread with its partner would never end."""
    threads, rounds = Threads(), 40

    def pairs(met):
        for _ in range(rounds):
            events = threading.Event(), threading.Event()
            threads.run(lambda events=events: (events[0].set(), events[1].wait(WAIT) and met.release()))
            threads.run(lambda events=events: (events[1].set(), events[0].wait(WAIT) and met.release()))

    met = threading.Semaphore(0)
    starters = [threading.Thread(target=pairs, args=(met,)) for _ in range(5)]
    for starter in starters:
        starter.start()
    for _ in range(5 * rounds * 2):
        assert met.acquire(timeout=WAIT)
    for starter in starters:
        starter.join()


def test_each_has_a_copy_of_the_context_that_started_it():
    threads = Threads()

    def see_and_set():
        before = flavour.get()
        flavour.set("left behind")
        return before

    token = flavour.set("of the caller")
    try:
        assert [started(threads, see_and_set) for _ in range(3)] == ["of the caller"] * 3
        assert flavour.get() == "of the caller"
    finally:
        flavour.reset(token)


# -- inputs on them ---------------------------------------------------------------------------------------------------


class Meeting(Model):
    """Its methods run only together."""

    def ready(self):
        self.barrier = threading.Barrier(4)
        self.gate = threading.Event()
        return super().ready()

    @method
    def meet(self, x):
        before = (
            context.current_input_id(),
            context.current_function_call_id(),
            context.current_input_number(),
        )
        flavour.set(x)
        self.barrier.wait(WAIT)
        after = (
            context.current_input_id(),
            context.current_function_call_id(),
            context.current_input_number(),
        )
        return x, before, after, flavour.get(), threading.get_ident()

    @method
    def main(self, x=None):
        return threading.current_thread() is threading.main_thread()

    @method
    def hold(self, x):
        self.log.append(x)
        self.began.set()
        self.gate.wait(WAIT)
        return x


@pytest.fixture
def threaded():
    """A runner whose plain methods run on threads, with its handler for cancels."""
    made = Runner(Service(Meeting), threaded=True)
    made.service.instance.ready()
    before = signal.getsignal(signal.SIGUSR1)
    made.install()
    yield made
    made.service.instance.gate.set()
    signal.signal(signal.SIGUSR1, before)


async def on_thread(runner, number, name, *args, call="fc-1"):
    ticket = runner.expect(number, call_id=call)
    return await runner.arms.in_place(runner.run_sync, ticket, name, dumps_arguments(args, {}))


def test_inputs_meet_on_threads_and_each_knows_its_own_ids_and_values(threaded):
    async def run():
        replies = await asyncio.gather(
            *(on_thread(threaded, n, "meet", f"v{n}", call=f"fc-{n}") for n in range(1, 5))
        )
        return [answers(reply)[0][1] for reply in replies]

    found = asyncio.run(run())
    assert [x for x, *_ in found] == ["v1", "v2", "v3", "v4"]
    for n, (x, before, after, seen, _) in enumerate(found, 1):
        assert before == after == (f"in-{n}", f"fc-{n}", n)
        assert seen == x
    assert len({thread for *_, thread in found}) == 4
    assert context.current_input_id() is None


def test_none_of_them_is_on_the_main_thread(threaded):
    assert answers(asyncio.run(on_thread(threaded, 1, "main"))) == [(True, False)]


@pytest.mark.parametrize(("name", "kind"), [("fail", ValueError), ("leave", SystemExit)])
def test_what_is_raised_there_is_that_inputs_outcome(threaded, name, kind):
    args = (3,) if name == "fail" else ()
    [(ok, error)] = answers(asyncio.run(on_thread(threaded, 1, name, *args)))
    assert (ok, type(error)) == (False, kind)
    assert answers(asyncio.run(on_thread(threaded, 2, "double", 4))) == [(True, 8)]


def test_a_cancel_ends_no_thread_and_hits_nobody_else(threaded):
    instance = threaded.service.instance

    async def run():
        held = asyncio.ensure_future(on_thread(threaded, 1, "hold", "x"))
        await asyncio.to_thread(instance.began.wait, WAIT)
        assert threaded.cancel(1)
        signal.raise_signal(signal.SIGUSR1)
        assert answers(await on_thread(threaded, 2, "double", 1)) == [(True, 2)]
        instance.gate.set()
        return await held

    assert answers(asyncio.run(run())) == [(True, "x")]


def test_a_cancel_of_a_chunk_there_ends_it_behind_the_input_that_runs(threaded):
    instance = threaded.service.instance

    async def run():
        frames = dumps_chunk([((x,), {}) for x in "abc"])
        ticket = threaded.expect(1, count=3)
        held = asyncio.ensure_future(
            threaded.arms.in_place(threaded.run_sync, ticket, "hold", frames),
        )
        await asyncio.to_thread(instance.began.wait, WAIT)
        threaded.cancel(1)
        instance.gate.set()
        return await held

    reply = asyncio.run(run())
    assert (reply.outcome, reply.begun) == ("cancelled", 1)
    assert instance.log == ["a"]


def test_a_recall_of_a_chunk_there_gives_back_what_is_not_begun(threaded):
    instance = threaded.service.instance

    async def run():
        ticket = threaded.expect(1, count=3)
        frames = dumps_chunk([((x,), {}) for x in "abc"])
        held = asyncio.ensure_future(threaded.arms.in_place(threaded.run_sync, ticket, "hold", frames))
        await asyncio.to_thread(instance.began.wait, WAIT)
        given_back = threaded.recall(1)
        instance.gate.set()
        return given_back, await held

    given_back, reply = asyncio.run(run())
    assert (given_back, reply.begun, answers(reply)) == (1, 1, [(True, "a")])


def test_an_interrupt_hits_no_thread(threaded):
    instance = threaded.service.instance

    async def run():
        held = asyncio.ensure_future(on_thread(threaded, 1, "hold", "x"))
        await asyncio.to_thread(instance.began.wait, WAIT)
        threaded.on_interrupt(signal.SIGINT, None)
        assert not threaded.busy
        instance.gate.set()
        return await held

    assert answers(asyncio.run(run())) == [(True, "x")]


# -- generators on them -----------------------------------------------------------------------------------------------


class Rooms(Flow):
    @method
    def threads(self, n):
        try:
            for _ in range(n):
                yield threading.get_ident()
        finally:
            self.log.append(threading.get_ident())


def test_a_plain_generator_keeps_its_thread_from_its_first_item_to_its_end():
    runner = Runner(Service(Rooms), threaded=True)
    instance = runner.service.instance.ready()

    async def run():
        items = []

        def send(index, frames):
            items.append(loads(frames))
            return 1

        outlet = Outlet(send, lambda paused: None)
        ticket = runner.expect(1)
        task = asyncio.ensure_future(
            runner.run_stream(ticket, "threads", dumps_arguments((200,), {}), outlet)
        )
        while not task.done():
            outlet.allow(len(items) + 5)
            await asyncio.sleep(0)
        return items, task.result()

    items, reply = asyncio.run(run())
    assert (reply.outcome, len(items)) == ("ok", 200)
    assert {*items, *instance.log} == {items[0]}
    assert items[0] != threading.main_thread().ident


# -- whose code a thread of the user is -------------------------------------------------------------------------------


def test_a_thread_that_asks_while_the_only_input_ends_is_told_something_true(monkeypatch):
    """Between two looks of one thread another one may end its input."""

    class Ending(list):
        def __len__(self):
            count = super().__len__()
            self.clear()
            return count

    monkeypatch.setattr(context, "_served", Ending([7]))
    assert context.current_input_number() in {0, 7}
