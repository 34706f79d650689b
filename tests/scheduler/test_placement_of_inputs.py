"""The central queue: who gets the next input, what is fetched ahead, what is called back."""

from __future__ import annotations

from modal_nb.scheduler import effects as fx
from modal_nb.scheduler import events as ev
from tests.scheduler.machine import Work
from tests.scheduler.play import Play


def sent(play: Play) -> list[int]:
    return [effect.input for effect in play.effects(fx.SendInput)]


def warm(play: Play, pool: int, seconds: float = 0.001) -> None:
    """Let the pool learn that its inputs are short."""
    play.calls(pool, 3, seconds)
    play.run(1)


def test_the_first_input_starts_a_container_and_is_answered():
    play = Play()
    pool = play.pool()
    call = play.call(pool)
    assert play.states(pool) == ["starting"]
    play.run(0.15)
    assert play.states(pool) == ["entering"]
    play.run(0.2)
    assert (play.states(pool), play.running(pool)) == (["busy"], 1)
    play.run(1)
    assert (play.states(pool), play.outcome(call)) == (["idle"], "reply")


def test_an_error_of_the_users_code_is_a_reply():
    play = Play()
    call = play.call(play.pool(), end="error")
    assert play.run(5).outcome(call) == "reply"


def test_inputs_leave_in_the_order_they_came():
    play = Play()
    calls = play.calls(play.pool(max=1), 5)
    play.run(10)
    assert sent(play) == calls


def test_a_container_gets_as_many_inputs_as_it_may_run():
    play = Play()
    pool = play.pool(max=1, slots=3)
    play.calls(pool, 5)
    play.run(0.5)
    assert (play.running(pool), play.backlog(pool)) == (3, 2)


def test_containers_fill_up_to_the_target_before_one_goes_to_its_limit():
    play = Play()
    pool = play.pool(min=2, max=2, slots=4, target=2)
    play.run(1)
    play.calls(pool, 5)
    assert sorted(len(view.running) for view in play.scheduler.containers(pool)) == [2, 3]


def test_the_container_that_became_free_last_is_taken_first():
    play = Play()
    pool = play.pool(min=2)
    play.run(1)
    play.call(pool, 1)
    play.call(pool, 2)
    play.run(3)
    last = play.effects(fx.SendInput)[1].container
    play.call(pool)
    assert play.effects(fx.SendInput)[2].container == last


def test_long_inputs_are_not_fetched_ahead():
    play = Play()
    pool = play.pool(max=1)
    play.calls(pool, 3)
    play.run(1.5)
    play.calls(pool, 3)
    assert len(play.busy(pool)[0].waiting) == 0


def test_short_inputs_are_fetched_ahead_one_at_a_time_and_count_as_queued():
    play = Play()
    pool = play.pool(max=1)
    warm(play, pool)
    play.calls(pool, 3, 0.001)
    play.run(0)
    assert len(play.busy(pool)[0].waiting) == 1
    assert (play.running(pool), play.backlog(pool)) == (1, 2)


def test_nothing_is_fetched_ahead_while_another_container_is_free():
    play = Play()
    pool = play.pool(min=2, max=2)
    play.run(1)
    warm(play, pool)
    play.calls(pool, 2, 0.001)
    play.run(0)
    assert [len(container.waiting) for container in play.busy(pool)] == [0, 0]


def test_a_single_use_container_fetches_nothing_ahead():
    play = Play()
    pool = play.pool(max=1, single_use=True)
    play.calls(pool, 6, 0.001)
    play.run(20)
    assert all(container.exits == 1 for container in play.containers_of(pool))
    assert len({effect.container for effect in play.effects(fx.SendInput)}) == 6


def test_an_input_behind_a_long_one_is_called_back_and_runs_elsewhere():
    play = Play()
    pool = play.pool(min=2, max=2)
    play.run(1)
    warm(play, pool)
    play.call(pool, 10)
    play.call(pool, 0.02)
    behind = play.call(pool, 0.001)
    play.run(1)
    assert play.outcome(behind) == "reply"


