"""Between two attempts: what runs meanwhile, who may give up, and what else is tried again: items, batches, callers."""

from __future__ import annotations

import asyncio
import os
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

import modal_nb as modal
from modal_nb.exception import AppStoppedError, ContainerCrashedError, InputCancelledError, InvalidError
from tests.e2e import batches
from tests.e2e.batches import FOR_EVER, Noted
from tests.e2e.flaky import AT_ONCE, RETRIES, Flaky, Notes, Patient, Wide, app
from tests.e2e.home import until

ATTEMPTS = RETRIES + 1


@pytest.fixture(scope="module", autouse=True)
def running(home):
    with app.run():
        yield


@pytest.fixture
def notes(tmp_path):
    return Notes(tmp_path)


@pytest.fixture(params=[Flaky, Wide], ids=["one by one", "side by side"])
def flaky(request, tmp_path):
    return request.param(folder=str(tmp_path))


@pytest.fixture
def patient(tmp_path):
    """Waits for a minute after a failure: here as good as for ever."""
    return Patient(folder=str(tmp_path))


def postponed(home, notes, *names):
    """They have failed once and wait, in no container; the report says so."""
    until(lambda: all(notes.runs(name) == 1 for name in names))
    told = f"{len(names)} failed and will be tried again"
    until(lambda: told in {pool.why for pool in home.pools("Patient") if not pool.running})


# -- while one waits --------------------------------------------------------------------------------------------------


def test_others_run_in_the_only_container_while_one_waits(patient, notes, home):
    waiting = patient.run.spawn("waits", 1)
    postponed(home, notes, "waits")
    assert list(patient.run.map(range(100))) == [(x, 1) for x in range(100)]
    assert notes.runs("waits") == 1
    waiting.cancel()


def test_the_container_may_end_meanwhile(tmp_path, notes, home):
    """It is started again when the time has come."""
    variant = Patient.with_options(scaledown_window=2, retries=modal.Retries(max_retries=1, initial_delay=4))(
        folder=str(tmp_path)
    )
    call = variant.where.spawn("x", 1)
    until(lambda: notes.runs("x") == 1)
    assert call.get() == ("x", 2)
    assert len(notes.lines("where-x")) == 2


def test_one_that_waits_can_be_cancelled(patient, notes, home):
    call = patient.run.spawn("waits", 1)
    postponed(home, notes, "waits")
    call.cancel()
    with pytest.raises(InputCancelledError):
        call.get()
    assert patient.run.remote("other") == ("other", 1)
    assert notes.runs("waits") == 1


def test_a_caller_that_awaits_it_can_give_up(patient, notes, home):
    async def call_and_give_up():
        call = asyncio.ensure_future(patient.run.remote.aio("waits", 1))
        await asyncio.to_thread(postponed, home, notes, "waits")
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call

    asyncio.run(call_and_give_up())
    assert patient.run.remote("other") == ("other", 1)
    assert notes.runs("waits") == 1


def test_a_map_that_is_left_gives_up_what_waits(patient, notes, home):
    for first in patient.run.map(["a", "b", "c", "d"], [0, 1, 1, 1]):
        assert first == ("a", 1)
        postponed(home, notes, "b", "c", "d")
        break
    assert patient.run.remote("other") == ("other", 1)
    assert [notes.runs(x) for x in "abcd"] == [1, 1, 1, 1]


def test_one_that_runs_and_is_cancelled_is_not_tried_again(flaky, notes):
    for name in ("hang", "a_hang"):
        call = getattr(flaky, name).spawn(name, 99)
        until(lambda name=name: notes.runs(name) == 1)
        call.cancel()
        with pytest.raises(InputCancelledError):
            call.get()
    assert flaky.run.remote("other") == ("other", 1)
    assert [notes.runs(name) for name in ("hang", "a_hang")] == [1, 1]


def test_the_end_of_the_app_is_told_to_who_waits_for_another_attempt(home, tmp_path, notes):
    own = modal.App("ends")

    @own.cls(retries=modal.Retries(max_retries=3, initial_delay=60))
    class Mine(Patient.__wrapped__):
        pass

    with ThreadPoolExecutor() as threads:
        with own.run():
            mine = Mine(folder=str(tmp_path))
            calls = [threads.submit(mine.run.remote, name, 1) for name in "abc"]
            mapped = threads.submit(lambda: list(mine.run.map("xy", [1, 1], return_exceptions=True)))
            until(lambda: [notes.runs(name) for name in "abcxy"] == [1] * 5)
            until(lambda: home.pool("Mine").running == 0)
        for call in calls:
            with pytest.raises(AppStoppedError, match=r"the app ended before Mine\.run was through"):
                call.result(60)
        assert [type(error) for error in mapped.result(60)] == [AppStoppedError] * 2
    assert [notes.runs(name) for name in "abcxy"] == [1] * 5


