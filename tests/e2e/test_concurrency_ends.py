"""Inputs side by side that are cancelled, too slow or killed: who is hit, and what becomes of their neighbours."""

from __future__ import annotations

import asyncio
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import pytest

import modal_nb as modal
from modal_nb.exception import AppStoppedError, FunctionTimeoutError, InputCancelledError
from tests.e2e.home import kernel_of, until
from tests.e2e.wide import MOST, Hasty, Notes, Wide, app


@pytest.fixture(scope="module", autouse=True)
def running(home):
    with app.run():
        yield


@pytest.fixture
def wide(tmp_path):
    """An instance with a container of its own."""
    return Wide(folder=str(tmp_path))


@pytest.fixture
def notes(tmp_path):
    return Notes(tmp_path)


def spawned(method, notes, names):
    """All of them run, and stop at the gate."""
    calls = {name: method.spawn(name) for name in names}
    until(lambda: set(notes.of("begin")) >= set(names))
    return calls


def ended_because(home, container):
    until(lambda: container not in home.ids())
    (line,) = [line for line in home.log().splitlines() if f"container exited id={container} " in line]
    return line


# -- cancels ----------------------------------------------------------------------------------------------------------


def test_a_cancelled_coroutine_ends_and_its_neighbours_in_the_container_do_not_notice(wide, notes):
    names = [f"n{x}" for x in range(MOST)]
    container = wide.where.remote()
    calls = spawned(wide.a_hold, notes, names)
    for name in names[::2]:
        calls[name].cancel()
    until(lambda: set(notes.of("cancelled")) == set(names[::2]))
    notes.open()
    for name in names[::2]:
        with pytest.raises(InputCancelledError):
            calls[name].get()
    assert [calls[name].get() for name in names[1::2]] == [(name, container) for name in names[1::2]]
    assert sorted(notes.of("begin")) == names
    assert wide.where.remote() == container


def test_a_coroutine_whose_caller_gives_up_ends_alone_too(wide, notes):
    async def call_and_give_up():
        calls = [asyncio.ensure_future(wide.a_hold.remote.aio(f"n{x}")) for x in range(4)]
        while len(notes.of("begin")) < 4:  # noqa: ASYNC110 - containers write there
            await asyncio.sleep(0.01)
        calls[1].cancel()
        while not notes.of("cancelled"):  # noqa: ASYNC110 - the same
            await asyncio.sleep(0.01)
        notes.open()
        return await asyncio.gather(*calls, return_exceptions=True)

    found = asyncio.run(call_and_give_up())
    assert isinstance(found[1], asyncio.CancelledError)
    assert [name for name, _ in found[::2]] == ["n0", "n2"]
    assert notes.of("cancelled") == ["n1"]


def test_a_cancelled_thread_costs_the_container_and_its_neighbours_run_again(wide, notes, home):
    """Nothing can end a thread. None of the neighbours is blamed, and each has its answer."""
    names = [f"n{x}" for x in range(MOST - 1)]
    container = wide.where.remote()
    calls = spawned(wide.hold, notes, names)
    awaited = spawned(wide.a_hold, notes, ["coroutine"])["coroutine"]
    calls["n3"].cancel()
    with pytest.raises(InputCancelledError):
        calls["n3"].get()
    assert "an input did not end when it was cancelled" in ended_because(home, container)
    again = [name for name in names if name != "n3"]
    until(lambda: Counter(notes.of("begin")) == {**dict.fromkeys([*again, "coroutine"], 2), "n3": 1})
    notes.open()
    found = [calls[name].get() for name in again]
    assert [name for name, _ in found] == again
    (after,) = {where for _, where in [*found, awaited.get()]}
    assert after != container
    assert sorted(notes.of("end")) == sorted([*again, "coroutine"])


def test_a_thread_that_ends_in_time_when_it_is_cancelled_costs_nothing(wide, notes):
    container = wide.where.remote()
    calls = spawned(wide.hold, notes, ["given-up", "neighbour"])
    notes.open()
    calls["given-up"].cancel()
    assert calls["neighbour"].get() == ("neighbour", container)
    until(lambda: len(notes.of("end")) == 2)
    assert wide.where.remote() == container


def test_neighbours_of_a_cancelled_thread_may_be_lost_time_and_again(wide, notes):
    """More often than a container may die of one input: who cancels is the reason, not they."""
    neighbour = spawned(wide.hold, notes, ["neighbour"])["neighbour"]
    for time in range(5):
        until(lambda time=time: notes.of("begin").count("neighbour") == time + 1)
        spawned(wide.hold, notes, [f"given-up-{time}"]).popitem()[1].cancel()
    until(lambda: notes.of("begin").count("neighbour") == 6)
    notes.open()
    assert neighbour.get()[0] == "neighbour"


