"""Batches that are cancelled, too slow, killed: what becomes of each input in them."""

from __future__ import annotations

import os
import signal
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import pytest

import modal_nb as modal
from modal_nb.exception import (
    AppStoppedError,
    ContainerCrashedError,
    FunctionTimeoutError,
    InputCancelledError,
)
from tests.e2e.batches import FOR_EVER, MOST, AsyncPatient, AsyncSquares, Notes, Patient, Squares, app
from tests.e2e.home import kernel_of, until

limits = modal.App("limits")


@limits.cls(max_containers=1, timeout=1, startup_timeout=60)
class Hasty(Squares):
    pass


@limits.cls(max_containers=1, timeout=1, startup_timeout=60)
class AsyncHasty(AsyncSquares):
    pass


@limits.cls(max_containers=1)
class Fragile(Squares):
    """The input "poison" kills the container."""

    @modal.batched(max_batch_size=MOST, wait_ms=FOR_EVER)
    def square(self, xs):
        self.note(len(xs), *xs)
        if "poison" in xs:
            os._exit(7)
        return [x * x for x in xs]


@pytest.fixture(scope="module", autouse=True)
def running(home):
    with app.run(), limits.run():
        yield


@pytest.fixture
def notes(tmp_path):
    return Notes(tmp_path)


@pytest.fixture(params=[Patient, AsyncPatient], ids=["plain", "async"])
def patient(request, tmp_path):
    return request.param(folder=str(tmp_path))


def pool_of(home, instance):
    return home.pools(instance.__modal__.declaration.name)[-1]


def held(instance, notes, *names):
    """A batch with these inputs that runs and stops at the gate."""
    calls = {name: instance.square.spawn(name) for name in ("gate", *names)}
    until(lambda: all(notes.begun(name) for name in calls))
    return calls


# -- cancels ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("given_up", ["gate", 1, 3], ids=["the first", "one in the middle", "the last"])
def test_one_that_is_cancelled_leaves_the_others_of_its_batch_alone(patient, notes, home, given_up):
    calls = held(patient, notes, 1, 2, 3)
    calls[given_up].cancel()
    with pytest.raises(InputCancelledError):
        calls.pop(given_up).get()
    notes.open()
    assert {name: call.get() for name, call in calls.items()} == {
        name: name if name == "gate" else name * name for name in calls
    }
    assert notes.lines() == [["4", "gate", "1", "2", "3"]]
    until(lambda: pool_of(home, patient).running == 0)


def test_when_the_last_of_them_is_cancelled_its_code_is_ended_and_the_container_lives_on(
    patient, notes, home
):
    calls = held(patient, notes, 1, 2, 3)
    (before,) = pool_of(home, patient).containers
    for name in (2, "gate", 3):
        calls[name].cancel()
    assert notes.lines() == [["4", "gate", "1", "2", "3"]]
    calls[1].cancel()
    until(lambda: notes.lines()[-1] == ["0", "ended"])
    for call in calls.values():
        with pytest.raises(InputCancelledError):
            call.get()
    assert list(patient.square.map(range(MOST))) == [0, 1, 4, 9]
    (after,) = pool_of(home, patient).containers
    assert after.id == before.id


def test_one_that_is_cancelled_while_it_waits_leaves_its_place(patient, notes, home):
    calls = [patient.square.spawn(x) for x in range(3)]
    until(lambda: pool_of(home, patient).queued == 3)
    calls.pop(1).cancel()
    until(lambda: pool_of(home, patient).queued == 2)
    calls.append(patient.square.spawn(7))
    until(lambda: pool_of(home, patient).queued == 3)
    assert notes.lines() == []
    calls.append(patient.square.spawn(8))
    assert [call.get() for call in calls] == [0, 4, 49, 64]
    assert notes.lines() == [["4", "0", "2", "7", "8"]]


def test_where_all_that_wait_are_cancelled_nothing_runs(patient, notes, home):
    calls = [patient.square.spawn(x) for x in range(3)]
    until(lambda: pool_of(home, patient).queued == 3)
    for call in calls:
        call.cancel()
    until(lambda: pool_of(home, patient).queued == 0)
    assert list(patient.square.map(range(MOST))) == [0, 1, 4, 9]
    assert notes.sizes() == [MOST]


def test_a_map_that_is_left_early_takes_its_inputs_out_of_all_batches(tmp_path, notes, home):
    patient = Patient.with_batching(max_batch_size=3, wait_ms=FOR_EVER)(folder=str(tmp_path))
    for first in patient.square.map([1, 2, 3, "gate", *range(100, 300)]):
        assert first == 1
        until(lambda: notes.begun("gate"))
        break
    until(lambda: (pool_of(home, patient).running, pool_of(home, patient).queued) == (0, 0))
    assert notes.lines()[-1] == ["0", "ended"]
    assert list(patient.square.map(range(3))) == [0, 1, 4]


