"""Containers that do not come up."""

from __future__ import annotations

import pytest

from modal_nb.scheduler import effects as fx
from tests.scheduler.machine import CRASH, Habits
from tests.scheduler.play import Play


def launches(play: Play) -> int:
    return len(play.effects(fx.LaunchContainer))


@pytest.mark.parametrize("start", ["fails", "fails unlaunched", "exits"])
def test_waiting_inputs_fail_when_the_start_budget_is_spent(start):
    play = Play()
    play.habits = lambda _pool: Habits(start=start)
    call = play.call(play.pool())
    play.run(10)
    assert (play.outcome(call), play.failure(call).times, launches(play)) == ("start_failed", 3, 3)


def test_a_container_not_ready_in_time_is_killed():
    play = Play()
    play.habits = lambda _pool: Habits(start="hangs")
    call = play.call(play.pool(startup_timeout=5, start_budget=2))
    play.run(7)
    assert (play.outcome(call), len(play.effects(fx.KillContainer))) == ("", 1)
    play.run(7)
    assert (play.outcome(call), play.failure(call).seconds) == ("startup_timeout", 5)


def test_the_next_input_tries_again():
    play = Play()
    play.habits = lambda _pool: Habits(start="fails")
    pool = play.pool()
    play.call(pool)
    play.run(10)
    play.habits = lambda _pool: Habits()
    assert play.run(0).outcome(play.call(pool)) == ""
    assert play.run(10).alive(pool) == 1
    assert play.effects(fx.ReplyInput)


def test_a_good_start_forgives_the_failed_ones():
    play = Play()
    starts = iter(["fails", "fails", "ok", "fails", "fails", "ok"])
    play.habits = lambda _pool: Habits(start=next(starts))
    pool = play.pool(single_use=True, max=1)
    calls = play.calls(pool, 2)
    assert play.run(30).outcomes(calls) == {"reply"}


def test_containers_that_were_on_their_way_are_not_held_against_a_later_input():
    play = Play()
    ends = iter([0.1, 0.1, 0.1, 3.0, 3.0])
    play.habits = lambda _pool: Habits(start="fails", enter=next(ends, 0.1))
    pool = play.pool(start_budget=3)
    early = play.calls(pool, 5)
    play.run(1)
    assert play.outcomes(early) == {"start_failed"}
    play.habits = lambda _pool: Habits(enter=5)
    late = play.call(pool)
    play.run(20)
    assert play.outcome(late) == "reply"


def test_a_minimum_that_cannot_start_backs_off_and_says_so():
    play = Play()
    play.habits = lambda _pool: Habits(start="fails")
    pool = play.pool(min=1)
    play.run(1.5)
    assert play.why(pool) == "starts failed: next try 1 s after the last, or when an input needs it"
    play.run(600)
    assert launches(play) < 60
    many = launches(play)
    play.run(600)
    assert launches(play) - many <= 33


def test_a_pool_that_backs_off_recovers_by_itself():
    play = Play()
    play.habits = lambda _pool: Habits(start="fails")
    pool = play.pool(min=1)
    play.run(20)
    play.habits = lambda _pool: Habits()
    play.run(60)
    assert play.states(pool) == ["idle"]


def test_a_container_that_dies_again_and_again_before_any_input_does_not_start_in_a_hot_loop():
    play = Play()
    play.habits = lambda _pool: Habits(lives=0.5)
    play.pool(min=1)
    play.run(600)
    assert launches(play) < 30


def test_failed_starts_beside_a_working_container_fail_no_input():
    play = Play()
    starts = iter(["ok"])
    play.habits = lambda _pool: Habits(start=next(starts, "fails"))
    pool = play.pool(min=1)
    play.run(1)
    calls = play.calls(pool, 4, 2)
    play.run(60)
    assert play.outcomes(calls) == {"reply"}


def test_a_crash_at_work_is_no_failed_start():
    play = Play()
    pool = play.pool(start_budget=1)
    call = play.call(pool, 5)
    play.run(1)
    play.busy(pool)[0].die(CRASH)
    assert play.run(20).outcome(call) == "reply"
