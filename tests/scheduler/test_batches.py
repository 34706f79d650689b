"""Batches: who leaves together, when, and what becomes of a batch that is cancelled, slow or killed."""

from __future__ import annotations

from modal_nb.scheduler import effects as fx
from modal_nb.scheduler import events as ev
from modal_nb.spec.resources import MachineLimit
from modal_nb.spec.retries import RetryPolicy
from tests.scheduler.machine import CRASH, Message, Work
from tests.scheduler.play import CLIENT, Play


def batches(play: Play) -> list[list[int]]:
    """The inputs of every batch that was sent."""
    sent: list[list[int]] = [[]]
    for effect in play.effects(fx.SendInput):
        sent[-1].append(effect.input)
        if not effect.following:
            sent.append([])
    return sent[:-1]


def sizes(play: Play) -> list[int]:
    return [len(batch) for batch in batches(play)]


def test_a_full_batch_leaves_at_once():
    play = Play()
    pool = play.pool(max=1, batch=3, wait_ms=60_000)
    inputs = play.calls(pool, 3)
    play.run(2)
    assert batches(play) == [inputs]
    assert play.outcomes(inputs) == {"reply"}


def test_a_batch_that_is_not_full_leaves_when_its_first_input_has_waited():
    play = Play()
    pool = play.pool(min=1, max=1, batch=3, wait_ms=500)
    play.run(1)
    first = play.call(pool)
    play.run(0.4)
    second = play.call(pool)
    assert sizes(play) == []
    assert "gathering a batch" in play.why(pool)
    play.run(0.1)
    assert batches(play) == [[first, second]]


def test_a_batch_goes_on_to_fill_while_no_container_has_room():
    play = Play()
    pool = play.pool(max=1, batch=4, wait_ms=0)
    play.calls(pool, 1, 1.0)
    play.run(0.5)
    play.calls(pool, 6, 1.0)
    play.run(5)
    assert sizes(play) == [1, 4, 2]


def test_batches_run_side_by_side_and_each_takes_one_slot():
    play = Play()
    pool = play.pool(max=1, batch=2, wait_ms=0, slots=2)
    play.calls(pool, 8, 1.0)
    play.run(0.5)
    assert sizes(play) == [2, 2]
    assert play.running(pool) == 4
    assert [view.taken for view in play.scheduler.containers(pool)] == [2]


def test_the_autoscaler_counts_full_batches():
    play = Play()
    pool = play.pool(batch=10, wait_ms=0)
    play.calls(pool, 25, 5.0)
    assert play.alive(pool) == 3


def test_a_chunk_that_does_not_fit_is_cut():
    play = Play()
    pool = play.pool(max=1, batch=4, wait_ms=0)
    play.chunk(pool, [Work(0.1)] * 3)
    play.chunk(pool, [Work(0.1)] * 3)
    play.run(2)
    assert [play.spans[batch[0]][2] for batch in batches(play)] == [3, 2]
    assert sizes(play) == [2, 1]


def test_one_cancelled_input_leaves_its_batch_alone_and_all_of_them_end_it():
    play = Play()
    pool = play.pool(max=1, batch=2, wait_ms=0)
    one, other = play.calls(pool, 2, 100.0)
    play.run(1)
    play.feed(ev.InputCancelled(one))
    assert play.outcome(one) == "cancelled"
    assert not play.effects(fx.CancelInput)
    play.feed(ev.InputCancelled(other))
    assert {effect.input for effect in play.effects(fx.CancelInput)} == {one, other}
    play.run(1)
    assert play.states(pool) == ["idle"]


def test_the_rest_of_a_batch_can_be_ended_although_its_first_one_runs_again_elsewhere():
    play = Play()
    pool = play.pool(min=2, batch=2, wait_ms=60_000, retries=RetryPolicy(1, 1.0, 0.0, 1.0))
    play.run(1)
    first, other = play.calls(pool, 2, 100.0)
    play.run(1)
    here = play.busy(pool)[0].number
    play.feed(ev.InputFinished(here, first, 1, ev.Outcome.ERROR, 1.0))
    play.run(1)
    play.feed(ev.InputCancelled(other))
    assert [(end.container, end.input) for end in play.effects(fx.CancelInput)] == [(here, other)]


