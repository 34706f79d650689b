"""How many containers a pool has, and when it has them."""

from __future__ import annotations

import pytest

from modal_nb.scheduler import effects as fx
from modal_nb.scheduler.autoscaler import Demand, desired_containers
from modal_nb.spec.resources import MachineLimit
from modal_nb.spec.scaling import Autoscaler
from tests.scheduler.machine import CRASH, Work
from tests.scheduler.play import Play


@pytest.mark.parametrize(
    ("settings", "target", "load", "active", "number"),
    [
        (Autoscaler(), 1, 0, False, 0),
        (Autoscaler(), 1, 5, True, 5),
        (Autoscaler(), 4, 5, True, 2),
        (Autoscaler(3), 1, 1, True, 3),
        (Autoscaler(0, 2), 1, 5, True, 2),
        (Autoscaler(0, None, 2), 1, 5, True, 7),
        (Autoscaler(0, None, 2), 1, 0, False, 0),
        (Autoscaler(0, 6, 2), 1, 5, True, 6),
        (Autoscaler(4, None, 2), 1, 1, True, 4),
    ],
)
def test_the_desired_number(settings, target, load, active, number):
    assert desired_containers(Demand(settings, target, load, active)) == number


def test_a_pool_without_minimum_starts_nothing_until_an_input_comes():
    play = Play()
    pool = play.pool()
    assert play.run(100).alive(pool) == 0


def test_the_minimum_is_kept_from_the_opening_on():
    play = Play()
    pool = play.pool(min=2)
    assert play.run(1000).states(pool) == ["idle", "idle"]


def test_a_dead_container_of_the_minimum_is_replaced():
    play = Play()
    pool = play.pool(min=1)
    play.run(1)
    play.call(pool, end="ok")
    play.run(5)
    play.containers_of(pool)[0].die(CRASH)
    play.run(1)
    assert play.states(pool) == ["idle"]


def test_starting_containers_count_as_capacity():
    play = Play()
    pool = play.pool()
    play.call(pool)
    play.run(0.05)
    play.call(pool)
    assert play.alive(pool) == 2


def test_concurrent_inputs_need_fewer_containers():
    play = Play()
    pool = play.pool(slots=4, target=2)
    play.calls(pool, 4)
    assert play.alive(pool) == 2


def test_a_chunk_counts_all_its_inputs_until_they_are_known_to_be_short():
    play = Play()
    pool = play.pool()
    play.chunk(pool, [Work(0.0001)] * 4)
    assert play.alive(pool) == 4
    play.run(100)
    assert play.alive(pool) == 0
    play.chunk(pool, [Work(0.0001)] * 4)
    assert play.alive(pool) == 1


def test_the_maximum_is_never_passed():
    play = Play()
    pool = play.pool(max=2)
    play.calls(pool, 10)
    most = 0
    while play.step(100):
        most = max(most, play.alive(pool))
    assert most == 2


def test_a_container_that_still_ends_counts_for_the_maximum():
    play = Play()
    pool = play.pool(max=1, single_use=True)
    play.calls(pool, 2)
    most = 0
    while play.step(100):
        most = max(most, play.alive(pool))
    assert most == 1


def test_buffer_containers_are_idle_ones_while_the_pool_is_active():
    play = Play()
    pool = play.pool(buffer=2, window=10)
    play.call(pool, 30)
    play.run(20)
    assert play.states(pool) == ["busy", "idle", "idle"]
    play.run(15)
    assert play.states(pool) == ["idle"] * 3
    assert play.run(20).alive(pool) == 0


def test_idle_containers_stop_after_the_window():
    play = Play()
    pool = play.pool(window=10)
    play.call(pool, 1)
    assert play.run(11.2).alive(pool) == 1
    assert play.run(0.5).alive(pool) == 0
    assert play.containers_of(pool)[0].exits == 1


def test_the_longest_idle_one_stops_first():
    play = Play()
    pool = play.pool(min=1, window=10)
    play.run(5)
    play.calls(pool, 2, 3)
    play.run(4)
    play.call(pool, 1)
    play.run(12)
    stopped = play.effects(fx.StopContainer)[0].container
    last_used = play.effects(fx.SendInput)[-1].container
    assert stopped != last_used


def test_a_steady_caller_keeps_one_container_and_no_thrash():
    play = Play()
    pool = play.pool(window=5, buffer=1)
    for _ in range(50):
        play.call(pool, 0.5)
        play.run(1)
    assert len(play.effects(fx.LaunchContainer)) == 2


def test_a_lower_maximum_drains_the_idle_at_once_and_the_busy_when_they_have_finished():
    play = Play()
    pool = play.pool(min=3)
    play.run(1)
    calls = play.calls(pool, 2, 5)
    play.update(pool, max=1)
    assert sorted(play.states(pool)) == ["busy", "draining", "draining"]
    play.run(1)
    assert sorted(play.states(pool)) == ["busy", "draining"]
    play.run(10)
    assert (play.outcomes(calls), play.states(pool)) == ({"reply"}, ["idle"])


def test_a_higher_minimum_launches_at_once():
    play = Play()
    pool = play.pool()
    play.update(pool, min=2)
    assert play.states(pool) == ["starting", "starting"]


def test_a_higher_maximum_lets_the_queue_start_more():
    play = Play()
    pool = play.pool(max=1)
    play.calls(pool, 3, 5)
    assert play.why(pool) == "3 queued, at max_containers=1: raise it to start more"
    play.update(pool, max=3)
    assert play.alive(pool) == 3


def test_a_lower_minimum_lets_idle_ones_grow_old():
    play = Play()
    pool = play.pool(min=2, window=10)
    play.run(100)
    play.update(pool, min=0, window=10)
    assert play.run(1).alive(pool) == 0


def test_a_single_use_container_ends_after_its_first_input():
    play = Play()
    pool = play.pool(single_use=True)
    first = play.call(pool, 1)
    play.run(1.5)
    assert (play.outcome(first), play.alive(pool)) == ("reply", 0)


def test_a_chunk_to_a_single_use_pool_travels_apart():
    play = Play()
    pool = play.pool(single_use=True)
    chunk = play.chunk(pool, [Work(1), Work(1), Work(1)])
    parts = [chunk, *(split.rest for split in play.effects(fx.SplitInput))]
    play.run(5)
    assert (len(parts), play.outcomes(parts)) == (3, {"reply"})


def test_an_unlimited_pool_is_bounded_by_the_machine():
    play = Play(MachineLimit(3, 8.0, 8000))
    pool = play.pool()
    play.calls(pool, 10, 5)
    assert (play.alive(pool), play.why(pool)) == (
        3,
        "10 queued, waiting for the machine-wide limit of 3 containers",
    )
