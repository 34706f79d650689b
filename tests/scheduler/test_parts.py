"""Chunks whose first inputs have results while another one of them runs on."""

from __future__ import annotations

from modal_nb.scheduler import effects as fx
from modal_nb.scheduler import events as ev
from modal_nb.spec.retries import RetryPolicy
from tests.scheduler.machine import CRASH, Work
from tests.scheduler.play import Play

QUICK, SLOW = Work(0.001), Work(10.0)


def parts(play):
    return [(part.input, part.count) for part in play.effects(fx.ReplyPart)]


def running(play, works, **options):
    """A chunk of which the quick ones are through and the slow one runs."""
    pool = play.pool(max=1, **options)
    chunk = play.chunk(pool, works)
    play.run(1)
    return pool, chunk


def test_what_is_through_is_told_when_the_chunk_turns_out_to_be_slow():
    play = Play()
    _, chunk = running(play, [QUICK, QUICK, SLOW, QUICK])
    assert (parts(play), play.outcome(chunk)) == ([(chunk, 2)], "")
    play.run(20)
    (split,) = play.effects(fx.SplitInput)
    assert play.outcomes([chunk, split.rest]) == {"reply"}


def test_also_where_the_slow_one_is_the_last():
    play = Play()
    _, chunk = running(play, [QUICK, QUICK, SLOW])
    assert (parts(play), play.effects(fx.SplitInput)) == ([(chunk, 2)], [])
    play.run(20)
    assert play.outcome(chunk) == "reply"


def test_no_part_is_told_where_the_first_one_is_slow():
    play = Play()
    running(play, [SLOW, QUICK])
    assert parts(play) == []


def test_a_word_that_comes_twice_or_for_another_attempt_changes_nothing():
    play = Play()
    pool, chunk = running(play, [QUICK, QUICK, SLOW])
    (container,) = play.busy(pool)
    for attempt, done in ((1, 2), (1, 1), (1, 3), (2, 2)):
        assert play.feed(ev.PartFinished(container.number, chunk, attempt, done)) == []
    assert parts(play) == [(chunk, 2)]


def test_when_its_container_dies_only_the_rest_runs_again_and_it_alone_bears_the_blame():
    play = Play()
    pool, chunk = running(play, [QUICK, QUICK, SLOW], crash_budget=1)
    for _ in range(2):
        play.busy(pool)[0].die(CRASH)
        play.run(1)
    assert (play.outcome(chunk), play.failure(chunk).times) == ("crashed", 2)
    assert parts(play) == [(chunk, 2)]


def test_the_time_of_what_is_left_is_that_of_one_input():
    play = Play()
    _, chunk = running(play, [QUICK] * 20 + [Work(60)], timeout=2)
    play.run(4)
    assert (play.outcome(chunk), play.failure(chunk).seconds) == ("timeout", 2)


def test_one_that_fails_behind_a_part_is_tried_again_by_itself():
    play = Play()
    _, chunk = running(play, [QUICK, QUICK, Work(5.0, "error")], retries=RetryPolicy(2, 1.0, 0.0, 1.0))
    play.run(60)
    sends = [send for send in play.effects(fx.SendInput) if send.input == chunk]
    assert (len(sends), parts(play), play.outcome(chunk)) == (3, [(chunk, 2)], "reply")


def test_a_part_of_what_was_cancelled_is_told_to_nobody():
    play = Play()
    pool = play.pool(max=1)
    chunk = play.chunk(pool, [QUICK, QUICK, SLOW])
    play.run(0.32)
    (send,) = play.effects(fx.SendInput)
    play.feed(ev.InputCancelled(chunk))
    assert play.feed(ev.PartFinished(send.container, chunk, send.attempt, 2)) == []
