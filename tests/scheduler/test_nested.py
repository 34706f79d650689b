"""Calls that are made inside containers: whoever waits for one leaves its place to it."""

from __future__ import annotations

import pytest

from modal_nb.scheduler import deadlocks, nesting
from modal_nb.scheduler import effects as fx
from modal_nb.scheduler import events as ev
from modal_nb.spec.resources import MachineLimit
from tests.scheduler.audit import audit
from tests.scheduler.machine import CRASH, Habits, Work
from tests.scheduler.play import Play

ONE = MachineLimit(containers=1, cpu=8.0, memory=8000)
TWO = MachineLimit(containers=2, cpu=8.0, memory=8000)


@pytest.fixture
def play():
    return audited(Play(ONE))


def audited(play: Play) -> Play:
    play.after_all = lambda _event, _effects: audit(play.scheduler, play.now)
    return play


def chain(*pools: int) -> list[Work]:
    """An input that calls the first pool, whose input calls the second one, and so on."""
    works = [Work(1.0)]
    for pool in reversed(pools):
        works = [Work(1.0, calls=((pool, works),))]
    return works


# -- places


def test_a_container_that_waits_for_its_call_leaves_its_place_to_it(play):
    caller, called = play.pool(), play.pool()
    call = play.nested(caller, (called, [Work(1.0)]))
    play.run(1.5)
    assert (play.alive(caller), play.alive(called)) == (1, 1)
    play.run(10)
    assert play.outcome(call) == "reply"


def test_cores_and_memory_are_left_too():
    play = audited(Play(MachineLimit(containers=8, cpu=2.0, memory=1000)))
    caller, called = play.pool(cpu=2.0, memory=1000), play.pool(cpu=1.5, memory=900)
    call = play.nested(caller, (called, [Work(1.0)]))
    play.run(10)
    assert play.outcome(call) == "reply"


@pytest.mark.parametrize("own_pool", [False, True])
def test_any_depth_gets_through_the_smallest_machine(play, own_pool):
    first = play.pool()
    pools = [first] * 6 if own_pool else [play.pool() for _ in range(6)]
    call = play.chunk(first, chain(*pools))
    play.run(60)
    assert play.outcome(call) == "reply"
    assert play.effects(fx.FailInput) == []


def test_who_goes_on_may_be_one_too_many_and_nothing_starts_meanwhile(play):
    caller, called, other = play.pool(), play.pool(), play.pool()
    play.chunk(caller, [Work(3.0, calls=((called, [Work(1.0)]),))])
    play.run(1.9)
    waiting = play.call(other)
    play.run(1.5)
    assert (play.alive(caller), play.alive(other)) == (1, 0)
    play.run(10)
    assert play.outcome(waiting) == "reply"


def test_who_has_served_the_call_gives_way_after_a_while_when_there_are_too_many():
    play = audited(Play(ONE))
    caller, called = play.pool(), play.pool()
    play.chunk(caller, [Work(10.0, calls=((called, [Work(1.0)]),))])
    play.run(3)
    assert play.states(called) == ["idle"]
    play.run(3)
    assert play.alive(called) == 0
    (stop,) = play.effects(fx.StopContainer)
    assert stop.reason == "containers that waited for calls of their own go on"


def test_calls_in_a_row_are_served_by_the_same_container(play):
    caller, called = play.pool(), play.pool()
    works = [Work(0.01, calls=((called, [Work(0.01)]),)) for _ in range(20)]
    call = play.chunk(caller, works)
    play.run(20)
    assert play.outcome(call) == "reply"
    assert len(play.containers_of(called)) == 1


def test_callers_do_not_multiply_in_the_places_that_they_leave():
    play = audited(Play(TWO))
    caller, called = play.pool(), play.pool(max=1)
    calls = [play.nested(caller, (called, [Work(1.0)])) for _ in range(20)]
    most = 0
    for _ in range(300):
        play.run(0.2)
        most = max(most, play.alive(caller))
    assert play.outcomes(calls) == {"reply"}
    assert most == 2


def test_the_places_that_they_leave_serve_other_pools():
    play = audited(Play(TWO))
    caller, called, other = play.pool(), play.pool(max=1), play.pool()
    for _ in range(2):
        play.nested(caller, (called, [Work(30.0)]))
    play.run(2)
    call = play.call(other)
    play.run(3)
    assert play.outcome(call) == "reply"


def test_a_blocked_container_counts_for_max_containers(play):
    caller, called = play.pool(max=1), play.pool()
    play.nested(caller, (called, [Work(5.0)]))
    play.run(1)
    waiting = play.call(caller)
    play.run(3)
    assert (play.alive(caller), play.outcome(waiting)) == (1, "")
    play.run(10)
    assert play.outcome(waiting) == "reply"


