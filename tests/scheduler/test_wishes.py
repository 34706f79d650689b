"""One more container by hand: it starts now, stays like one of the buffer, and is refused with a sentence."""

from __future__ import annotations

from modal_nb.scheduler import events as ev
from modal_nb.scheduler.effects import LaunchContainer
from modal_nb.spec.resources import MachineLimit
from tests.scheduler.machine import Habits
from tests.scheduler.play import CLIENT, Play


def wish(play, pool):
    """Ask as the supervisor does; the refusal, if any. What is refused starts nothing."""
    why = play.scheduler.refusal(pool)
    launched = [e for e in play.feed(ev.ContainerAsked(pool)) if isinstance(e, LaunchContainer)]
    assert bool(launched) is not bool(why)
    return why


def test_it_starts_at_once_and_goes_when_it_was_idle_for_the_window():
    play = Play()
    pool = play.pool(window=10)
    assert wish(play, pool) == ""
    play.run(9)
    assert play.states(pool) == ["idle"]
    play.run(3)
    assert play.states(pool) == []


def test_inputs_make_its_window_begin_anew():
    play = Play()
    pool = play.pool(window=10)
    wish(play, pool)
    play.run(8)
    play.call(pool, 1)
    play.run(8)
    assert play.states(pool) == ["idle"]
    play.run(5)
    assert play.states(pool) == []


def test_what_was_killed_is_not_started_again():
    play = Play()
    pool = play.pool()
    wish(play, pool)
    play.run(1)
    (view,) = play.scheduler.containers(pool)
    play.feed(ev.ContainerStopAsked(view.number, kill=True))
    assert play.scheduler.containers(pool)[0].reason == "somebody asked for it"
    play.run(5)
    assert play.states(pool) == []


def test_at_the_maximum_it_is_refused():
    play = Play()
    pool = play.pool(max=1)
    assert wish(play, pool) == ""
    assert wish(play, pool) == "at max_containers=1: raise it to start more"
    play.run(1)
    (view,) = play.scheduler.containers(pool)
    play.feed(ev.ContainerStopAsked(view.number))
    assert wish(play, pool) == "a container is still ending: ask again when it is gone"
    play.run(1)
    assert wish(play, pool) == ""


def test_at_the_limit_of_the_machine_it_is_refused():
    play = Play(MachineLimit(containers=2, cpu=4.0, memory=1000))
    pool, wide = play.pool(), play.pool(cpu=8.0)
    assert wish(play, wide) == "waiting for the machine-wide limit of 4 cores: one container asks for cpu=8"
    assert (wish(play, pool), wish(play, pool)) == ("", "")
    assert wish(play, pool) == "waiting for the machine-wide limit of 2 containers"


def test_it_does_not_take_the_place_that_a_pool_with_inputs_waits_for():
    play = Play(MachineLimit(containers=4, cpu=4.0, memory=8000))
    small, wide = play.pool(cpu=1.0), play.pool(cpu=4.0)
    play.calls(small, 2, 30)
    play.run(1)
    play.call(wide)
    assert wish(play, small) == "another pool has inputs and no container: the next place is for it"


def test_it_gives_way_to_a_pool_that_has_nothing_but_not_to_one_that_wants_more():
    play = Play(MachineLimit(containers=2, cpu=8.0, memory=8000))
    first, second, third = play.pool(), play.pool(), play.pool()
    wish(play, first)
    play.calls(second, 2, 30)
    play.run(10)
    assert (play.states(first), play.states(second)) == (["idle"], ["busy"])
    call = play.call(third)
    play.run(2)
    assert (play.states(first), play.outcome(call)) == ([], "reply")


def test_a_pool_that_ends_or_was_replaced_or_is_gone_starts_nothing():
    play = Play()
    old = play.pool(key="old", lineage="same")
    play.call(old, 30)
    play.run(1)
    play.pool(key="new", lineage="same")
    assert "replaced by a newer definition" in wish(play, old)
    assert play.scheduler.retired(old)
    assert wish(play, 99) == "this pool is gone"
    other = play.pool()
    play.call(other, 30)
    play.run(1)
    play.feed(ev.AppStopped(play.app))
    assert wish(play, other) == "the app is stopping: nothing starts any more"


def test_a_pool_whose_starts_fail_may_be_asked_again():
    play = Play()
    pool = play.pool()
    play.habits = lambda _pool: Habits(start="fails")
    for _ in range(4):
        assert wish(play, pool) == ""
        play.run(1)
    assert play.states(pool) == []


def test_a_lost_client_takes_it_along():
    play = Play()
    pool = play.pool()
    wish(play, pool)
    play.run(1)
    play.feed(ev.ClientLost(CLIENT))
    play.run(5)
    assert play.scheduler.container_count() == 0