def test_what_is_called_back_goes_to_the_front_of_the_queue():
    play = Play()
    pool = play.pool(max=1)
    warm(play, pool)
    long, behind, last = play.call(pool, 10), play.call(pool, 0.001), play.call(pool, 0.001)
    play.run(1)
    assert play.effects(fx.RecallInput)[0].input == behind
    assert play.backlog(pool) == 2
    play.run(10)
    assert sent(play)[-4:] == [long, behind, behind, last]


def test_the_timeout_of_a_fetched_input_starts_when_it_begins():
    play = Play()
    pool = play.pool(max=1, timeout=0.06)
    warm(play, pool)
    play.call(pool, 0.04)
    second = play.call(pool, 0.04)
    assert play.run(1).outcome(second) == "reply"


def test_a_short_chunk_travels_as_one():
    play = Play()
    pool = play.pool(max=1)
    chunk = play.chunk(pool, [Work(0.001)] * 20)
    play.run(1)
    assert (sent(play), play.outcome(chunk), play.effects(fx.SplitInput)) == ([chunk], "reply", [])


def test_a_long_chunk_is_called_back_and_shared():
    play = Play()
    pool = play.pool(min=4, max=4)
    play.run(1)
    chunk = play.chunk(pool, [Work(1.0)] * 4)
    play.run(1.5)
    splits = play.effects(fx.SplitInput)
    assert [split.keep for split in splits] == [1, 1, 1]
    assert play.outcomes([chunk, *(split.rest for split in splits)]) == {"reply"}


def test_the_fence_ignores_a_late_or_foreign_answer():
    play = Play()
    pool = play.pool()
    call = play.call(pool, 5)
    play.run(1)
    container = play.busy(pool)[0].number
    ok = ev.Outcome.OK
    for late in (
        ev.InputFinished(container, call, 0, ok, 1.0),
        ev.InputFinished(container, call, 2, ok, 1.0),
        ev.InputFinished(container + 1000, call, 1, ok, 1.0),
        ev.InputFinished(container, call + 1000, 1, ok, 1.0),
        ev.InputReturned(container, call, 7),
    ):
        assert play.feed(late) == []
    assert play.run(10).outcome(call) == "reply"


def test_an_answer_that_comes_twice_is_an_answer_once():
    play = Play()
    play.copies = lambda _message: 2
    calls = play.calls(play.pool(), 5)
    assert play.run(10).outcomes(calls) == {"reply"}


def test_news_of_unknown_things_is_ignored():
    play = Play()
    for event in (
        ev.AppStopped(99),
        ev.ClientLost(99),
        ev.AutoscalerUpdated(99, play.scheduler.autoscaler(99)),  # type: ignore[arg-type]
        ev.InputCancelled(99),
        ev.ContainerLaunched(99),
        ev.ContainerReady(99),
        ev.ContainerStartFailed(99),
        ev.ContainerStopAsked(99),
    ):
        assert play.feed(event) == []


def test_an_input_over_the_queue_bound_is_refused():
    play = Play(queue_bound=3)
    pool = play.pool(max=1)
    calls = play.calls(pool, 4)
    assert [play.outcome(call) for call in calls] == ["", "", "", "queue_full"]
    assert play.run(20).outcomes(calls[:3]) == {"reply"}


def test_an_input_to_a_pool_that_is_gone_is_told_so():
    play = Play()
    play.line = lambda _pool: 0
    assert play.outcome(play.call(99)) == "pool_gone"


def test_a_queue_of_cancelled_inputs_does_not_grow():
    play = Play()
    pool = play.pool(max=1)
    first = play.call(pool, 1)
    for _ in range(5_000):
        play.feed(ev.InputCancelled(play.call(pool)))
    queue = play.scheduler._ledger.pools[pool].queue
    assert (queue.backlog, len(queue._line) < 200) == (1, True)
    assert play.run(10).outcome(first) == "reply"
