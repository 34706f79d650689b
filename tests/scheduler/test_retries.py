"""Retries: what is tried again, how often, and when."""

from __future__ import annotations

import pytest

from modal_nb.scheduler import effects as fx
from modal_nb.scheduler import events as ev
from modal_nb.scheduler.retry import delay
from modal_nb.spec.retries import RetryPolicy
from tests.scheduler.machine import Work
from tests.scheduler.play import CLIENT, Play

TWICE = RetryPolicy(2, 2.0, 1.0, 60.0)
AT_ONCE = RetryPolicy(2, 1.0, 0.0, 60.0)


def sent(play: Play, input: int) -> list[float]:
    """When it was sent."""
    return [
        round(now, 3)
        for now, _, effects in play.log
        for effect in effects
        if isinstance(effect, fx.SendInput) and effect.input == input
    ]


@pytest.mark.parametrize(
    ("policy", "delays"),
    [
        (RetryPolicy(5, 2.0, 1.0, 60.0), [1.0, 2.0, 4.0, 8.0]),
        (RetryPolicy(5, 1.0, 1.0, 60.0), [1.0, 1.0, 1.0, 1.0]),
        (RetryPolicy(5, 10.0, 2.0, 30.0), [2.0, 20.0, 30.0, 30.0]),
        (RetryPolicy(5, 2.0, 0.0, 60.0), [0.0, 0.0, 0.0, 0.0]),
    ],
)
def test_the_delay_grows_by_the_coefficient_up_to_the_longest(policy, delays):
    assert [delay(policy, failures) for failures in (1, 2, 3, 4)] == delays


def test_thousands_of_failures_are_no_overflow():
    assert delay(RetryPolicy(10**9, 10.0, 60.0, 60.0), 10**9) == 60.0


def test_an_input_that_fails_is_tried_again_after_its_delays_and_then_told():
    play = Play()
    pool = play.pool(min=1, max=1, retries=TWICE)
    play.run(1)
    input = play.call(pool, 0.5, "error")
    play.run(10)
    assert sent(play, input) == [1.0, 2.5, 5.0]
    assert play.outcome(input) == "reply"
    assert play.scheduler.pool_stats(pool).retried == 2


def test_while_it_waits_others_run_and_the_pool_says_so():
    play = Play()
    pool = play.pool(min=1, max=1, retries=TWICE)
    play.run(1)
    failing = play.call(pool, 0.1, "error")
    play.run(0.2)
    assert play.scheduler.pool_stats(pool).postponed == 1
    assert play.backlog(pool) == 1
    assert play.why(pool) == "1 failed and will be tried again"
    assert play.outcome(play.call(pool, 0.1)) == ""
    play.run(0.2)
    assert play.outcomes([failing]) == {""}
    assert play.running(pool) == 0


def test_a_final_failure_is_told_at_once():
    play = Play()
    pool = play.pool(max=1, retries=TWICE)
    input = play.call(pool, 0.1, "final")
    play.run(1)
    assert play.outcome(input) == "reply"
    assert len(sent(play, input)) == 1


@pytest.mark.parametrize(("on_timeout", "times"), [(True, 3), (False, 1)])
def test_timeouts_count_where_the_policy_says_so(on_timeout, times):
    play = Play()
    pool = play.pool(max=1, retries=RetryPolicy(2, 1.0, 0.0, 1.0, on_timeout), timeout=1.0)
    input = play.call(pool, 100.0)
    play.run(20)
    assert play.outcome(input) == "timeout"
    assert len(sent(play, input)) == times


def test_a_late_input_that_ignores_its_cancel_costs_its_container_and_is_tried_again():
    play = Play()
    pool = play.pool(max=1, retries=AT_ONCE, timeout=1.0)
    input = play.call(pool, 1.0, "stuck")
    play.run(20)
    assert play.outcome(input) == "timeout"
    assert len(sent(play, input)) == len(play.containers_of(pool)) == 3


def test_a_lost_container_uses_up_no_retry():
    play = Play()
    pool = play.pool(max=1, retries=RetryPolicy(1, 1.0, 0.0, 1.0), crash_budget=1)
    input = play.call(pool, 1.0, "crash")
    play.run(20)
    assert play.outcome(input) == "crashed"
    assert play.scheduler.pool_stats(pool).retried == 0


def test_of_a_chunk_only_the_one_that_failed_is_tried_again_and_the_rest_runs_once():
    play = Play()
    pool = play.pool(max=1, retries=AT_ONCE)
    chunk = play.chunk(pool, [Work(0.001), Work(0.001, "error"), Work(0.001), Work(0.001)])
    play.run(2)
    runs: dict[int, int] = {}
    for effect in play.effects(fx.SendInput):
        message, first, _ = play.spans[effect.input]
        assert message is play.spans[chunk][0]
        runs[first] = runs.get(first, 0) + 1
    # the chunk was sent once; of what came back the failed one ran twice more, the others once
    assert runs == {0: 1, 1: 2, 2: 1, 3: 1}
    assert len(play.effects(fx.ReplyInput)) == 4


def test_one_that_waits_for_its_next_attempt_can_be_given_up():
    play = Play()
    pool = play.pool(max=1, retries=TWICE)
    input = play.call(pool, 0.1, "error")
    play.run(0.6)
    play.feed(ev.InputCancelled(input))
    play.run(10)
    assert play.outcome(input) == "dropped"
    assert len(sent(play, input)) == 1


@pytest.mark.parametrize("how", ["stop", "lose", "shut"])
def test_it_does_not_outlive_its_app(how):
    play = Play()
    pool = play.pool(max=1, retries=TWICE)
    input = play.call(pool, 0.1, "error")
    play.run(0.6)
    event = {"stop": ev.AppStopped(play.app), "lose": ev.ClientLost(CLIENT), "shut": ev.ShutdownBegan()}[how]
    play.feed(event)
    play.run(10)
    assert play.outcome(input) in {"app_stopped", "dropped"}
    assert not play.scheduler._ledger.pools


def test_a_failing_batch_fails_each_of_its_inputs_for_itself():
    play = Play()
    pool = play.pool(max=1, batch=2, wait_ms=0, retries=RetryPolicy(1, 1.0, 1.0, 1.0))
    good, bad = play.call(pool, 0.1), play.call(pool, 0.1, "error")
    play.run(10)
    assert play.outcomes([good, bad]) == {"reply"}
    assert len(sent(play, good)) == len(sent(play, bad)) == 2
