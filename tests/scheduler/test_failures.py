"""Crashes, timeouts, cancels and stops: what they cost, and whom."""

from __future__ import annotations

from modal_nb.scheduler import effects as fx
from modal_nb.scheduler import events as ev
from modal_nb.spec.lifecycle import CauseKind, ExitCause
from tests.scheduler.machine import CRASH, Habits, Work
from tests.scheduler.play import Play


def test_an_input_whose_container_dies_runs_again_elsewhere():
    play = Play()
    pool = play.pool()
    call = play.call(pool, 5)
    play.run(1)
    play.busy(pool)[0].die(CRASH)
    play.run(10)
    assert play.outcome(call) == "reply"
    assert [effect.attempt for effect in play.effects(fx.SendInput)] == [1, 2]


def test_an_input_that_kills_every_container_is_given_up_with_the_cause():
    play = Play()
    pool = play.pool(crash_budget=2)
    poison, good = play.call(pool, end="crash"), play.call(pool)
    play.run(60)
    assert (play.outcome(poison), play.outcome(good)) == ("crashed", "reply")
    failure = play.failure(poison)
    assert (failure.times, failure.cause) == (3, CRASH)


def test_a_lost_input_runs_before_those_that_wait():
    play = Play()
    pool = play.pool(max=1)
    first, second = play.calls(pool, 2, 5)
    play.run(1)
    play.busy(pool)[0].die(CRASH)
    play.run(30)
    assert [effect.input for effect in play.effects(fx.SendInput)] == [first, first, second]


def test_a_chunk_whose_container_died_is_taken_apart_without_blame():
    play = Play()
    pool = play.pool(max=1, crash_budget=0)
    chunk = play.chunk(pool, [Work(0.001), Work(0.001, "crash"), Work(0.001)])
    play.run(30)
    parts = [chunk, *(split.rest for split in play.effects(fx.SplitInput))]
    assert [play.outcome(part) for part in parts] == ["reply", "crashed", "reply"]


def test_what_was_fetched_ahead_bears_no_blame():
    play = Play()
    pool = play.pool(max=1, crash_budget=0)
    play.calls(pool, 3, 0.001)
    play.run(1)
    poison, behind = play.call(pool, 0.01, "crash"), play.call(pool, 0.001)
    play.run(30)
    assert (play.outcome(poison), play.outcome(behind)) == ("crashed", "reply")


def test_an_input_over_its_timeout_is_cancelled_and_fails():
    play = Play()
    pool = play.pool(timeout=2)
    call = play.call(pool, 60)
    play.run(5)
    assert (play.outcome(call), play.failure(call).seconds) == ("timeout", 2)
    assert (play.states(pool), play.effects(fx.KillContainer)) == (["idle"], [])


def test_one_that_ignores_its_cancel_costs_the_container_but_not_its_neighbours():
    play = Play()
    pool = play.pool(max=1, slots=2, timeout=2, crash_budget=0)
    stuck = play.call(pool, end="stuck")
    play.run(1.8)
    neighbour = play.call(pool, 1.9)
    play.run(0.6)
    assert play.outcome(stuck) == "timeout"
    play.run(1)
    assert len(play.effects(fx.KillContainer)) == 1
    play.run(5)
    assert play.outcome(neighbour) == "reply"


def test_time_in_the_queue_does_not_count():
    play = Play()
    pool = play.pool(max=1, timeout=2)
    calls = play.calls(pool, 5, 1.5)
    assert play.run(20).outcomes(calls) == {"reply"}


def test_a_chunk_over_its_timeout_runs_again_one_by_one():
    play = Play()
    pool = play.pool(max=1, timeout=0.02)
    chunk = play.chunk(pool, [Work(0.001), Work(end="stuck")])
    play.run(30)
    parts = [chunk, *(split.rest for split in play.effects(fx.SplitInput))]
    assert [play.outcome(part) for part in parts] == ["reply", "timeout"]


def test_a_queued_input_that_is_cancelled_is_dropped():
    play = Play()
    pool = play.pool(max=1)
    first, second, third = play.calls(pool, 3, 2)
    play.run(1)
    play.feed(ev.InputCancelled(second))
    assert play.outcome(second) == "dropped"
    assert play.run(10).outcomes([first, third]) == {"reply"}
    assert second not in [effect.input for effect in play.effects(fx.SendInput)]


