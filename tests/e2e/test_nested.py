"""Calls from inside containers: to other classes and to the own one, on a machine that holds two containers."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

import modal_nb as modal
from modal_nb.exception import DeadlockError, InputCancellation, RemoteError
from tests.e2e.home import until
from tests.e2e.notebook import Notebook

app = modal.App("nested")


@pytest.fixture(scope="module")
def machine():
    return {"MODAL_NB_MAX_CONTAINERS": "2"}


@app.cls(max_containers=1, env={"ONLY_CALLEE": "callee"})
class Callee:
    n: int = modal.parameter(default=1)

    @modal.method()
    def add(self, x):
        return x + self.n

    @modal.method()
    def stream(self, count):
        for x in range(count):
            yield x + self.n

    @modal.method()
    def where(self):
        return os.environ["MODAL_TASK_ID"]

    @modal.method()
    def variables(self):
        return os.environ.get("ONLY_CALLEE"), os.environ.get("ONLY_CALLER"), os.environ.get("TOKEN")

    @modal.method()
    def fails(self):
        raise LookupError("in the callee")

    @modal.method()
    def wait_until_cancelled(self, begun, ended):
        Path(begun).touch()
        try:
            while True:
                time.sleep(0.01)
        except InputCancellation:
            Path(ended).touch()
            raise


@app.cls(max_containers=1)
class Third:
    @modal.method()
    def add(self, x):
        return Callee().add.remote(x) + 100


@app.cls(max_containers=1)
class Second:
    @modal.method()
    def add(self, x):
        return Third().add.remote(x) + 1000


#: globals that code of containers refers to: nobody has used them, one is used in the notebook first
unused_instance = Callee(n=20)
used_instance = Callee(n=30)
a_function = Callee(n=40).add


@app.cls(env={"ONLY_CALLER": "caller"}, secrets=[modal.Secret.from_dict({"TOKEN": "of the caller"})])
class Caller:
    @modal.enter()
    def start(self):
        self.entered = asyncio.run(self._later("entered"))

    async def _later(self, value):
        await asyncio.sleep(0)
        return value

    @modal.method()
    def remote(self, x):
        return Callee().add.remote(x)

    @modal.method()
    async def awaited(self, x):
        return await Callee().add.remote.aio(x), [y async for y in Callee().add.map(range(3))]

    @modal.method()
    def run_a_loop(self, x):
        async def both():
            return await asyncio.gather(Callee().add.remote.aio(x), self._later("ran"))

        return self.entered, asyncio.run(both())

    @modal.method()
    def mapped(self, count):
        return list(Callee().add.map(range(count)))

    @modal.method()
    def streamed(self, count):
        return [(x, Callee(n=2).add.remote(x)) for x in Callee().stream.remote_gen(count)]

    @modal.method()
    def from_threads(self, count):
        with ThreadPoolExecutor(4) as threads:
            return list(threads.map(Callee().add.remote, range(count)))

    @modal.method()
    def spawned(self, x):
        call = Callee().add.spawn(x)
        return call.get(timeout=30)

    @modal.method()
    def by_globals(self, x):
        return unused_instance.add.remote(x), used_instance.add.remote(x), a_function.remote(x)

    @modal.method()
    def by_class(self, cls, x):
        return cls(n=5).add.remote(x)

    @modal.method()
    def by_instance(self, instance, x):
        return instance.add.remote(x)

    @modal.method()
    def by_function(self, function, x):
        return function.remote(x)

    @modal.method()
    def make(self, n):
        return Callee(n=n)

    @modal.method()
    def deep(self, x):
        return Second().add.remote(x)

    @modal.method()
    def down(self, depth):
        here = [os.environ["MODAL_TASK_ID"]]
        return here + (self.down.remote(depth - 1) if depth else [])

    @modal.method()
    def down_here(self, depth):
        here = [os.environ["MODAL_TASK_ID"]]
        return here + (self.down_here.local(depth - 1) if depth else [])

    @modal.method()
    def where_callee_is(self):
        return Callee().where.remote()

    @modal.method()
    def variables(self):
        mine = os.environ.get("ONLY_CALLEE"), os.environ.get("ONLY_CALLER"), os.environ.get("TOKEN")
        return mine, Callee().variables.remote()

    @modal.method()
    def raises(self):
        return Callee().fails.remote()

    @modal.method()
    def wait_for_callee(self, *paths):
        Callee(n=99).wait_until_cancelled.remote(*paths)

    @modal.method()
    def pid(self):
        return os.getpid()


@app.cls(max_containers=1)
class Single:
    @modal.method()
    def again(self):
        return self.plain.remote()

    @modal.method()
    def again_mapped(self):
        return list(self.square.map(range(3), return_exceptions=True))

    @modal.method()
    def again_here(self):
        return self.plain.local()

    @modal.method()
    def by_other(self):
        return Other().back.remote()

    @modal.method()
    def plain(self):
        return "plain"

    @modal.method()
    def square(self, x):
        return x * x


@app.cls(max_containers=1)
class Other:
    @modal.method()
    def back(self):
        return Single().plain.remote()


@pytest.fixture(scope="module")
def caller(home):
    with app.run():
        yield Caller()


# -- what can be called


def test_a_call_and_a_map(caller):
    assert caller.remote.remote(5) == 6
    assert caller.mapped.remote(50) == list(range(1, 51))


def test_a_call_and_a_map_from_a_coroutine(caller):
    assert caller.awaited.remote(5) == (6, [1, 2, 3])


def test_sync_code_may_run_a_loop_of_its_own_and_call_from_it(caller):
    assert caller.run_a_loop.remote(5) == ("entered", [6, "ran"])


def test_items_of_a_generator_are_read_inside_and_others_are_called_meanwhile(caller):
    assert caller.streamed.remote(3) == [(1, 3), (2, 4), (3, 5)]


def test_threads_of_a_method_call_too(caller):
    assert caller.from_threads.remote(20) == list(range(1, 21))


def test_what_is_spawned_inside_can_be_got_there(caller):
    assert caller.spawned.remote(5) == 6


def test_an_own_method_runs_in_any_container_of_the_pool_or_right_here(caller):
    assert len(set(caller.down.remote(1))) == 2
    assert len(set(caller.down_here.remote(3))) == 1


def test_handles_in_globals_used_before_or_not(caller):
    assert used_instance.add.remote(0) == 30
    assert caller.by_globals.remote(1) == (21, 31, 41)


def test_handles_as_arguments(caller):
    assert caller.by_class.remote(Callee, 1) == 6
    assert caller.by_instance.remote(Callee(n=7), 1) == 8
    assert caller.by_function.remote(Callee(n=8).add, 1) == 9
    used = Callee(n=9)
    assert used.add.remote(0) == 9
    assert caller.by_instance.remote(used, 1) == 10
    assert caller.by_function.remote(used.add, 1) == 10


def test_a_handle_that_comes_back_can_be_called(caller):
    assert caller.make.remote(50).add.remote(1) == 51


def test_the_pool_is_the_same_one_as_the_notebooks(home, caller):
    here = Callee().where.remote()
    assert caller.where_callee_is.remote() == here
    assert here in home.ids("Callee")


def test_an_error_of_the_nested_call_comes_as_it_is(caller):
    with pytest.raises(LookupError, match="in the callee"):
        caller.raises.remote()
    assert caller.remote.remote(1) == 2


def test_variables_and_secrets_stay_with_their_class(caller):
    assert caller.variables.remote() == ((None, "caller", "of the caller"), ("callee", None, None))


# -- room


def test_a_chain_of_four_classes_gets_through_a_machine_of_two(caller):
    assert caller.deep.remote(5) == 5 + 1 + 100 + 1000
    assert list(caller.deep.map(range(6))) == [x + 1101 for x in range(6)]


def test_a_method_that_calls_itself_gets_through_too(caller):
    containers = caller.down.remote(3)
    assert len(set(containers)) == 4


# -- deadlocks


def test_a_pool_of_one_that_calls_itself_is_told_which_option_to_raise(caller):
    single = Single()
    with pytest.raises(DeadlockError) as caught:
        single.again.remote()
    text = str(caught.value)
    assert text.startswith("Single.plain can never start: its pool is at max_containers=1")
    assert "raise `max_containers`" in text
    assert "`.local()`" in text
    assert single.again_here.remote() == "plain"


def test_a_map_in_a_pool_of_one_is_told_for_each_input(caller):
    results = Single().again_mapped.remote()
    assert [type(result) for result in results] == [DeadlockError] * 3


def test_a_circle_of_two_classes_is_told_and_both_serve_on(caller):
    with pytest.raises(DeadlockError, match=r"Single\.plain can never start"):
        Single().by_other.remote()
    assert Single().plain.remote() == "plain"
    assert Other().back.remote() == "plain"


def test_a_higher_maximum_resolves_it(caller):
    single = Single()
    single.update_autoscaler(max_containers=2)
    assert single.again.remote() == "plain"
    single.update_autoscaler(max_containers=1)


# -- ends


def test_a_nested_call_is_cancelled_with_its_parent(home, caller, tmp_path):
    begun, ended = tmp_path / "begun", tmp_path / "ended"
    call = caller.wait_for_callee.spawn(str(begun), str(ended))
    until(begun.exists)
    call.cancel()
    until(ended.exists)
    with pytest.raises(RemoteError):
        call.get(timeout=30)
    assert caller.remote.remote(1) == 2


def test_a_nested_call_ends_with_the_container_that_made_it(home, caller, tmp_path):
    begun, ended = tmp_path / "begun", tmp_path / "ended"
    call = caller.wait_for_callee.spawn(str(begun), str(ended))
    until(begun.exists)
    (pool,) = [pool for pool in home.pools("Caller") if pool.running]
    busy = [container for container in pool.containers if container.state == "busy"]
    os.kill(busy[0].pid, signal.SIGKILL)
    until(ended.exists)
    call.cancel()


def test_a_new_supervisor_is_told_of_the_classes_again(home, caller):
    assert caller.by_class.remote(Callee, 1) == 6
    home.supervisor().kill()
    assert caller.by_class.remote(Callee, 1) == 6
    assert caller.by_globals.remote(1) == (21, 31, 41)


# -- edits


CELL = """
import modal_nb as modal
app = modal.App("nested-cells")

@app.cls()
class Outer:
    @modal.method()
    def ask(self):
        return Inner().answer.remote()
"""
INNER = """
@app.cls()
class Inner:
    @modal.method()
    def answer(self):
        return {answer!r}
"""


def test_an_edited_nested_class_reaches_the_containers(home, tmp_path):
    with Notebook(tmp_path) as notebook:
        notebook.run(CELL)
        for answer in ("first", "second", "first"):
            notebook.run(INNER.format(answer=answer))
            assert notebook.value("Outer().ask.remote()") == answer