def test_nested_calls_come_before_the_others(play):
    caller, called = play.pool(), play.pool(max=1)
    play.call(called, 3)
    others = play.calls(called, 5, 1)
    call = play.nested(caller, (called, [Work(1.0)]))
    play.run(8)
    done = [effect.input for effect in play.effects(fx.ReplyInput)]
    assert call in done
    assert set(others) - set(done)


def test_a_call_to_a_pool_whose_starts_fail_does_not_wait_for_those_who_wait_for_it():
    play = audited(Play())
    pool = play.pool()
    call = play.nested(pool, (pool, [Work(1.0)]))
    play.run(0.2)
    play.habits = lambda _pool: Habits(start="fails")
    play.run(30)
    assert play.outcome(call) == "reply"
    assert {f.kind for f in play.effects(fx.FailInput)} == {fx.FailureKind.START_FAILED}


def test_a_call_that_can_never_fit_any_more_fails():
    play = audited(Play())
    pool = play.pool(cpu=4.0)
    call = play.chunk(pool, [Work(2.0, calls=((pool, [Work(0.5)]),))])
    play.run(0.2)
    play.machine = MachineLimit(containers=8, cpu=2.0, memory=8000)
    play.feed(ev.LimitChanged(play.machine))
    play.run(10)
    assert play.outcome(call) == "reply"
    assert {f.kind for f in play.effects(fx.FailInput)} == {fx.FailureKind.DOES_NOT_FIT}


def test_what_a_blocked_container_fetched_ahead_runs_elsewhere(play):
    pool, called = play.pool(), play.pool()
    play.calls(pool, 3, 0.001)
    play.run(1)
    play.nested(pool, (called, [Work(20.0)]))
    ahead = play.call(pool, 0.001)
    play.run(5)
    assert play.outcome(ahead) == ""  # it is no nested call: it waits for a place
    assert play.backlog(pool) == 1
    assert play.scheduler._ledger.pools[pool].queue.backlog == 1


def test_why_it_waits(play):
    caller, called = play.pool(max=2), play.pool()
    for _ in range(2):
        play.nested(caller, (called, [Work(9.0)]))
    play.run(1.5)
    assert play.why(caller).endswith("; 1 running input waits for calls of its own")
    play = audited(Play())
    caller, called = play.pool(max=2), play.pool()
    for _ in range(3):
        play.nested(caller, (called, [Work(9.0)]))
    play.run(1)
    assert play.why(caller) == (
        "1 queued, at max_containers=2: raise it to start more; 2 running inputs wait for calls of their own"
    )


# -- parents


def parents(play: Play) -> list[int]:
    """Inputs that the books let wait for others, or be waited for."""
    return [i.number for i in play.scheduler._ledger.inputs.values() if i.children or i.parent is not None]


def test_a_parent_that_is_unknown_or_over_is_ignored(play):
    pool = play.pool()
    over = play.call(pool)
    play.run(3)
    for parent in (over, 999_999):
        input = play.scheduler.next_number()
        play.spans[input] = play.spans[over]
        play.feed(ev.InputArrived(input, pool, 1, parent=parent))
        assert parents(play) == []
        play.run(3)
        assert play.outcome(input) == "reply"


def test_a_parent_that_only_waits_itself_is_ignored(play):
    pool, other = play.pool(max=1), play.pool()
    play.call(pool, 5)
    queued = play.call(pool, 5)
    input = play.scheduler.next_number()
    play.spans[input] = (play.spans[queued][0], 0, 1)
    play.feed(ev.InputArrived(input, other, 1, parent=queued))
    assert parents(play) == []


@pytest.mark.parametrize("how", ["cancelled", "timeout", "crash"])
def test_a_parent_that_ends_takes_its_calls_along_and_leaves_nothing_in_the_books(how):
    play = audited(Play())
    caller, called = play.pool(timeout=3 if how == "timeout" else 300, crash_budget=0), play.pool(max=1)
    call = play.nested(caller, (called, [Work(100.0)]), (called, [Work(1.0)] * 3))
    play.run(1.5)
    assert len(parents(play)) == 3
    if how == "cancelled":
        play.feed(ev.InputCancelled(call))
    elif how == "crash":
        play.busy(caller)[0].die(CRASH)
    play.run(30)
    assert play.outcome(call) == {"crash": "crashed"}.get(how, how)
    assert parents(play) == []
    ledger = play.scheduler._ledger
    assert (len(ledger.inputs), ledger.unsettled) == (0, {})


def test_a_parent_that_runs_again_is_not_held_by_the_calls_of_its_first_attempt(play):
    caller, called = play.pool(), play.pool()
    call = play.nested(caller, (called, [Work(2.0)]))
    play.run(1.5)
    play.busy(caller)[0].die(CRASH)
    assert play.run(30).outcome(call) == "reply"
    assert parents(play) == []


