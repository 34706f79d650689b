"""One input at a time: ``.remote`` and ``.local``, blocking and awaited, small and big."""

from __future__ import annotations

import asyncio
import os
import threading

import numpy as np
import pytest

import modal_nb as modal
from modal_nb.exception import ExecutionError

app = modal.App("calls")
MIB = 1024 * 1024


@app.cls(max_containers=2)
class Calculator:
    base: int = modal.parameter(default=10)

    @modal.enter()
    def load(self):
        self.entered = getattr(self, "entered", 0) + 1

    @modal.method()
    def add(self, x, y=0, *, z=0):
        """Adds."""
        return self.base + x + y + z

    @modal.method()
    async def add_async(self, x, y=0):
        await asyncio.sleep(0)
        return self.base + x + y

    @modal.method()
    def where(self):
        main = threading.current_thread() is threading.main_thread()
        return os.environ["MODAL_TASK_ID"], os.getpid(), main, self.entered

    @modal.method()
    def twice(self, value):
        return value + value

    @modal.method()
    def same(self, value):
        return value

    @modal.method()
    def fill(self, array):
        array[0] = 42.0
        return array

    @modal.method()
    def through_self(self, x):
        return self.add.local(x), self.entered

    def plain(self):
        return "not served"


@pytest.fixture(scope="module")
def calculator(home):
    with app.run():
        yield Calculator()


def test_remote_returns_what_the_method_returns(calculator):
    assert calculator.add.remote(1) == 11
    assert calculator.add.remote(1, 2, z=3) == 16
    assert calculator.add.remote(x=1, y=2) == 13


def test_remote_runs_in_a_container_on_its_main_thread(calculator, home):
    container, pid, main, entered = calculator.where.remote()
    assert container in home.ids("Calculator")
    assert pid != os.getpid()
    assert main
    assert entered == 1


def test_remote_of_an_async_method(calculator):
    assert calculator.add_async.remote(1, y=2) == 13


def test_remote_aio_awaits_sync_and_async_methods(calculator):
    async def both():
        return await calculator.add.remote.aio(1), await calculator.add_async.remote.aio(2)

    assert asyncio.run(both()) == (11, 12)


def test_many_awaited_calls_in_flight_each_get_their_own_answer(calculator):
    async def all_of_them():
        return await asyncio.gather(*(calculator.add.remote.aio(i) for i in range(500)))

    assert asyncio.run(all_of_them()) == [10 + i for i in range(500)]


def test_calls_from_many_threads_each_get_their_own_answer(calculator):
    answers = {}

    def call(start):
        for i in range(start, start + 25):
            answers[i] = calculator.add.remote(i)

    threads = [threading.Thread(target=call, args=(25 * n,)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert answers == {i: 10 + i for i in range(200)}


def test_local_runs_here_and_enters_once(calculator):
    here = Calculator(base=1)
    assert here.add.local(1) == 2
    assert os.environ.get("MODAL_TASK_ID") is None
    assert here.through_self.local(1) == (2, 1)
    assert here.through_self.local(1) == (2, 1)
    assert asyncio.run(here.add_async.local(2)) == 3
    assert here.plain() == "not served"


def test_self_is_the_same_object_for_methods_of_a_container(calculator):
    assert calculator.through_self.remote(5) == (15, 1)


@pytest.mark.parametrize("size", [0, 1, 300 * 1024 + 1, 3 * MIB])
def test_bytes_of_any_size_travel_both_ways(calculator, size):
    value = os.urandom(size)
    assert calculator.twice.remote(value) == value + value


def test_a_value_of_more_than_50_mib_travels_both_ways(calculator):
    array = np.arange(7 * MIB, dtype=np.float64)  # 56 MiB
    back = calculator.same.remote(array)
    assert back.nbytes > 50 * MIB
    assert np.array_equal(back, array)


@pytest.mark.parametrize("items", [8, 100_000])
def test_arrays_are_writable_in_the_container_and_here(calculator, items):
    sent = np.zeros(items)
    back = calculator.fill.remote(sent)
    assert back[0] == 42.0
    assert sent[0] == 0.0
    back[1] = 1.0
    assert back.sum() == 43.0


@pytest.mark.parametrize(
    "value",
    [None, True, 0, -1, 2**100, 1.5, float("inf"), 1j, "Ä\0", b"", (), [1, [2]], {"a": {1, 2}}, range(3)],
    ids=repr,
)
def test_values_come_back_as_they_went(calculator, value):
    back = calculator.same.remote(value)
    assert back == value
    assert type(back) is type(value)


def test_a_class_of_this_module_that_only_the_caller_knows_travels_by_value(calculator):
    class Point:
        def __init__(self, x):
            self.x = x

        def __add__(self, other):
            return Point(self.x + other.x)

    assert calculator.twice.remote(Point(4)).x == 8


def test_a_method_knows_its_name_its_text_and_its_arguments(calculator):
    assert calculator.add.__name__ == "add"
    assert calculator.add.__doc__ == "Adds."
    assert list(calculator.add.__signature__.parameters) == ["x", "y", "z"]
    assert repr(calculator.add) == "<Function Calculator.add>"


def test_get_current_stats_counts_inputs_and_containers(calculator):
    calculator.add.remote(1)
    stats = calculator.add.get_current_stats()
    assert stats.backlog == 0
    assert stats.num_running_inputs == 0
    assert 1 <= stats.num_total_runners <= 2
    assert stats.input_headroom >= 1
    assert asyncio.run(calculator.add.get_current_stats.aio()).num_total_runners >= 1


def test_an_app_runs_again_after_it_ended(home):
    other = modal.App("again")

    @other.cls()
    class Once:
        @modal.method()
        def where(self):
            return os.environ["MODAL_TASK_ID"]

    once = Once()
    with other.run(name="first") as running:
        assert running is other
        first = once.where.remote()
    with pytest.raises(
        ExecutionError, match=r"the app 'again' is not running: put the call inside `with app\.run"
    ):
        once.where.remote()
    assert first not in home.ids()
    with other.run():
        assert once.where.remote() != first


def test_async_with_runs_an_app(home):
    other = modal.App("async")

    @other.cls()
    class Once:
        @modal.method()
        def answer(self):
            return 42

    async def call():
        async with other.run():
            return await Once().answer.remote.aio()

    assert asyncio.run(call()) == 42
    assert not home.ids("Once")


def test_stop_ends_what_runs(home):
    other = modal.App("stopped")

    @other.cls()
    class Once:
        @modal.method()
        def answer(self):
            return 42

    with other.run():
        assert Once().answer.remote() == 42
        assert len(home.ids("Once")) == 1
        other.stop()
        assert not home.ids("Once")
        assert other.running() is None


def test_an_included_class_runs_with_its_includer(home):
    inner, outer = modal.App("inner"), modal.App("outer")

    @inner.cls()
    class Inner:
        @modal.method()
        def answer(self):
            return 42

    assert outer.include(inner) is outer
    with outer.run():
        assert Inner().answer.remote() == 42


def test_two_instances_with_the_same_parameters_share_containers(calculator):
    assert Calculator().where.remote()[1] in {calculator.where.remote()[1] for _ in range(3)}