def test_a_new_supervisor_tries_again_what_waited(patient, notes, home):
    with ThreadPoolExecutor() as threads:
        call = threads.submit(patient.run.remote, "waits", 1)
        postponed(home, notes, "waits")
        home.supervisor().kill()
        assert call.result(60) == ("waits", 2)


def test_without_a_delay_it_comes_before_all_that_waits(tmp_path):
    """The last of the queue runs when those that failed have been tried again."""
    own = modal.App("order")

    @own.cls(max_containers=1, retries=AT_ONCE)
    class Order:
        @modal.enter()
        def enter(self):
            self.order, self.gate = [], threading.Event()

        @modal.method()
        async def open(self):
            await asyncio.to_thread(self.gate.wait)

        @modal.method()
        def run(self, x):
            self.order.append(x)
            if x < 2 and self.order.count(x) <= RETRIES:
                raise ValueError(x)
            return x

        @modal.method()
        def told(self):
            return self.order

    with own.run():
        calls = [Order().run.spawn(x) for x in range(20)]
        assert [call.get() for call in calls] == list(range(20))
        order = Order().told.remote()
    assert Counter(order) == {**dict.fromkeys(range(20), 1), 0: ATTEMPTS, 1: ATTEMPTS}
    assert order.index(19) > max(at for at, x in enumerate(order) if x < 2)


def test_a_thread_that_took_too_long_is_tried_again_in_another_container(tmp_path, notes):
    """Nothing can end a thread, so its container ends; what ran beside it runs again and has used up no attempt."""
    hasty = Wide.with_options(timeout=1)(folder=str(tmp_path))
    slow = hasty.hang.spawn("slow", 1)
    assert hasty.run.remote("beside", 2) == ("beside", 3)
    assert slow.get() == "slow"
    assert notes.runs("slow") == 2


# -- generators -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["items", "a_items"])
def test_a_generator_begins_again_and_its_reader_sees_no_item_twice(flaky, notes, name):
    for fails_at in ([], [0], [5], [5, 3], [3, 5], [9, 0], [200, 100], [0, 0]):
        x = f"{name}-{fails_at}"
        assert list(getattr(flaky, name).remote_gen(x, 300, fails_at)) == list(range(300))
        assert notes.runs(x) == len(fails_at) + 1


@pytest.mark.parametrize("name", ["items", "a_items"])
def test_when_its_attempts_are_used_up_it_ends_behind_the_furthest_item(flaky, notes, name):
    found = []
    with pytest.raises(ValueError, match="3, 4") as caught:
        found.extend(getattr(flaky, name).remote_gen("x", 300, [2, 7, 4]))
    assert caught.value.args == (ATTEMPTS, 4)
    assert found == list(range(7))
    assert notes.runs("x") == ATTEMPTS


def test_a_slow_reader_of_one_that_fails_reads_each_item_once(flaky, notes):
    items = iter(flaky.items.remote_gen("x", 1000, [500, 700]))
    first = [next(items) for _ in range(100)]
    assert notes.runs("x") == 1
    assert first + list(items) == list(range(1000))
    assert notes.runs("x") == 3


def test_a_generator_that_waits_for_its_next_attempt_can_be_left(patient, notes, home):
    items = iter(patient.items.remote_gen("waits", 10, [3]))
    assert [next(items) for _ in range(3)] == [0, 1, 2]
    postponed(home, notes, "waits")
    items.close()
    assert patient.run.remote("other") == ("other", 1)
    assert notes.runs("waits") == 1


# -- calls from inside ------------------------------------------------------------------------------------------------


def test_a_caller_that_is_tried_again_makes_its_calls_again(flaky, notes):
    assert flaky.through_another.remote("x", 2, 0) == ("x-3", 1)
    assert [notes.runs(name) for name in ("x", "x-1", "x-2", "x-3")] == [3, 1, 1, 1]