def test_a_running_input_that_is_cancelled_fails_once_and_its_container_lives_on():
    play = Play()
    pool = play.pool()
    call = play.call(pool, 60)
    play.run(1)
    play.feed(ev.InputCancelled(call))
    play.feed(ev.InputCancelled(call))
    play.run(5)
    assert (play.outcome(call), play.states(pool)) == ("cancelled", ["idle"])


def test_a_cancel_that_is_ignored_costs_the_container():
    play = Play()
    pool = play.pool()
    call = play.call(pool, end="stuck")
    play.run(1)
    play.feed(ev.InputCancelled(call))
    play.run(0.9)
    assert play.alive(pool) == 1
    assert play.run(0.2).alive(pool) == 0


def test_whoever_ran_beside_an_ignored_cancel_is_not_blamed_for_a_call_that_never_began():
    play = Play()
    pool, called = play.pool(slots=2, max=1, crash_budget=0), play.pool()
    play.habits = lambda number: Habits(launch=5.0 if number == called else 0.1)
    stuck = play.call(pool, end="stuck")
    caller = play.nested(pool, (called, [Work(1.0)]))
    play.run(1)
    play.feed(ev.InputCancelled(stuck))
    play.run(20)
    assert [kill.container for kill in play.effects(fx.KillContainer)] == [play.containers_of(pool)[0].number]
    assert (play.outcome(caller), len(play.containers_of(pool))) == ("reply", 2)


def test_a_result_that_comes_after_the_cancel_is_not_passed_on():
    play = Play()
    pool = play.pool()
    call = play.call(pool, 5)
    play.run(1)
    container = play.busy(pool)[0].number
    play.feed(ev.InputCancelled(call))
    assert play.feed(ev.InputFinished(container, call, 1, ev.Outcome.OK, 1.0)) == []
    assert play.outcome(call) == "cancelled"


def test_a_client_that_is_lost_takes_its_app_along_and_leaves_others_alone():
    play = Play()
    other = play.open_app(owner=2_000_000)
    mine, theirs = play.pool(min=1), play.pool(app=other)
    own, foreign = play.call(mine, 60), play.call(theirs, 60)
    kept = play.call(theirs, 5, client=2_000_000)
    play.run(1)
    play.feed(ev.ClientLost(1_000_000))
    assert (play.outcome(own), play.outcome(foreign), play.outcome(kept)) == ("dropped", "dropped", "")
    play.run(20)
    assert play.outcome(kept) == "reply"
    assert [effect.pool for effect in play.effects(fx.ForgetPool)] == [mine]
    assert [effect.app for effect in play.effects(fx.ForgetApp)] == [play.app]
    assert all(container.exits == 0 for container in play.containers_of(mine))


def test_a_container_asked_to_stop_finishes_first_and_the_minimum_is_restored():
    play = Play()
    pool = play.pool(min=1)
    play.run(1)
    call = play.call(pool, 5)
    asked = play.busy(pool)[0]
    play.feed(ev.ContainerStopAsked(asked.number))
    assert sorted(play.states(pool)) == ["draining", "starting"]
    play.run(10)
    assert (play.outcome(call), asked.exits, play.states(pool)) == ("reply", 1, ["idle"])


def test_a_container_killed_on_request_puts_no_blame_on_its_input():
    play = Play()
    pool = play.pool(crash_budget=0)
    call = play.call(pool, 2)
    play.run(1)
    play.feed(ev.ContainerStopAsked(play.busy(pool)[0].number, kill=True))
    assert play.run(10).outcome(call) == "reply"


def test_a_stop_that_is_ignored_is_followed_by_a_kill():
    play = Play(stop_grace=30.0)
    play.habits = lambda _pool: Habits(ignores_stop=True)
    pool = play.pool(window=2)
    play.call(pool, 1)
    play.run(30)
    assert play.states(pool) == ["draining"]
    assert play.run(5).alive(pool) == 0


def test_the_end_of_a_container_that_nobody_asked_for_is_no_fault_of_a_neighbour_pool():
    play = Play()
    one, two = play.pool(min=1), play.pool(min=1)
    play.run(1)
    play.containers_of(one)[0].die(ExitCause(CauseKind.OUT_OF_MEMORY))
    play.run(5)
    assert (play.states(one), play.states(two)) == (["idle"], ["idle"])
