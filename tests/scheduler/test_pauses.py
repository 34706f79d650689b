"""A generator that waits for its reader: its time stands still, and nothing else changes."""

from __future__ import annotations

from modal_nb.scheduler import effects as fx
from modal_nb.scheduler import events as ev
from tests.scheduler.machine import CRASH, Work
from tests.scheduler.play import Play


def test_waiting_for_the_reader_is_not_of_the_timeout():
    play = Play()
    pool = play.pool(timeout=2)
    call = play.chunk(pool, [Work(1.5, pause=60)])
    play.run(70)
    assert play.outcome(call) == "reply"


def test_the_time_before_and_after_a_wait_counts():
    play = Play()
    pool = play.pool(timeout=2)
    call = play.chunk(pool, [Work(2.5, pause=60)])
    play.run(61)
    assert play.outcome(call) == ""
    play.run(3)
    assert (play.outcome(call), play.failure(call).seconds) == ("timeout", 2)


def test_the_end_of_a_wait_that_never_began_changes_nothing():
    play = Play()
    pool = play.pool(timeout=2)
    call = play.call(pool, 60)
    play.run(1)
    (sent,) = play.effects(fx.SendInput)
    for paused in (False, True, True, False, False):
        play.feed(ev.InputPaused(sent.container, call, sent.attempt, paused))
    play.run(4)
    assert play.outcome(call) == "timeout"


def test_a_word_of_an_older_attempt_does_not_stop_the_clock():
    play = Play()
    pool = play.pool(timeout=2)
    call = play.call(pool, 60)
    play.run(1)
    first = play.busy(pool)[0]
    first.die(CRASH)
    play.run(1)
    again = play.effects(fx.SendInput)[-1]
    assert again.attempt == 2
    play.feed(ev.InputPaused(first.number, call, 1))
    play.feed(ev.InputPaused(again.container, call, 1))
    play.run(4)
    assert play.outcome(call) == "timeout"


def test_one_that_waits_and_ignores_its_cancel_costs_the_container():
    play = Play()
    pool = play.pool(timeout=300)
    call = play.chunk(pool, [Work(0.1, "stuck", pause=60)])
    play.run(1)
    play.feed(ev.InputCancelled(call))
    assert play.outcome(call) == "cancelled"
    play.run(5)
    assert len(play.effects(fx.KillContainer)) == 1


def test_an_attempt_after_a_wait_has_its_full_time():
    play = Play()
    pool = play.pool(timeout=2)
    call = play.chunk(pool, [Work(1.5, pause=10)])
    play.run(5)
    play.busy(pool)[0].die(CRASH)
    play.run(20)
    assert play.outcome(call) == "reply"
