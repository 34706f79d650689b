"""Apps that end, pools that are replaced, a supervisor that is told to end."""

from __future__ import annotations

from modal_nb.scheduler import effects as fx
from modal_nb.scheduler import events as ev
from tests.scheduler.machine import Habits
from tests.scheduler.play import Play


def test_a_stopped_app_fails_what_waits_and_what_runs_and_runs_exit_hooks():
    play = Play()
    pool = play.pool(max=1)
    calls = play.calls(pool, 2, 60)
    play.run(1)
    play.feed(ev.AppStopped(play.app))
    assert play.outcomes(calls) == {"app_stopped"}
    play.run(5)
    assert play.containers_of(pool)[0].exits == 1
    assert (play.effects(fx.ForgetPool), play.effects(fx.ForgetApp)) == (
        [fx.ForgetPool(pool)],
        [fx.ForgetApp(play.app)],
    )


def test_an_app_without_pools_is_forgotten_at_once():
    play = Play()
    assert play.feed(ev.AppStopped(play.app)) == [fx.ForgetApp(play.app)]


def test_an_input_to_a_stopping_app_is_told_so():
    play = Play()
    play.habits = lambda _pool: Habits(exit=5)
    pool = play.pool(min=1)
    play.run(1)
    play.feed(ev.AppStopped(play.app))
    play.run(1)
    assert play.outcome(play.call(pool)) == "app_stopped"


def test_a_container_that_starts_when_its_app_stops_is_ended():
    play = Play()
    early, later = play.pool(min=1), play.pool(min=1)
    play.habits = lambda _pool: Habits(enter=20)
    play.run(0.05)
    assert (play.states(early), play.states(later)) == (["starting"], ["starting"])
    play.feed(ev.AppStopped(play.app))
    play.run(1)
    assert play.scheduler.container_count() == 0


def test_the_same_key_is_the_same_pool():
    play = Play()
    pool = play.pool(key="k", min=1)
    assert play.pool(key="k", min=1) == pool
    assert play.alive(pool) == 1


def test_one_key_in_two_apps_means_two_pools():
    play = Play()
    assert play.pool(key="k") != play.pool(key="k", app=play.open_app())


def test_a_new_definition_replaces_the_pool_and_the_old_one_finishes():
    play = Play()
    old = play.pool(key="old", lineage="Model", min=1)
    play.run(1)
    call = play.call(old, 5)
    new = play.pool(key="new", lineage="Model")
    assert new != old
    assert play.run(6).outcome(call) == "reply"
    play.run(4)
    assert play.effects(fx.ForgetPool) == [fx.ForgetPool(old)]
    assert play.containers_of(old)[0].exits == 1


def test_a_replaced_pool_still_serves_and_keeps_nothing_warm():
    play = Play()
    old = play.pool(key="old", lineage="Model", min=1, buffer=1)
    play.run(1)
    play.call(old, 3)
    play.pool(key="new", lineage="Model")
    late = play.call(old, 3)
    play.run(8)
    assert (play.outcome(late), play.alive(old)) == ("reply", 0)


def test_the_old_definition_run_again_is_in_force_again():
    play = Play()
    old = play.pool(key="old", lineage="Model", min=1)
    play.run(1)
    new = play.pool(key="new", lineage="Model", min=1)
    assert play.pool(key="old", lineage="Model", min=1) == old
    play.run(10)
    assert play.states(old) == ["idle"]
    assert play.effects(fx.ForgetPool) == [fx.ForgetPool(new)]


def test_shutdown_lets_what_runs_finish_and_starts_nothing():
    play = Play()
    pool = play.pool(max=1)
    running, waiting = play.call(pool, 5), play.call(pool, 5)
    play.run(1)
    play.feed(ev.ShutdownBegan())
    assert (play.outcome(running), play.outcome(waiting)) == ("", "app_stopped")
    assert play.outcome(play.call(pool)) == "app_stopped"
    play.run(10)
    assert (play.outcome(running), play.scheduler.container_count()) == ("reply", 0)
    assert play.effects(fx.ForgetApp) == [fx.ForgetApp(play.app)]


def test_shutdown_waits_no_longer_than_its_grace():
    play = Play(stop_grace=10.0)
    pool = play.pool()
    call = play.call(pool, 100)
    play.run(1)
    play.feed(ev.ShutdownBegan())
    play.run(11)
    assert (play.outcome(call), play.scheduler.container_count()) == ("app_stopped", 0)


def test_a_pool_of_an_app_that_is_not_there_is_not_opened():
    play = Play()
    play.feed(ev.AppStopped(play.app))
    assert play.outcome(play.call(play.pool())) == "pool_gone"
