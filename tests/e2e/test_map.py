"""Many inputs in the order of results, exceptions and reading: ``.map`` and ``.starmap``."""

from __future__ import annotations

import os
import threading

import pytest

from tests.e2e.home import until
from tests.e2e.mapped import Mapper, app, lines


@pytest.fixture(scope="module")
def mapper(home):
    with app.run():
        yield Mapper()


# -- results ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("n", [0, 1, 7, 3000])
@pytest.mark.parametrize("method", ["square", "square_async"])
def test_map_gives_results_in_the_order_of_the_inputs(mapper, method, n):
    assert list(getattr(mapper, method).map(range(n))) == [i * i for i in range(n)]


def test_map_reads_several_iterables_side_by_side_and_the_shortest_ends_it(mapper):
    assert list(mapper.combine.map([1, 2, 3], iter("ab"), kwargs={"c": 9})) == [(1, "a", 9), (2, "b", 9)]


def test_starmap_unpacks_each_item(mapper):
    assert list(mapper.combine.starmap([(1, 2), [3], "xy"], kwargs={"c": 1})) == [
        (1, 2, 1),
        (3, 0, 1),
        ("x", "y", 1),
    ]


def test_results_come_as_they_are_ready_without_order_outputs(mapper, tmp_path):
    gate = tmp_path / "gate"
    results = iter(mapper.wait_for.map([str(gate), os.devnull], [1, 2], order_outputs=False))
    assert next(results) == 2
    gate.touch()
    assert list(results) == [1]


def test_in_order_an_early_result_waits_for_those_before_it(mapper, tmp_path):
    gate = tmp_path / "gate"
    results = iter(mapper.wait_for.map([str(gate), os.devnull], [1, 2]))
    threading.Timer(0.3, gate.touch).start()
    assert list(results) == [1, 2]


def test_all_results_come_once_without_order_outputs(mapper):
    assert sorted(mapper.square.map(range(2000), order_outputs=False)) == [i * i for i in range(2000)]


def test_several_containers_answer_one_map(mapper, home):
    for _ in mapper.wait_for.map([os.devnull] * 500, range(500)):
        pass
    until(lambda: len([c for c in home.containers("Mapper") if c.served]) == 2)


# -- exceptions ---------------------------------------------------------------------------------------------------


def test_the_first_exception_in_order_is_raised_and_ends_the_iteration(mapper):
    results = iter(mapper.odd_only.map([1, 3, 4, 5, 6]))
    assert [next(results), next(results)] == [1, 3]
    with pytest.raises(ValueError, match=r"(?m)^4 is even$"):
        next(results)
    with pytest.raises(StopIteration):
        next(results)


def test_return_exceptions_puts_the_bare_exception_in_place(mapper):
    one, two, three = mapper.odd_only.map([1, 2, 3], return_exceptions=True)
    assert (one, three) == (1, 3)
    assert type(two) is ValueError
    assert str(two) == "2 is even"


def test_an_input_that_cannot_be_pickled_fails_in_its_place(mapper):
    before, lock, after = mapper.square.map([1, threading.Lock(), 3], return_exceptions=True)
    assert (before, after) == (1, 9)
    assert isinstance(lock, TypeError)
    assert "The argument 1 of square (a _thread.lock) cannot be pickled" in str(lock)


@pytest.mark.parametrize("kind", ["sync", "async"])
def test_what_the_input_iterator_raises_is_raised_after_the_results(mapper, kind):
    def inputs():
        yield 1
        yield 2
        raise LookupError("no more")

    async def inputs_async():
        for item in inputs():
            yield item

    got = []
    results = mapper.square.map(inputs() if kind == "sync" else inputs_async())
    with pytest.raises(LookupError, match="no more"):
        got.extend(results)
    assert got == [1, 4]


# -- laziness -----------------------------------------------------------------------------------------------------


def test_nothing_is_read_or_sent_before_the_iteration_begins(mapper):
    def inputs():
        raise AssertionError("read")
        yield

    assert repr(mapper.square.map(inputs())).startswith("<results of square.map")


def test_inputs_are_read_at_most_1000_ahead_of_the_results_taken(mapper):
    read = []

    def inputs():
        for i in range(5000):
            read.append(i)
            yield i

    results = iter(mapper.square.map(inputs()))
    next(results)
    until(lambda: len(read) >= 1000)
    for taken in range(2, 5):
        next(results)
        # one more may be in the hand of the thread that reads
        assert len(read) <= 1000 + taken + 1
    assert sum(1 for _ in results) == 4996
    assert len(read) == 5000


def test_a_map_ends_where_small_inputs_are_followed_by_others(mapper):
    """Fewer of the others may be read ahead: by then more than that were."""
    inputs = [*range(2000), *[()] * 500]
    assert list(mapper.combine.map(inputs)) == [(x, 0, 0) for x in inputs]


def test_an_input_iterator_may_wait_for_results_of_earlier_inputs(mapper):
    answered = threading.Semaphore(0)

    def inputs():
        for i in range(20):
            yield i
            assert answered.acquire(timeout=30)

    got = []
    for result in mapper.square.map(inputs()):
        got.append(result)
        answered.release()
    assert got == [i * i for i in range(20)]


def test_leaving_the_loop_early_cancels_what_has_no_result(mapper, home, tmp_path):
    log = tmp_path / "log"
    paths = [os.devnull, *[str(log)] * 50]
    for first in mapper.first_then_hang.map(paths, range(51)):
        assert first == 0
        until(lambda: lines(log))
        break
    until(lambda: home.pool("Mapper").running == 0 and home.pool("Mapper").queued == 0)
    assert any(line.startswith("InputCancellation") for line in lines(log))
    assert len([line for line in lines(log) if line.startswith("begin")]) <= 4
    assert mapper.square.remote(3) == 9
