"""Why an input has no outcome, as facts."""

from __future__ import annotations

import pytest

from modal_nb.scheduler import events as ev
from modal_nb.scheduler.waits import Short
from modal_nb.spec.resources import MachineLimit
from modal_nb.spec.retries import RetryPolicy
from tests.scheduler.machine import Habits
from tests.scheduler.play import Play


def wait(play: Play, input: int):
    return play.scheduler.waits([input])[input]


def test_behind_others_at_the_maximum():
    play = Play()
    pool = play.pool(max=2)
    calls = play.calls(pool, 6, 5.0)
    play.run(1)
    told = play.scheduler.waits(calls)
    assert [told[call].state for call in calls] == ["running"] * 2 + ["queued"] * 4
    assert [told[call].ahead for call in calls[2:]] == [0, 1, 2, 3]
    place = told[calls[5]].pool
    assert (place.busy, place.max_containers, place.at_maximum, place.starting) == (2, 2, True, ())
    assert told[calls[0]].container == play.busy(pool)[0].number


def test_a_container_starts():
    play = Play()
    pool = play.pool()
    call = play.call(pool)
    assert wait(play, call).pool.starting == (play.containers_of(pool)[0].number,)


@pytest.mark.parametrize(
    ("limit", "asked", "short"),
    [
        (MachineLimit(8, 5.0, 8000), {"cpu": 4.0}, Short("cpu", 4.0, 1.0, 5.0)),
        (MachineLimit(8, 8.0, 4000), {"memory": 3000}, Short("memory", 3000, 1000, 4000)),
        (MachineLimit(1, 8.0, 8000), {}, Short("containers", 1, 0, 1)),
    ],
)
def test_the_machine_has_too_little(limit, asked, short):
    play = Play(limit)
    pool = play.pool(**asked)
    calls = play.calls(pool, 2, 5.0)
    play.run(1)
    assert wait(play, calls[1]).pool.short == short


def test_its_next_attempt_is_not_due():
    play = Play()
    pool = play.pool(retries=RetryPolicy(2, 1.0, 20.0, 20.0))
    call = play.call(pool, 0.1, "error")
    play.run(2)
    found = wait(play, call)
    assert (found.state, found.failures) == ("retrying", 1)
    assert 20 < found.due < 22


def test_its_batch_is_not_full():
    play = Play()
    pool = play.pool(min=1, batch=4, wait_ms=5000)
    play.run(2)
    found = wait(play, play.call(pool))
    assert (found.state, found.due) == ("gathering", 7.0)


def test_a_pinned_one_waits_for_what_its_container_runs():
    play = Play()
    pool = play.pool()
    call = play.call(pool, 5.0)
    play.run(1)
    container = play.busy(pool)[0].number
    looks = [play.pin(container), play.pin(container)]
    found = [wait(play, look) for look in looks]
    assert {(one.state, one.container, one.behind) for one in found} == {("pinned", container, (call,))}
    assert [one.ahead for one in found] == [0, 1]


def test_starts_are_held_back():
    play = Play()
    pool = play.pool(min=1, start_budget=1)
    play.run(2)
    play.call(pool, 50.0)
    play.habits = lambda _pool: Habits(start="fails")
    call = play.call(pool)
    play.run(1)
    assert play.now < wait(play, call).pool.held_until < 10


def test_who_has_an_outcome_is_told_of_nothing():
    play = Play()
    call = play.call(play.pool(), 0.1)
    play.feed(ev.InputCancelled(call))
    assert play.scheduler.waits([call, 10**6]) == {}