def test_a_call_from_inside_is_tried_again_by_its_own_policy(tmp_path, notes):
    own = modal.App("inside")

    @own.cls(retries=modal.Retries(max_retries=5, initial_delay=0))
    class Inner(Flaky.__wrapped__):
        pass

    @own.cls(retries=AT_ONCE)
    class Outer(Noted):
        @modal.method()
        def call(self, failures):
            self.note("outer")
            return Inner(folder=self.folder).run.remote("inner", failures)

    with own.run():
        assert Outer(folder=str(tmp_path)).call.remote(5) == ("inner", 6)
        assert len(batches.Notes(tmp_path).lines()) == 1
        # what it raises in the end is a failure of the caller, which is tried again
        with pytest.raises(ValueError, match=r"(?m)^24$"):
            Outer(folder=str(tmp_path)).call.remote(99)
    assert len(batches.Notes(tmp_path).lines()) == 1 + ATTEMPTS
    assert notes.runs("inner") == 6 + 6 * ATTEMPTS


# -- batches ----------------------------------------------------------------------------------------------------------


@app.cls(max_containers=1, retries=AT_ONCE)
class Batched(Flaky.__wrapped__):
    """A batch fails as long as one of its inputs has failures left."""

    @modal.method()
    def many(self, names, failures):
        with Path(self.folder, "batches").open("a") as file:
            file.write(" ".join(names) + "\n")
        runs = [self.ran(name) for name in names]
        if any(run <= n for run, n in zip(runs, failures, strict=True)):
            raise ValueError(*names)
        return list(zip(names, runs, strict=True))

    @modal.method()
    def hang_once(self, names):
        if max([self.ran(name) for name in names]) == 1:
            time.sleep(1000)
        return names

    @modal.method()
    async def a_hang_once(self, names):
        if max([self.ran(name) for name in names]) == 1:
            await asyncio.sleep(1000)
        return names

    @modal.method()
    def die(self, names):
        for name in names:
            self.ran(name)
        if "poison" in names:
            os._exit(5)
        return names


@pytest.fixture
def batched(tmp_path):
    return Batched.with_batching(max_batch_size=3, wait_ms=FOR_EVER)(folder=str(tmp_path))


def test_each_input_of_a_batch_is_tried_again_for_itself(batched, notes):
    calls = {name: batched.many.spawn(name, n) for name, n in (("a", 0), ("b", 1), ("c", 2))}
    assert {name: call.get()[0] for name, call in calls.items()} == {name: name for name in "abc"}
    assert notes.runs("c") == 3
    assert notes.lines("batches")[0] == "a b c"
    # what failed once waits for no batch to be full
    assert len(notes.lines("batches")) > 1


def test_when_attempts_are_used_up_every_caller_has_the_last_exception(batched, notes):
    calls = {name: batched.many.spawn(name, 99) for name in "abc"}
    for name, call in calls.items():
        with pytest.raises(ValueError, match=name):
            call.get()
        assert notes.runs(name) == ATTEMPTS


def test_a_map_over_a_batched_method_is_tried_again_input_by_input(tmp_path, notes):
    batched = Batched.with_batching(max_batch_size=5, wait_ms=1)(folder=str(tmp_path))
    names = [f"m{x}" for x in range(400)]
    found = list(batched.many.map(names, [1 if x % 50 == 7 else 0 for x in range(400)]))
    assert [name for name, _ in found] == names
    assert all(notes.runs(name) == run <= ATTEMPTS for name, run in found)


def test_a_batch_that_breaks_the_rules_is_tried_again_too(tmp_path, notes):
    batched = Batched.with_batching(max_batch_size=3, wait_ms=1)(folder=str(tmp_path))
    with pytest.raises(InvalidError, match="every caller gives every parameter"):
        batched.many.remote("x")


@pytest.mark.parametrize("name", ["hang_once", "a_hang_once"])
def test_a_batch_that_took_too_long_is_tried_again_but_for_those_that_were_cancelled(tmp_path, notes, name):
    variant = Batched.with_options(timeout=1).with_batching(max_batch_size=3, wait_ms=FOR_EVER)
    method = getattr(variant(folder=str(tmp_path)), name)
    calls = {x: method.spawn(x) for x in "abc"}
    until(lambda: notes.runs("c") == 1)
    calls.pop("b").cancel()
    assert {x: call.get() for x, call in calls.items()} == {"a": "a", "c": "c"}
    assert [notes.runs(x) for x in "abc"] == [2, 1, 2]


def test_deaths_and_attempts_are_counted_apart_in_a_batch(batched, notes):
    calls = {name: batched.die.spawn(name) for name in ("a", "poison", "c")}
    with pytest.raises(ContainerCrashedError):
        calls.pop("poison").get()
    assert [call.get() for call in calls.values()] == ["a", "c"]
    assert [notes.runs(name) for name in ("a", "poison", "c")] == [2, 5, 2]
