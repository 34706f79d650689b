"""Inputs that are cancelled together with the container that runs them."""

from __future__ import annotations

from modal_nb.scheduler import effects as fx
from modal_nb.scheduler import events as ev
from tests.scheduler.play import Play


def test_the_container_that_runs_the_input_is_killed_and_the_caller_told_once():
    play = Play()
    pool = play.pool()
    call = play.call(pool, 60)
    play.run(1)
    (container,) = play.busy(pool)
    play.feed(ev.InputCancelled(call, terminate=True))
    play.feed(ev.InputCancelled(call, terminate=True))
    play.run(5)
    assert play.outcome(call) == "cancelled"
    assert [kill.container for kill in play.effects(fx.KillContainer)] == [container.number]
    assert play.alive(pool) == 0


def test_its_neighbours_run_again_elsewhere_without_blame():
    play = Play()
    pool = play.pool(max=1, slots=2, crash_budget=0)
    cancelled, neighbour = play.call(pool, 60), play.call(pool, 3)
    play.run(1)
    play.feed(ev.InputCancelled(cancelled, terminate=True))
    play.run(20)
    assert (play.outcome(cancelled), play.outcome(neighbour)) == ("cancelled", "reply")
    sent = [effect for effect in play.effects(fx.SendInput) if effect.input == neighbour]
    assert len({effect.container for effect in sent}) == len(sent) == 2


def test_what_waits_runs_in_a_new_container():
    play = Play()
    pool = play.pool(max=1)
    running, waiting = play.call(pool, 60), play.call(pool, 1)
    play.run(1)
    play.feed(ev.InputCancelled(running, terminate=True))
    play.run(20)
    assert play.outcome(waiting) == "reply"
    assert len(play.effects(fx.LaunchContainer)) == 2


def test_an_input_that_is_queued_or_fetched_ahead_costs_no_container():
    play = Play()
    pool = play.pool(max=1)
    play.calls(pool, 3, 0.001)
    play.run(1)
    first = play.call(pool, 0.5)
    ahead, queued = play.call(pool, 0.001), play.call(pool, 0.001)
    play.feed(ev.InputCancelled(ahead, terminate=True))
    play.feed(ev.InputCancelled(queued, terminate=True))
    play.run(5)
    assert play.outcomes([ahead, queued]) == {"dropped"}
    assert play.outcome(first) == "reply"
    assert play.effects(fx.KillContainer) == []
