"""Batches form across all callers: threads, coroutines, maps, and code of other containers."""

from __future__ import annotations

import asyncio
import os
from concurrent.futures import ThreadPoolExecutor
from itertools import chain

import pytest

import modal_nb as modal
from tests.e2e.batches import FOR_EVER, Noted, Notes
from tests.e2e.home import until

app = modal.App("callers")
#: containers that call, and the calls that each of them has in flight
CONTAINERS, CALLS = 4, 50
SIZE = 20


@app.cls(max_containers=1)
class Batched(Noted):
    @modal.batched(max_batch_size=SIZE, wait_ms=50)
    def square(self, callers, xs):
        self.note(len(xs), *{*callers})
        if not self.is_open("no-gate"):
            self.await_gate()
        return [(x * x, os.environ["MODAL_TASK_ID"]) for x in xs]


@app.cls(max_containers=1)
class AsyncBatched(Noted):
    @modal.batched(max_batch_size=SIZE, wait_ms=50)
    async def square(self, callers, xs):
        self.note(len(xs), *{*callers})
        if not self.is_open("no-gate"):
            await self.await_gate_async()
        return [(x * x, os.environ["MODAL_TASK_ID"]) for x in xs]


@app.cls(max_containers=CONTAINERS)
class Caller(Noted):
    """Each container is a process of its own that calls."""

    @modal.method()
    async def call(self, batched, number):
        self.note("began")
        while not await asyncio.sleep(0.005, self.is_open("start")):
            pass
        first = 1000 * number
        me = os.environ["MODAL_TASK_ID"]
        calls = (batched.square.remote.aio(me, first + x) for x in range(CALLS))
        return me, await asyncio.gather(*calls)


@pytest.fixture(scope="module")
def machine():
    return {"MODAL_NB_MAX_CONTAINERS": str(CONTAINERS + 2)}


@pytest.fixture(scope="module", autouse=True)
def running(home):
    with app.run():
        yield


@pytest.fixture
def notes(tmp_path):
    return Notes(tmp_path)


@pytest.fixture(params=[Batched, AsyncBatched], ids=["plain", "async"])
def batched(request, tmp_path):
    return request.param(folder=str(tmp_path))


def expected(number):
    return [(1000 * number + x) ** 2 for x in range(CALLS)]


def test_200_callers_in_four_processes_share_their_batches(batched, tmp_path, notes, home):
    """The first batch is held until all others wait: then every one of them is full, and has callers of many
    processes.
    """
    callers = Caller(folder=str(tmp_path))
    calls = [callers.call.spawn(batched, number) for number in range(CONTAINERS)]
    until(lambda: len([line for line in notes.lines() if line == ["began"]]) == CONTAINERS)
    notes.open("start")
    until(lambda: batched.square.get_current_stats().backlog == CONTAINERS * CALLS - first_size(notes))
    notes.open()
    answers = [call.get() for call in calls]

    for number, (_, found) in enumerate(answers):
        assert [x for x, _ in found] == expected(number)
    # one container served all of them
    ((served_by, *_),) = {(where,) for _, found in answers for _, where in found}
    assert served_by in home.ids(type_of(batched))
    processes = {me for me, _ in answers}
    assert len(processes) == CONTAINERS
    batches = [line for line in notes.lines() if line != ["began"]]
    sizes = [int(line[0]) for line in batches]
    assert sum(sizes) == CONTAINERS * CALLS
    assert sizes[1:-1] == [SIZE] * len(sizes[1:-1])
    assert max(sizes) <= SIZE
    assert set(chain.from_iterable(line[1:] for line in batches)) == processes
    assert max(len(line[1:]) for line in batches) > 1


def type_of(instance):
    return instance.__modal__.declaration.name


def first_size(notes):
    """Of the batch that waits at the gate; more than can be while there is none."""
    sizes = [int(line[0]) for line in notes.lines() if line != ["began"]]
    return sizes[0] if sizes else 10**6


def test_over_and_over_all_of_them_have_their_own_answers(batched, tmp_path, notes):
    for gate in ("start", "no-gate"):
        notes.open(gate)
    callers = Caller(folder=str(tmp_path))
    found = list(callers.call.map([batched] * 20, range(20)))
    assert [[x for x, _ in answers] for _, answers in found] == [expected(number) for number in range(20)]
    sizes = [int(line[0]) for line in notes.lines() if line != ["began"]]
    assert (sum(sizes), max(sizes) <= SIZE) == (20 * CALLS, True)


def test_threads_coroutines_and_maps_of_one_process_share_them_too(tmp_path, notes):
    """Nothing but the last of them fills the batch."""
    variant = Batched.with_batching(max_batch_size=8, wait_ms=FOR_EVER)
    instance = variant(folder=str(tmp_path))
    notes.open("no-gate")

    def by_loop():
        async def calls():
            return await asyncio.gather(*(instance.square.remote.aio("loop", x) for x in (2, 3)))

        return asyncio.run(calls())

    with ThreadPoolExecutor() as threads:
        outcomes = [
            threads.submit(lambda: [instance.square.remote("thread", 1)]),
            threads.submit(by_loop),
            threads.submit(lambda: list(instance.square.map(["map"] * 2, [4, 5]))),
            threads.submit(lambda: [instance.square.spawn("spawn", 6).get()]),
            threads.submit(lambda: list(instance.square.starmap([("starmap", 7)]))),
        ]
        until(lambda: instance.square.get_current_stats().backlog == 7)
        assert notes.sizes() == []
        assert instance.square.remote("last", 8)[0] == 64
        found = [x for outcome in outcomes for x, _ in outcome.result(60)]
    assert found == [x * x for x in range(1, 8)]
    ((size, *callers),) = notes.lines()
    assert size == "8"
    assert {*callers} == {"thread", "loop", "map", "spawn", "starmap", "last"}


def test_a_new_supervisor_gets_what_waited_to_be_full(tmp_path, notes, home):
    variant = Batched.with_batching(max_batch_size=4, wait_ms=FOR_EVER)
    instance = variant(folder=str(tmp_path))
    notes.open("no-gate")
    with ThreadPoolExecutor() as threads:
        waiting = [threads.submit(instance.square.remote, "x", x) for x in range(3)]
        until(lambda: instance.square.get_current_stats().backlog == 3)
        home.supervisor().kill()
        last = threads.submit(instance.square.remote, "x", 3)
        assert [call.result(60)[0] for call in (*waiting, last)] == [0, 1, 4, 9]
    assert notes.sizes() == [4]


def test_a_new_supervisor_gets_a_batch_that_ran(tmp_path, notes, home):
    variant = Batched.with_batching(max_batch_size=4, wait_ms=FOR_EVER)
    instance = variant(folder=str(tmp_path))
    with ThreadPoolExecutor() as threads:
        calls = [threads.submit(instance.square.remote, "x", x) for x in range(4)]
        until(lambda: notes.sizes() == [4])
        home.supervisor().kill()
        notes.open()
        assert [call.result(60)[0] for call in calls] == [0, 1, 4, 9]