def test_on_a_thread_a_batch_that_is_given_up_costs_the_container_and_the_one_beside_it_runs_again(
    tmp_path, notes, home
):
    variant = Patient.with_concurrency(max_inputs=2).with_batching(max_batch_size=2, wait_ms=FOR_EVER)
    instance = variant(folder=str(tmp_path))
    beside = held(instance, notes, 1)
    given_up = {name: instance.square.spawn(name) for name in ("gate", 2)}
    until(lambda: notes.begun(2))
    (before,) = pool_of(home, instance).containers
    for call in given_up.values():
        call.cancel()
    until(lambda: notes.begun(1) == 2)
    notes.open()
    assert [call.get() for call in beside.values()] == ["gate", 1]
    # nobody is blamed, so that they ran together again
    assert Counter(map(tuple, notes.lines())) == {("2", "gate", "1"): 2, ("2", "gate", "2"): 1}
    assert before.id not in home.ids()


# -- time limits ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("hasty", [Hasty, AsyncHasty], ids=["plain", "async"])
def test_a_batch_that_takes_too_long_fails_each_of_its_callers_and_ends(hasty, tmp_path, notes, home):
    instance = hasty(folder=str(tmp_path))
    calls = held(instance, notes, 1, 2, 3)
    for call in calls.values():
        with pytest.raises(FunctionTimeoutError, match=r"Hasty\.square"):
            call.get()
    until(lambda: notes.lines()[-1] == ["0", "ended"])
    assert list(instance.square.map(range(MOST))) == [0, 1, 4, 9]
    assert len(pool_of(home, instance).containers) == 1


# -- deaths -----------------------------------------------------------------------------------------------------------


def test_a_batch_whose_container_is_killed_is_taken_apart_and_run_again_one_by_one(patient, notes, home):
    calls = held(patient, notes, 1, 2, 3)
    (container,) = pool_of(home, patient).containers
    kernel_of(container).kill()
    until(lambda: notes.begun("gate") == 2)
    notes.open()
    assert {name: call.get() for name, call in calls.items()} == {"gate": "gate", 1: 1, 2: 4, 3: 9}
    assert sorted(notes.sizes()) == [1, 1, 1, 1, MOST]


@pytest.mark.parametrize("place", range(MOST))
def test_a_poison_input_is_named_and_its_neighbours_succeed(tmp_path, notes, place):
    fragile = Fragile(folder=str(tmp_path))
    names = [1, 2, 3]
    names.insert(place, "poison")
    calls = {name: fragile.square.spawn(name) for name in names}
    with pytest.raises(ContainerCrashedError) as caught:
        calls.pop("poison").get()
    assert "4 containers died while running Fragile.square" in str(caught.value)
    assert "exit code 7" in str(caught.value)
    assert [call.get() for call in calls.values()] == [1, 4, 9]
    assert notes.begun("poison") == 5
    assert [notes.begun(x) for x in (1, 2, 3)] == [2, 2, 2]


def test_of_a_map_only_the_poison_fails(tmp_path, notes):
    fragile = Fragile.with_batching(max_batch_size=10, wait_ms=1)(folder=str(tmp_path))
    inputs = [*range(95), "poison", *range(95, 200)]
    found = list(fragile.square.map(inputs, return_exceptions=True))
    assert type(found.pop(95)) is ContainerCrashedError
    assert found == [x * x for x in range(200)]


def test_to_terminate_the_containers_of_one_call_runs_the_others_again(patient, notes, home):
    calls = held(patient, notes, 1, 2, 3)
    (before,) = pool_of(home, patient).containers
    calls.pop(2).cancel(terminate_containers=True)
    until(lambda: notes.begun(1) == 2)
    notes.open()
    assert {name: call.get() for name, call in calls.items()} == {"gate": "gate", 1: 1, 3: 9}
    assert before.id not in home.ids()


def test_a_signal_from_outside_is_nobodys_fault(patient, notes, home):
    """SIGTERM to a container asks it to end: it ends after the batch, and nothing runs twice."""
    calls = held(patient, notes, 1, 2, 3)
    (container,) = pool_of(home, patient).containers
    os.kill(container.pid, signal.SIGTERM)
    notes.open()
    assert {name: call.get() for name, call in calls.items()} == {"gate": "gate", 1: 1, 2: 4, 3: 9}


def test_the_end_of_the_app_is_told_to_a_batch_that_runs_and_to_one_that_waits(home, tmp_path, notes):
    own = modal.App("ends")

    @own.cls(max_containers=1)
    class Mine(Squares):
        pass

    with ThreadPoolExecutor() as threads:
        with own.run():
            mine = Mine(folder=str(tmp_path))
            calls = [threads.submit(mine.square.remote, x) for x in ("gate", 1, 2, 3)]
            until(lambda: notes.sizes() == [MOST])
            calls += [threads.submit(mine.square.remote, x) for x in (4, 5)]
            until(lambda: pool_of(home, mine).queued == 2)
        for call in calls:
            with pytest.raises(AppStoppedError, match=r"the app ended before Mine\.square was through"):
                call.result(60)
    assert not home.ids("Mine")
