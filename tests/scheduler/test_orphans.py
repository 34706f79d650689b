"""Apps whose notebook went: what stays warm, for how long, and who finds it."""

from __future__ import annotations

from modal_nb.scheduler import effects as fx
from modal_nb.scheduler import events as ev
from tests.scheduler.machine import CRASH, Habits, Work
from tests.scheduler.play import CLIENT, Play

AGAIN = 2_000_000


def lose(play: Play, linger: float = 20.0) -> None:
    play.feed(ev.AppOrphaned(play.app, linger))
    play.feed(ev.ClientLost(CLIENT))


def come_back(play: Play) -> None:
    play.feed(ev.AppAdopted(play.app, AGAIN))


def test_what_is_idle_lingers_and_then_runs_its_exit_hooks():
    play = Play()
    pool = play.pool(window=2)
    play.calls(pool, 2, 0.5)
    play.run(2)
    lose(play)
    play.run(19)
    assert play.states(pool) == ["idle", "idle"]
    play.run(2)
    assert [container.exits for container in play.containers_of(pool)] == [1, 1]
    assert play.effects(fx.ForgetApp) == [fx.ForgetApp(play.app)]


def test_its_calls_are_cancelled_at_once_and_the_container_is_idle():
    play = Play()
    pool = play.pool(max=1)
    running, waiting = play.calls(pool, 2, 60)
    play.run(1)
    lose(play)
    assert play.outcomes([running, waiting]) == {"dropped"}
    assert play.run(1).states(pool) == ["idle"]


def test_min_and_buffer_count_as_0_until_it_is_opened_again():
    play = Play()
    pool = play.pool(key="k", min=2, buffer=1)
    play.run(1)
    lose(play)
    for container in play.scheduler.containers(pool):
        play.feed(ev.ContainerStopAsked(container.number))
    assert play.run(5).alive(pool) == 0
    come_back(play)
    assert play.run(1).alive(pool) == 0
    assert play.pool(key="k", min=2, buffer=1) == pool
    assert play.run(1).states(pool) == ["idle", "idle"]


def test_what_is_kept_for_nobody_gives_way():
    play = Play()
    pool = play.pool(min=8)
    play.run(1)
    lose(play)
    other = play.open_app(AGAIN)
    call = play.call(play.pool(app=other), 1, client=AGAIN)
    assert play.run(2).outcome(call) == "reply"
    assert play.alive(pool) == 7


def test_the_notebook_that_comes_back_finds_its_containers_and_a_whole_window():
    play = Play()
    pool = play.pool(key="k", window=5)
    play.call(pool, 0.5)
    play.run(2)
    lose(play)
    play.run(15)
    come_back(play)
    assert play.pool(key="k", window=5) == pool
    play.run(4)
    assert len(play.containers_of(pool)) == 1
    assert play.states(pool) == ["idle"]
    play.run(20)
    assert play.alive(pool) == 0
    assert not play.effects(fx.ForgetApp)


def test_an_edited_class_replaces_what_lingers():
    play = Play()
    old = play.pool(key="old", lineage="Model", min=1)
    play.run(1)
    lose(play)
    come_back(play)
    new = play.pool(key="new", lineage="Model", min=1)
    play.run(5)
    assert (play.alive(old), play.states(new)) == (0, ["idle"])
    assert play.effects(fx.ForgetPool) == [fx.ForgetPool(old)]


def test_what_is_not_opened_again_ends_when_its_time_is_over_and_the_app_goes_on():
    play = Play()
    kept, left = play.pool(key="kept", min=1), play.pool(key="left", min=1)
    play.run(1)
    lose(play)
    play.run(1)
    come_back(play)
    play.pool(key="kept", min=1)
    play.run(18)
    assert play.states(left) == ["idle"]
    play.run(5)
    assert play.effects(fx.ForgetPool) == [fx.ForgetPool(left)]
    assert play.containers_of(left)[0].exits == 1
    assert play.states(kept) == ["idle"]