def test_a_call_that_is_taken_apart_is_waited_for_in_all_its_parts():
    play = audited(Play())
    caller, called = play.pool(), play.pool(single_use=True)
    call = play.nested(caller, (called, [Work(1.0), Work(4.0), Work(1.0)]))
    play.run(2.5)
    assert play.outcome(call) == ""
    assert len(parents(play)) == 2
    play.run(10)
    assert play.outcome(call) == "reply"


def test_calls_without_parents_are_never_looked_at(monkeypatch):
    for module, name in (
        (deadlocks, "resolve"),
        (nesting, "adopt"),
        (nesting, "ended"),
        (nesting, "waits"),
    ):
        monkeypatch.setattr(module, name, None)
    play = Play()
    pool = play.pool(max=2)
    calls = play.calls(pool, 20)
    assert play.run(30).outcomes(calls) == {"reply"}


# -- deadlocks


def deadlocks_of(play: Play) -> list[fx.FailInput]:
    return [f for f in play.effects(fx.FailInput) if f.kind is fx.FailureKind.DEADLOCK]


def test_a_pool_of_one_that_calls_itself_is_told_at_once(play):
    pool = play.pool(max=1)
    call = play.nested(pool, (pool, [Work(1.0)]))
    play.run(0.5)
    (failure,) = deadlocks_of(play)
    assert failure.times == 1
    play.run(5)
    assert play.outcome(call) == "reply"  # of a method that raised


def test_a_circle_of_two_pools_is_told():
    play = audited(Play())
    first, second = play.pool(max=1), play.pool(max=1)
    call = play.chunk(first, chain(second, first))
    play.run(10)
    assert [f.times for f in deadlocks_of(play)] == [1]
    assert play.outcome(call) == "reply"


def test_only_the_youngest_fails_and_the_others_are_served_then():
    play = audited(Play())
    pool = play.pool(max=2)
    calls = [play.nested(pool, (pool, [Work(1.0)])) for _ in range(2)]
    play.run(20)
    assert len(deadlocks_of(play)) == 1
    assert play.outcomes(calls) == {"reply"}


def test_all_calls_of_a_caller_that_does_not_mind_fail():
    play = audited(Play())
    pool = play.pool(max=1)
    call = play.nested(pool, (pool, [Work(1.0)] * 3), (pool, [Work(1.0)]), patient=True)
    play.run(20)
    assert len(deadlocks_of(play)) == 2
    assert play.outcome(call) == "reply"


def test_no_alarm_while_one_container_of_the_pool_works():
    play = audited(Play())
    pool = play.pool(max=2)
    play.call(pool, 5)
    call = play.nested(pool, (pool, [Work(1.0)]))
    play.run(20)
    assert (deadlocks_of(play), play.outcome(call)) == ([], "reply")


def test_no_alarm_while_one_container_of_the_pool_starts():
    play = audited(Play())
    play.habits = lambda _pool: Habits(launch=3.0 if len(play.containers) else 0.1)
    pool = play.pool(max=2)
    call = play.nested(pool, (pool, [Work(1.0)]))
    play.run(1)
    assert play.alive(pool) == 2
    play.run(20)
    assert (deadlocks_of(play), play.outcome(call)) == ([], "reply")


def test_no_alarm_while_a_call_of_the_circle_runs_and_then_it_comes():
    play = audited(Play())
    pool, other = play.pool(max=1), play.pool()
    play.nested(pool, (other, [Work(5.0)]), (pool, [Work(1.0)]), patient=True)
    play.run(4)
    assert deadlocks_of(play) == []
    play.run(4)
    assert len(deadlocks_of(play)) == 1


def test_no_alarm_where_the_machine_is_full_but_not_the_pool(play):
    first, second = play.pool(), play.pool()
    calls = [play.chunk(first, chain(second, first, second, first)) for _ in range(5)]
    play.run(200)
    assert (deadlocks_of(play), play.outcomes(calls)) == ([], {"reply"})


def test_a_maximum_that_is_lowered_can_close_the_circle():
    play = audited(Play())
    play.habits = lambda _pool: Habits(launch=50.0 if len(play.containers) else 0.1)
    pool = play.pool(max=2)
    call = play.nested(pool, (pool, [Work(1.0)]))
    play.run(1)
    assert (play.alive(pool), deadlocks_of(play)) == (2, [])
    play.update(pool, max=1)
    play.run(5)
    assert [f.times for f in deadlocks_of(play)] == [1]
    assert play.outcome(call) == "reply"


def test_a_maximum_that_is_raised_leaves_nothing_to_tell():
    play = audited(Play())
    pool, other = play.pool(max=1), play.pool()
    call = play.nested(pool, (other, [Work(5.0)]), (pool, [Work(1.0)]))
    play.run(2)
    play.update(pool, max=2)
    play.run(20)
    assert (deadlocks_of(play), play.outcome(call)) == ([], "reply")
