"""Inputs for one very container: alone, in order, never elsewhere; and pools whose container is aside."""

from __future__ import annotations

from modal_nb.scheduler import effects as fx
from modal_nb.scheduler import events as ev
from modal_nb.spec.lifecycle import CauseKind
from modal_nb.spec.resources import MachineLimit
from modal_nb.spec.retries import RetryPolicy
from modal_nb.spec.scaling import Autoscaler
from tests.scheduler.machine import CRASH, Work
from tests.scheduler.play import Play


def warm(play: Play, pool: int) -> int:
    """The number of a container that is idle."""
    play.call(pool, 0.1)
    play.run(1)
    return play.containers_of(pool)[-1].number


def sends(play: Play, *inputs: int) -> list[int]:
    return [effect.input for effect in play.effects(fx.SendInput) if effect.input in inputs]


def test_it_runs_in_its_container_and_the_others_wait():
    play = Play()
    pool = play.pool(max=1)
    container = warm(play, pool)
    look = play.pin(container, 2.0)
    call = play.call(pool)
    play.run(1)
    assert play.busy(pool)[0].number == container
    assert (play.running(pool), play.backlog(pool)) == (1, 1)
    play.run(3)
    assert (play.outcome(look), play.outcome(call)) == ("reply", "reply")
    assert sends(play, look, call) == [look, call]


def test_it_waits_until_the_container_runs_nothing_and_is_served_before_the_queue():
    play = Play()
    pool = play.pool(max=1, slots=2)
    first = play.calls(pool, 3, 1.0)
    play.run(0.5)
    looks = [play.pin(play.busy(pool)[0].number, 0.5) for _ in range(2)]
    play.run(0.1)
    assert sends(play, *looks) == []
    play.run(10)
    assert play.outcomes(first + looks) == {"reply"}
    assert sends(play, *first, *looks) == [*first[:2], *looks, first[2]]


def test_what_was_fetched_ahead_is_called_back():
    play = Play()
    pool = play.pool(max=1)
    warm(play, pool)
    for _ in range(20):
        play.call(pool, 0.001)
    play.run(0.5)
    running, ahead = play.call(pool, 0.04), play.call(pool, 0.001)
    play.run(0.001)
    look = play.pin(play.busy(pool)[0].number, 0.1)
    assert [effect.input for effect in play.effects(fx.RecallInput)][-1] == ahead
    play.run(2)
    assert sends(play, running, ahead, look) == [running, ahead, look, ahead]


def test_it_starts_no_container_and_is_no_reason_to_keep_one():
    play = Play()
    pool = play.pool(window=2, buffer=1)
    container = warm(play, pool)
    play.run(20)
    assert play.alive(pool) == 0
    container = warm(play, play.pool(min=1))
    pool = play.containers[container].pool
    play.run(100)
    play.pin(container, 50.0)
    play.run(10)
    assert play.alive(pool) == 1


def test_a_call_beside_it_gets_a_container_of_its_own():
    play = Play()
    pool = play.pool()
    play.pin(warm(play, pool), 50.0)
    call = play.call(pool)
    play.run(2)
    assert play.outcome(call) == "reply"


def test_it_is_never_tried_again():
    play = Play()
    pool = play.pool(retries=RetryPolicy(3, 1.0, 0.0, 1.0))
    look = play.pin(warm(play, pool), 0.1, "error")
    play.run(1)
    assert play.outcome(look) == "reply", "its error is its outcome"


def test_it_has_no_time_limit():
    play = Play()
    pool = play.pool(timeout=1.0)
    look = play.pin(warm(play, pool), 30.0)
    play.run(31)
    assert play.outcome(look) == "reply"


def test_when_its_container_dies_all_callers_hear_why_at_once():
    play = Play()
    pool = play.pool()
    container = warm(play, pool)
    looks = [play.pin(container, 5.0) for _ in range(2)]
    play.run(1)
    play.containers[container].die(CRASH)
    play.run(0)
    assert play.outcomes(looks) == {"crashed"}
    assert play.failure(looks[1]).cause is not None
    assert play.failure(looks[1]).cause.kind is CauseKind.SIGNALLED


def test_there_is_nothing_to_wait_for_where_the_container_is_gone_or_ends():
    play = Play()
    pool = play.pool()
    container = warm(play, pool)
    running = play.call(pool, 5.0)
    play.run(0)
    waits = play.pin(container)
    play.feed(ev.ContainerStopAsked(container))
    assert play.outcome(waits) == "container_gone"
    assert play.outcome(play.pin(container)) == "container_gone"
    play.run(10)
    assert play.outcome(running) == "reply"
    assert play.outcome(play.pin(container)) == "container_gone"
    assert play.outcome(play.pin(10**6)) == "container_gone"