def test_a_map_that_is_left_early_cancels_its_coroutines_and_keeps_the_container(wide, notes, home):
    container = wide.where.remote()
    neighbour = spawned(wide.a_hold, notes, ["neighbour"])["neighbour"]
    (notes.folder / "first").touch()
    for first in wide.a_hold.map([f"m{x}" for x in range(300)], ["first", *["gate"] * 299]):
        assert first == ("m0", container)
        break
    until(lambda: home.pools("Wide")[-1].running == 1)
    notes.open()
    assert neighbour.get() == ("neighbour", container)
    assert {*notes.of("cancelled")}.isdisjoint({"m0", "neighbour"})
    assert notes.of("end").count("m0") == 1


def test_to_terminate_the_containers_of_one_call_runs_its_neighbours_again(wide, notes, home):
    container = wide.where.remote()
    calls = spawned(wide.a_hold, notes, ["given-up", "neighbour"])
    calls["given-up"].cancel(terminate_containers=True)
    ended_because(home, container)
    until(lambda: notes.of("begin").count("neighbour") == 2)
    notes.open()
    assert calls["neighbour"].get()[1] != container
    with pytest.raises(InputCancelledError):
        calls["given-up"].get()


# -- time limits ------------------------------------------------------------------------------------------------------


def test_a_coroutine_that_takes_too_long_ends_alone(tmp_path, notes):
    hasty = Hasty(folder=str(tmp_path))
    container = hasty.where.remote()
    slow = spawned(hasty.a_hold, notes, ["slow"])["slow"]
    with pytest.raises(FunctionTimeoutError):
        slow.get()
    until(lambda: notes.of("cancelled") == ["slow"])
    assert list(hasty.quick.map(range(100))) == list(range(100))
    assert hasty.where.remote() == container


def test_a_thread_that_takes_too_long_costs_the_container_and_its_neighbours_run_again(tmp_path, notes, home):
    hasty = Hasty(folder=str(tmp_path))
    container = hasty.where.remote()
    slow = hasty.hold.spawn("slow", "never")
    with pytest.raises(FunctionTimeoutError):
        slow.get()
    # there is a second left until the container is killed
    later = hasty.a_hold.spawn("later")
    assert "an input did not end when it was cancelled" in ended_because(home, container)
    notes.open()
    assert later.get()[0] == "later"
    assert hasty.where.remote() != container


# -- deaths -----------------------------------------------------------------------------------------------------------


def test_what_ran_in_a_killed_container_runs_again(wide, notes, home):
    names = [f"n{x}" for x in range(MOST)]
    calls = {name: (wide.hold if x % 2 else wide.a_hold).spawn(name) for x, name in enumerate(names)}
    until(lambda: set(notes.of("begin")) == set(names))
    (container,) = [c for c in home.pools("Wide")[-1].containers if c.state == "busy"]
    kernel_of(container).kill()
    until(lambda: Counter(notes.of("begin")) == dict.fromkeys(names, 2))
    notes.open()
    found = [calls[name].get() for name in names]
    assert [name for name, _ in found] == names
    assert container.id not in {where for _, where in found}


def test_a_new_supervisor_gets_all_that_ran(wide, notes, home):
    names = [f"n{x}" for x in range(MOST)]
    with ThreadPoolExecutor(MOST) as threads:
        methods = [wide.hold if x % 2 else wide.a_hold for x in range(MOST)]
        calls = [threads.submit(method.remote, name) for method, name in zip(methods, names, strict=True)]
        until(lambda: set(notes.of("begin")) == set(names))
        home.supervisor().kill()
        until(lambda: Counter(notes.of("begin")) == dict.fromkeys(names, 2))
        notes.open()
        assert [call.result(60)[0] for call in calls] == names


def test_the_end_of_the_app_ends_what_runs_side_by_side(home, tmp_path, notes):
    own = modal.App("ends")

    @own.cls(max_containers=1)
    @modal.concurrent(max_inputs=4)
    class Mine(Wide.__wrapped__):
        pass

    with ThreadPoolExecutor() as threads:
        with own.run():
            mine = Mine(folder=str(tmp_path))
            calls = [
                threads.submit(method.remote, x) for x, method in enumerate((mine.a_hold, mine.hold) * 2)
            ]
            until(lambda: len(notes.of("begin")) == 4)
        for call in calls:
            with pytest.raises(AppStoppedError, match=r"the app ended before Mine\.(a_)?hold was through"):
                call.result(60)
    assert not home.ids("Mine")
