"""Batches against the bounds of one supervisor: results of a message, inputs of a queue."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor

import pytest

import modal_nb as modal
from modal_nb.exception import QueueFullError, RequestSizeError
from tests.e2e.batches import FOR_EVER
from tests.e2e.home import until

app = modal.App("bounds")
MIB = 2**20
#: the least there can be
BOUND = 1000


@app.cls(max_containers=1)
class Maker:
    @modal.batched(max_batch_size=40, wait_ms=5)
    def make(self, sizes):
        return [bytes(size) for size in sizes]


@app.cls(max_containers=1)
class Two:
    @modal.method()
    def one(self, xs):
        return xs

    @modal.method()
    def other(self, xs):
        return xs


@pytest.fixture(scope="module")
def machine():
    return {"MODAL_NB_MAX_PAYLOAD": "1", "MODAL_NB_QUEUE_BOUND": str(BOUND)}


@pytest.fixture(scope="module", autouse=True)
def running(home):
    with app.run():
        yield


def test_results_that_may_travel_one_by_one_do_so_however_many_a_batch_has():
    """Together they would be more than a message may hold."""
    found = [len(made) for made in Maker().make.map([9 * MIB // 10] * 400)]
    assert found == [9 * MIB // 10] * 400


def test_a_result_that_is_too_large_fails_alone():
    sizes = [10, 2 * MIB, 20] * 30
    found = list(Maker().make.map(sizes, return_exceptions=True))
    assert [type(made) for made in found] == [bytes, RequestSizeError, bytes] * 30
    assert "Maker.make takes 2.0 MiB, over the limit of 1.0 MiB" in str(found[1])


def test_arguments_that_are_too_large_fail_alone():
    class Big:
        def __init__(self, size):
            self.held = bytes(size)

        def __index__(self):
            return len(self.held)

    found = list(Maker().make.map([Big(10), Big(2 * MIB), Big(20)], return_exceptions=True))
    assert [type(made) for made in found] == [bytes, RequestSizeError, bytes]


def test_maps_wait_for_room_where_batches_are_as_large_as_the_queue():
    maker = Maker.with_batching(max_batch_size=BOUND, wait_ms=5)()
    with ThreadPoolExecutor() as threads:
        maps = [threads.submit(lambda: [len(made) for made in maker.make.map(range(3000))]) for _ in range(3)]
        assert [mapped.result(60) for mapped in maps] == [list(range(3000))] * 3


def test_what_waits_to_be_full_counts_as_waiting():
    two = Two.with_batching(max_batch_size=BOUND, wait_ms=FOR_EVER)()
    calls = [(two.one if x % 2 else two.other).spawn(x) for x in range(BOUND)]
    until(lambda: two.one.get_current_stats().backlog == BOUND)
    with pytest.raises(QueueFullError):
        two.one.remote(1)
    with pytest.raises(QueueFullError):
        asyncio.run(two.other.remote.aio(1))
    for call in calls:
        call.cancel()
    until(lambda: two.one.get_current_stats().backlog == 0)
