"""The machine-wide limit, and how pools share it."""

from __future__ import annotations

from modal_nb.scheduler import events as ev
from modal_nb.spec.resources import MachineLimit
from tests.scheduler.play import Play


def machine(containers: int = 8, cpu: float = 8.0, memory: int = 8000) -> MachineLimit:
    return MachineLimit(containers, cpu, memory)


def test_all_pools_together_stay_within_the_limit():
    play = Play(machine(3))
    pools = [play.pool() for _ in range(3)]
    for pool in pools:
        play.calls(pool, 5)
    most = 0
    while play.step(200):
        most = max(most, play.scheduler.container_count())
    assert most == 3


def test_requests_count_in_admission():
    play = Play(machine(cpu=4.0, memory=3000))
    cores, memory = play.pool(cpu=1.5), play.pool(memory=1000)
    play.calls(cores, 5, 10)
    play.calls(memory, 5, 10)
    assert (play.alive(cores), play.alive(memory)) == (2, 3)
    assert (
        play.why(cores)
        == "5 queued, waiting for the machine-wide limit of 4 cores: one container asks for cpu=1.5"
    )
    assert play.why(memory).endswith("limit of 3000 MiB: one container asks for memory=1000")


def test_a_request_that_can_never_fit_fails_at_once():
    play = Play(machine(cpu=4.0))
    pool = play.pool(cpu=5)
    assert play.outcome(play.call(pool)) == "does_not_fit"
    assert "limit of 4 cores: one container asks for cpu=5" in play.why(pool)


def test_a_limit_that_is_lowered_fails_what_no_longer_fits_and_ends_idle_ones():
    play = Play(machine(4))
    pool, big = play.pool(window=60), play.pool(cpu=8, max=1)
    play.calls(pool, 3, 1)
    play.run(5)
    waiting = play.call(big, 1)
    play.machine = machine(1, cpu=4.0)
    play.feed(ev.LimitChanged(play.machine))
    play.run(5)
    assert play.outcome(waiting) in {"does_not_fit", "reply"}
    assert play.scheduler.container_count() == 1


def test_a_limit_that_is_raised_starts_what_waited():
    play = Play(machine(1))
    pool = play.pool()
    play.calls(pool, 3, 10)
    play.feed(ev.LimitChanged(machine(3)))
    assert play.alive(pool) == 3


def test_the_pool_with_the_fewest_gets_the_next_place():
    play = Play(machine(4))
    many, few = play.pool(max=3), play.pool()
    play.calls(many, 6, 3)
    play.calls(few, 3, 30)
    assert (play.alive(many), play.alive(few)) == (3, 1)
    play.run(20)
    assert play.alive(few) >= 2


def test_an_idle_container_above_the_minimum_gives_way_to_a_pool_that_has_none():
    play = Play(machine(1))
    one, two = play.pool(), play.pool()
    play.call(one, 1)
    play.run(2)
    call = play.call(two, 1)
    assert play.states(one) == ["draining"]
    assert play.run(3).outcome(call) == "reply"


def test_an_idle_container_of_the_minimum_does_not_give_way():
    play = Play(machine(1))
    kept, other = play.pool(min=1), play.pool()
    play.run(1)
    play.call(other)
    play.run(100)
    assert play.states(kept) == ["idle"]
    assert play.why(other) == (
        "1 queued, waiting for the machine-wide limit of 1 containers; "
        "min_containers of other pools hold the rest: lower one, or raise the limit"
    )


def test_what_a_replaced_pool_kept_warm_gives_way_at_once():
    play = Play(machine(1))
    kept, other = play.pool(min=1), play.pool()
    play.run(1)
    call = play.call(other)
    play.run(1)
    play.feed(ev.PoolReplaced(kept))
    assert play.states(kept) == ["draining"]
    assert play.run(3).outcome(call) == "reply"


def test_a_container_that_idles_between_calls_is_not_taken_by_a_pool_that_only_wants_more():
    play = Play(machine(2))
    caller, hungry = play.pool(), play.pool()
    play.call(caller, 0.1)
    play.calls(hungry, 50, 1)
    for _ in range(10):
        play.call(caller, 0.1)
        play.run(1)
    assert len(play.containers_of(caller)) == 1


def test_but_it_is_when_it_has_been_idle_for_a_while():
    play = Play(machine(2))
    caller, hungry = play.pool(), play.pool()
    play.call(caller, 0.1)
    play.calls(hungry, 50, 1)
    play.run(5)
    assert (play.alive(caller), play.alive(hungry)) == (0, 2)


def test_a_busy_pool_gives_a_container_back_to_one_that_has_none():
    play = Play(machine(4))
    busy, starving = play.pool(), play.pool()
    play.calls(busy, 40, 1)
    play.run(1)
    call = play.call(starving, 0.5)
    play.run(4)
    assert play.outcome(call) == "reply"
    assert play.alive(busy) >= 3


def test_two_pools_take_turns_where_there_is_one_place():
    play = Play(machine(1))
    one, two = play.pool(), play.pool()
    first, second = play.calls(one, 30, 1), play.calls(two, 30, 1)
    play.run(30)
    done = [sum(play.outcome(call) == "reply" for call in calls) for calls in (first, second)]
    assert min(done) >= 5
    assert len(play.containers) <= 8


def test_a_pool_that_asks_for_much_is_not_starved_by_small_ones():
    play = Play(machine(8, cpu=4.0))
    small, big = play.pool(cpu=1), play.pool(cpu=4)
    play.calls(small, 60, 1)
    play.run(1)
    call = play.call(big, 1)
    play.run(15)
    assert play.outcome(call) == "reply"


def test_a_minimum_that_does_not_fit_beside_itself_takes_no_place_from_others():
    play = Play(machine(8, cpu=8.0))
    greedy, other = play.pool(min=3, cpu=4), play.pool(slots=4, target=1)
    play.calls(other, 4, 60)
    play.run(50)
    assert (play.states(greedy), len(play.containers_of(other))) == (["idle", "idle"], 4)


def test_what_a_pool_would_start_again_at_once_is_not_taken_for_a_minimum():
    play = Play(machine(4))
    active = play.pool(buffer=2)
    play.call(active, 60)
    play.run(5)
    play.pool(min=3)
    play.run(50)
    assert len(play.containers_of(active)) == 3
