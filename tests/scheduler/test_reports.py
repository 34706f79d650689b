"""What people can ask, and how often they are told."""

from __future__ import annotations

from math import inf

import pytest

from modal_nb.scheduler import effects as fx
from modal_nb.scheduler.containers import Container, IllegalMove
from modal_nb.scheduler.deadlines import Deadlines
from modal_nb.scheduler.reports import PoolStats
from modal_nb.spec.lifecycle import MOVES, ContainerState
from tests.scheduler.machine import Habits, Work
from tests.scheduler.play import Play


def test_the_four_numbers():
    play = Play()
    pool = play.pool(max=1, slots=2)
    play.calls(pool, 3, 5)
    assert play.scheduler.pool_stats(pool) == PoolStats(3, 1, 0, 0)
    play.run(1)
    assert play.scheduler.pool_stats(pool) == PoolStats(1, 1, 2, 0)
    play.run(5)
    assert play.scheduler.pool_stats(pool) == PoolStats(0, 1, 1, 1)


def test_a_pool_that_is_gone_has_nothing():
    play = Play()
    assert play.scheduler.pool_stats(99) == PoolStats(0, 0, 0, 0)
    assert (play.scheduler.containers(99), play.why(99)) == ([], "this pool is gone")


def test_the_containers_of_a_pool():
    play = Play()
    pool = play.pool()
    call = play.call(pool, 5)
    play.run(1)
    (view,) = play.scheduler.containers(pool)
    assert (view.state, view.running, view.served) == (ContainerState.BUSY, (call,), 0)
    play.run(5)
    assert play.scheduler.containers(pool)[0].served == 1


def test_why_something_waits():
    play = Play()
    pool = play.pool()
    assert play.why(pool) == "nothing is queued"
    play.calls(pool, 2, 5)
    assert play.why(pool) == "2 queued, waiting for 2 containers to start"


def test_a_batch_is_one_slot_and_all_its_inputs():
    play = Play()
    pool = play.pool(min=1, max=1, slots=4, batch=8, wait_ms=0)
    play.run(1)
    play.calls(pool, 3, 5)
    play.chunk(pool, [Work(5.0)] * 5)
    play.run(0.1)
    (view,) = play.scheduler.containers(pool)
    # nothing is waited for: three of one input, one of five
    assert (view.taken, view.inputs, view.served) == (4, 8, 0)
    stats = play.scheduler.pool_stats(pool)
    assert (stats.num_running_inputs, stats.batched, stats.batches) == (8, 8, view.taken)


def test_starts_that_failed_hold_the_next_one_back_until_a_moment_that_is_told():
    play = Play()
    play.habits = lambda _pool: Habits(start="fails")
    pool = play.pool(min=1)
    assert (play.scheduler.pool_stats(pool).back_off, play.scheduler.pool_stats(pool).held_until) == (0, -inf)
    play.run(1)
    stats = play.scheduler.pool_stats(pool)
    assert (stats.back_off, play.now < stats.held_until <= play.now + 1) == (1, True)
    tried = len(play.effects(fx.LaunchContainer))
    play.run(stats.held_until - play.now - 0.001)
    assert len(play.effects(fx.LaunchContainer)) == tried
    play.run(0.002)
    assert len(play.effects(fx.LaunchContainer)) == tried + 1


def test_where_nothing_is_wanted_or_an_input_may_try_at_once_nothing_is_held_back():
    play = Play()
    play.habits = lambda _pool: Habits(start="fails")
    pool = play.pool(min=1)
    play.run(1)
    play.update(pool)
    assert play.scheduler.pool_stats(pool).held_until == -inf
    play.update(pool, min=1)
    assert play.scheduler.pool_stats(pool).held_until > play.now
    play.call(pool)
    assert play.scheduler.pool_stats(pool).held_until == -inf


def test_every_change_is_reported_but_not_more_often_than_people_can_read():
    play = Play()
    pool = play.pool(max=1)
    for _ in range(100):
        play.call(pool, 0.001)
        play.run(0.01)
    reports = len(play.effects(fx.PublishReport))
    assert 8 <= reports <= 14
    play.run(1)
    count = len(play.effects(fx.PublishReport))
    play.run(20)
    assert len(play.effects(fx.PublishReport)) == count


@pytest.mark.parametrize("before", ContainerState)
@pytest.mark.parametrize("after", ContainerState)
def test_only_moves_of_the_table_are_made(before, after):
    container = Container(1, None, 0.0, 0)  # type: ignore[arg-type]
    container.state = before
    if (before, after) in MOVES:
        container.move(after, 2.0)
        assert (container.state, container.since) == (after, 2.0)
    else:
        with pytest.raises(IllegalMove, match=f"container 1: {before} to {after}"):
            container.move(after, 2.0)


class Subject:
    armed = float("inf")


def test_a_subject_is_due_at_the_earliest_moment_it_was_armed_for_and_only_once():
    deadlines, subject = Deadlines(), Subject()
    deadlines.arm(subject, 5.0)
    deadlines.arm(subject, 3.0)
    deadlines.arm(subject, 9.0)
    assert deadlines.wake_at() == 3.0
    assert (deadlines.pop_due(2.9), deadlines.pop_due(3.0), deadlines.pop_due(100.0)) == ([], [subject], [])
    assert deadlines.wake_at() is None


def test_a_subject_that_is_gone_is_never_due():
    deadlines, subject = Deadlines(), Subject()
    deadlines.arm(subject, 5.0)
    deadlines.disarm(subject)
    assert (deadlines.wake_at(), deadlines.pop_due(10.0)) == (None, [])


def test_many_inputs_with_a_timeout_leave_no_heap_of_moments():
    play = Play()
    pool = play.pool(max=1, timeout=300)
    for _ in range(500):
        play.call(pool, 0.001)
        play.run(0.01)
    assert len(play.scheduler._ledger.deadlines._heap) < 10
