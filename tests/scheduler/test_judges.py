"""Courses that are right, and that the witness of the simulation once took for wrong."""

from __future__ import annotations

from modal_nb.scheduler import effects as fx
from modal_nb.scheduler import events as ev
from modal_nb.spec.retries import RetryPolicy
from tests.scheduler.machine import CRASH, Work
from tests.scheduler.play import Play
from tests.scheduler.witness import Witness


def watched() -> Play:
    play = Play()
    Witness(play)
    return play


def test_the_first_one_of_a_batch_may_come_back_to_its_container_by_itself():
    play = watched()
    pool = play.pool(max=1, slots=2, batch=2, wait_ms=60_000, retries=RetryPolicy(1, 1.0, 0.0, 1.0))
    first, other = play.calls(pool, 2, 1.0, "error")
    play.copies = lambda message: int(
        getattr(message, "input", 0) != other or isinstance(message, fx.SendInput)
    )
    play.run(2)
    assert play.effects(fx.SendInput)[-1].attempt == 2, "the answer of the other one is lost"
    play.feed(ev.InputCancelled(first))
    assert [end.input for end in play.effects(fx.CancelInput)] == [first]
    assert play.outcome(other) == ""


def test_parts_of_a_batch_whose_container_died_wait_for_no_batch_to_fill():
    play = watched()
    pool = play.pool(max=1, batch=4, wait_ms=60_000)
    chunk = play.chunk(pool, [Work(1.0)] * 4)
    play.run(0.5)
    play.busy(pool)[0].die(CRASH)
    play.run(0.05)
    play.feed(ev.InputCancelled(chunk))
    play.run(2)
    assert [sent.following for sent in play.effects(fx.SendInput)] == [0, 2, 1, 0]