def test_the_rest_of_a_batch_does_not_wait_for_calls_that_its_first_one_makes_elsewhere():
    play = Play(MachineLimit(2, 8.0, 8000))
    pool = play.pool(min=2, batch=2, wait_ms=60_000, slots=2, retries=RetryPolicy(1, 1.0, 0.0, 1.0))
    called = play.pool()
    play.run(1)
    first, _, third, _ = play.calls(pool, 4, 100.0)
    play.run(1)
    both = play.busy(pool)[0].number
    play.feed(ev.InputFinished(both, first, 1, ev.Outcome.ERROR, 1.0))
    play.run(1)
    for caller in (first, third):
        call = play.scheduler.next_number()
        play.spans[call] = Message(called, [Work(1.0)]), 0, 1
        play.feed(ev.InputArrived(call, called, CLIENT, 1, caller))
    assert play.alive(called) == 1, "only the container of the first one has left its place"


def test_whoever_waits_for_one_of_a_batch_waits_for_the_calls_of_its_code():
    play = Play()
    callers, batched, leaf = play.pool(max=2), play.pool(max=1, batch=2, wait_ms=60_000), play.pool()
    play.nested(play.pool(), (batched, [Work(1.0, calls=((leaf, [Work(5.0)]),))]))
    play.run(2)
    calls = [play.nested(callers, (batched, [Work(1.0)]))]
    play.run(2)
    calls += [play.nested(callers, (callers, [Work(1.0)]))]
    play.run(20)
    assert play.scheduler.pool_stats(batched).batches == 1
    assert play.outcomes(calls) == {"reply"}
    assert not play.effects(fx.FailInput), "the second one only had to wait for the first to end"


def test_a_slow_batch_times_out_as_a_whole():
    play = Play()
    pool = play.pool(max=1, batch=2, wait_ms=0, timeout=2.0)
    inputs = [play.call(pool, 100.0), play.call(pool, 0.1)]
    play.run(4)
    assert play.outcomes(inputs) == {"timeout"}


def test_a_batch_that_killed_its_container_runs_again_one_by_one_and_the_poison_is_named():
    play = Play()
    pool = play.pool(max=1, batch=3, wait_ms=0, crash_budget=1)
    good, bad, fine = play.call(pool), play.call(pool, 1.0, "crash"), play.call(pool)
    play.run(30)
    assert play.outcomes([good, fine]) == {"reply"}
    assert play.outcome(bad) == "crashed"
    assert play.failure(bad).times == 2
    assert sizes(play)[0] == 3
    assert set(sizes(play)[1:]) == {1}


def test_a_batch_whose_container_somebody_killed_runs_together_again():
    play = Play()
    pool = play.pool(max=1, batch=2, wait_ms=0)
    inputs = play.calls(pool, 2, 2.0)
    play.run(1)
    play.feed(ev.ContainerStopAsked(play.busy(pool)[0].number, kill=True))
    play.run(5)
    assert sizes(play) == [2, 2]
    assert play.outcomes(inputs) == {"reply"}


def test_methods_do_not_share_a_batch():
    play = Play()
    pool = play.pool(max=1, batch=4, wait_ms=0)
    spec = play.specs[pool]
    object.__setattr__(spec, "batching", (*spec.batching, ("other", spec.batching[0][1])))
    play.feed(ev.PoolOpened(play.scheduler.next_number(), play.open_app(), spec))
    both = max(play.scheduler._ledger.pools)
    play.specs[both] = spec
    inputs = []
    for line in (1, 2, 1, 2):
        play.line = lambda _pool, line=line: line
        inputs.append(play.call(both))
    play.run(5)
    assert batches(play) == [[inputs[0], inputs[2]], [inputs[1], inputs[3]]]


def test_an_input_that_comes_back_from_a_dead_container_waits_for_nobody():
    play = Play()
    pool = play.pool(max=1, batch=2, wait_ms=60_000)
    play.calls(pool, 2, 1.0)
    play.run(0.5)
    play.busy(pool)[0].die(CRASH)
    play.run(5)
    assert sizes(play) == [2, 1, 1]