def test_an_input_opens_a_pool_that_lingers_in_an_app_that_is_back():
    play = Play()
    pool = play.pool(min=1)
    play.run(1)
    lose(play)
    come_back(play)
    call = play.call(pool, 1, client=AGAIN)
    play.run(30)
    assert (play.outcome(call), play.states(pool)) == ("reply", ["idle"])


def test_settings_are_those_that_were_declared():
    play = Play()
    pool = play.pool(key="k", max=2)
    play.update(pool, max=4)
    play.calls(pool, 4, 1)
    play.run(3)
    assert play.alive(pool) == 4
    lose(play)
    assert play.run(1).alive(pool) == 2
    assert play.scheduler.autoscaler(pool).max_containers == 2


def test_it_may_go_and_come_back_again_and_again():
    play = Play()
    pool = play.pool(key="k", min=1)
    play.run(1)
    owner = CLIENT
    for again in range(3):
        play.feed(ev.AppOrphaned(play.app, 20))
        play.feed(ev.ClientLost(owner))
        play.run(15)
        owner = AGAIN + again
        play.feed(ev.AppAdopted(play.app, owner))
        play.pool(key="k", min=1)
        play.run(15)
    assert len(play.containers_of(pool)) == 1
    play.feed(ev.ClientLost(owner))
    assert play.run(5).alive(pool) == 0


def test_a_container_that_starts_lingers_too():
    play = Play()
    play.habits = lambda _pool: Habits(enter=5)
    pool = play.pool(min=1)
    play.run(1)
    lose(play)
    assert play.run(10).states(pool) == ["idle"]


def test_what_a_container_opens_in_an_app_without_an_owner_keeps_nothing_warm():
    play = Play()
    play.pool(min=1)
    play.run(1)
    lose(play)
    pool = play.pool(min=1)
    assert play.run(1).alive(pool) == 0
    play.call(pool, 1, client=AGAIN)
    assert play.run(2).states(pool) == ["idle"]
    assert play.run(30).scheduler.container_count() == 0


def test_a_stop_ends_what_lingers_at_once():
    for event in (ev.AppStopped, ev.ShutdownBegan):
        play = Play()
        pool = play.pool(min=1)
        play.run(1)
        lose(play)
        play.feed(event(play.app) if event is ev.AppStopped else event())
        play.run(1)
        assert play.containers_of(pool)[0].exits == 1
        assert play.scheduler.container_count() == 0


def test_a_client_that_was_only_cut_off_has_what_lingers_killed():
    play = Play()
    pool = play.pool(min=1)
    play.run(1)
    lose(play)
    play.feed(ev.AppStopped(play.app, kill=True))
    play.run(1)
    assert (play.containers_of(pool)[0].exits, play.scheduler.container_count()) == (0, 0)


def test_it_is_told_until_when_it_lingers_and_whether_its_notebook_is_back():
    play = Play()
    pool = play.pool(key="k", min=1)
    play.run(1)
    stats = play.scheduler.pool_stats(pool)
    assert (stats.lingers_until, stats.back) == (float("inf"), False)
    lose(play)
    stats = play.scheduler.pool_stats(pool)
    assert (stats.lingers_until, stats.back) == (21.0, False)
    come_back(play)
    stats = play.scheduler.pool_stats(pool)
    assert (stats.lingers_until, stats.back) == (21.0, True)
    play.pool(key="k", min=1)
    assert play.scheduler.pool_stats(pool).lingers_until == float("inf")


def test_what_is_being_cancelled_starts_nothing():
    """It counts as load until its container has answered."""
    play = Play()
    pool = play.pool(max=2)
    play.calls(pool, 2, 0.5)
    play.run(2)
    play.chunk(pool, [Work(60)] * 6)
    busy = play.busy(pool)
    (idle,) = [container for container in play.containers_of(pool) if container not in busy]
    lose(play)
    idle.die(CRASH)
    play.run(5)
    assert len(play.containers_of(pool)) == 2