def test_one_for_a_container_that_starts_waits_for_its_start():
    play = Play()
    pool = play.pool(min=1)
    look = play.pin(play.containers_of(pool)[0].number)
    play.run(3)
    assert play.outcome(look) == "reply"


def test_a_cancelled_one_that_waits_is_forgotten_and_the_container_serves_on():
    play = Play()
    pool = play.pool(max=1, slots=2)
    play.call(pool, 5.0)
    play.run(1)
    look = play.pin(play.busy(pool)[0].number)
    call = play.call(pool, 0.1)
    play.run(0.5)
    assert sends(play, call) == []
    play.feed(ev.InputCancelled(look))
    play.run(0.5)
    assert (play.outcome(look), play.outcome(call)) == ("dropped", "reply")


def test_a_container_aside_leaves_its_place_to_another_one():
    play = Play()
    pool = play.pool(max=1, window=2)
    container = warm(play, pool)
    look = play.pin(container, 30.0, aside=True)
    call = play.call(pool, 0.1)
    play.run(2)
    assert play.outcome(call) == "reply"
    assert play.alive(pool) == 2
    assert "1 container is aside" in play.why(pool)
    view = play.scheduler.containers(pool)[0]
    assert (view.number, view.pinned, view.aside_since < 2) == (container, 1, True)
    play.run(60)
    assert play.outcome(look) == "reply"
    assert play.alive(pool) == 0, "it is idle again, and scaled down as ever"


def test_what_is_back_and_one_too_many_ends():
    play = Play()
    pool = play.pool(max=1)
    container = warm(play, pool)
    play.pin(container, 3.0, aside=True)
    call = play.call(pool, 8.0)
    play.run(2)
    assert play.states(pool) == ["busy", "busy"]
    play.run(2)
    assert play.outcome(call) == ""
    assert play.alive(pool) == 1
    assert any("was aside is back" in stop.reason for stop in play.effects(fx.StopContainer))


def test_a_container_aside_is_replaced_to_keep_the_minimum():
    play = Play()
    pool = play.pool(min=1, max=1)
    play.run(2)
    play.pin(play.containers_of(pool)[0].number, 5.0, aside=True)
    play.run(1)
    assert sorted(play.states(pool)) == ["busy", "idle"]


def test_its_own_calls_find_a_place():
    play = Play(MachineLimit(1, 8.0, 8000))
    pool, other = play.pool(), play.pool()
    for aside in (False, True):
        look = play.pin(warm(play, pool), 0.1, aside=aside, calls=((other, [Work(0.1)]),))
        play.run(10)
        assert play.outcome(look) == "reply"


def test_a_pool_that_has_only_a_container_aside_holds_no_place_that_it_cannot_use():
    play = Play(MachineLimit(8, 8.0, 8000))
    large, small = play.pool(cpu=6.0), play.pool(cpu=1.0)
    play.call(small, 0.1)
    play.pin(warm(play, large), 100.0, aside=True)
    play.call(large)
    calls = play.calls(small, 2, 1.0)
    play.run(5)
    assert play.outcomes(calls) == {"reply"}
    assert "aside" in play.why(large)


def test_the_queue_bound_holds_for_them_too():
    play = Play(queue_bound=2)
    pool = play.pool()
    container = warm(play, pool)
    looks = [play.pin(container, 5.0) for _ in range(3)]
    assert [play.outcome(look) for look in looks] == ["", "", "queue_full"]


def test_a_single_use_container_ends_after_who_looks_into_it():
    play = Play()
    pool = play.pool(single_use=True)
    call = play.call(pool, 2.0)
    play.run(1)
    container = play.busy(pool)[0].number
    look = play.pin(container, 0.5)
    play.run(5)
    assert play.outcomes([call, look]) == {"reply"}
    assert play.alive(pool) == 0


def test_app_and_client_end_as_ever():
    play = Play()
    pool = play.pool()
    container = warm(play, pool)
    looks = [play.pin(container, 50.0), play.pin(container, 50.0)]
    play.feed(ev.AppStopped(play.app))
    assert play.outcomes(looks) == {"app_stopped"}
    play.run(40)
    assert play.alive(pool) == 0


def test_a_lowered_maximum_ends_others_first():
    play = Play()
    pool = play.pool()
    play.calls(pool, 2, 0.1)
    play.run(1)
    first, second = (container.number for container in play.containers_of(pool))
    play.pin(first, 20.0)
    play.feed(ev.AutoscalerUpdated(pool, Autoscaler(max_containers=1)))
    play.run(1)
    assert [view.number for view in play.scheduler.containers(pool)] == [first]
    assert second not in [view.number for view in play.scheduler.containers(pool)]
