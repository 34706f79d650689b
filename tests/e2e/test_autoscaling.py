"""How many containers a pool has, and how that is changed while it runs."""

from __future__ import annotations

import asyncio
import os
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

import modal_nb as modal
from modal_nb.exception import ExecutionError, InvalidError
from modal_nb.spec.scaling import Autoscaler
from tests.e2e.home import until

app = modal.App("autoscaling")


class Waiting:
    pool: str = modal.parameter(default="")

    @modal.method()
    def wait_for(self, path, x=0):
        while not Path(path).exists():
            time.sleep(0.01)
        return os.environ["MODAL_TASK_ID"]

    @modal.method()
    def where(self):
        return os.environ["MODAL_TASK_ID"]


@app.cls(max_containers=3, scaledown_window=2)
class Capped(Waiting):
    pass


@app.cls(min_containers=2, max_containers=3, scaledown_window=2)
class Warm(Waiting):
    pass


@app.cls(buffer_containers=2, max_containers=4, scaledown_window=2)
class Buffered(Waiting):
    pass


@app.cls(max_containers=4, scaledown_window=3600)
class Steered(Waiting):
    pass


@pytest.fixture
def running(home):
    with app.run():
        yield


class Load:
    """Inputs that run until ``end``."""

    def __init__(self, obj, n, gate):
        self.gate = gate
        self._pool = ThreadPoolExecutor(n)
        self._calls = [self._pool.submit(obj.wait_for.remote, str(gate)) for _ in range(n)]

    def end(self):
        self.gate.touch()
        answers = [call.result(60) for call in self._calls]
        self._pool.shutdown()
        return answers


def in_state(home, service, *states):
    return {c.id for c in home.containers(service) if c.state in states}


def test_a_pool_starts_from_zero_grows_to_its_maximum_and_goes_back_to_zero(running, home, tmp_path):
    capped = Capped()
    assert not home.pools("Capped")
    load = Load(capped, 6, tmp_path / "gate")
    until(lambda: len(in_state(home, "Capped", "busy")) == 3)
    until(lambda: home.pool("Capped").queued == 3)
    assert home.pool("Capped").why == "3 queued, at max_containers=3: raise it to start more"
    stats = capped.where.get_current_stats()
    assert (stats.backlog, stats.num_total_runners, stats.num_running_inputs, stats.input_headroom) == (
        3,
        3,
        3,
        0,
    )
    assert len(set(load.end())) == 3
    until(lambda: not home.ids("Capped"))


def test_min_containers_are_kept_warm(running, home, tmp_path):
    load = Load(Warm(), 3, tmp_path / "gate")
    until(lambda: len(in_state(home, "Warm", "busy")) == 3)
    load.end()
    until(lambda: len(home.ids("Warm")) == 2)
    kept = home.ids("Warm")
    assert Warm().where.remote() in kept


def test_buffer_containers_idle_beside_busy_ones_only(running, home, tmp_path):
    load = Load(Buffered(), 1, tmp_path / "gate")
    until(
        lambda: len(in_state(home, "Buffered", "busy")) == 1 and len(in_state(home, "Buffered", "idle")) == 2
    )
    load.end()
    until(lambda: not home.ids("Buffered"))


def test_update_autoscaler_acts_at_once_and_restarts_nothing(running, home, tmp_path):
    steered = Steered()
    first = steered.where.remote()
    assert steered.update_autoscaler(min_containers=3) == Autoscaler(3, 4, 0, 3600)
    until(lambda: len(in_state(home, "Steered", "idle")) == 3)
    three = home.ids("Steered")
    assert first in three
    assert steered.update_autoscaler(max_containers=5, buffer_containers=1) == Autoscaler(3, 5, 1, 3600)
    load = Load(steered, 4, tmp_path / "gate")
    until(lambda: len(in_state(home, "Steered", "busy")) == 4 and len(in_state(home, "Steered", "idle")) == 1)
    assert three < home.ids("Steered")
    load.end()
    settings = steered.update_autoscaler(min_containers=1, max_containers=1, buffer_containers=0)
    assert settings == Autoscaler(1, 1, 0, 3600)
    until(lambda: len(home.ids("Steered")) == 1)
    (left,) = home.ids("Steered")
    assert steered.where.remote() == left
    steered.update_autoscaler(min_containers=0, scaledown_window=2)
    until(lambda: not home.ids("Steered"))


def test_the_awaited_face_and_the_scope_of_one_instance(running, home):
    one, other = Steered(pool="one"), Steered(pool="other")
    assert asyncio.run(one.update_autoscaler.aio(max_containers=2)).max_containers == 2
    assert other.update_autoscaler().max_containers == 4
    assert one.update_autoscaler().max_containers == 2


def test_lowering_the_maximum_lets_running_inputs_finish(running, home, tmp_path):
    capped = Capped(pool="lowered")
    load = Load(capped, 3, tmp_path / "gate")
    until(lambda: len(in_state(home, "Capped", "busy")) == 3)
    capped.update_autoscaler(max_containers=1)
    until(lambda: len(in_state(home, "Capped", "draining")) == 2)
    assert len(set(load.end())) == 3
    until(lambda: len(home.ids("Capped")) <= 1)


def test_settings_that_do_not_fit_are_refused_and_change_nothing(running, home):
    steered = Steered(pool="refused")
    with pytest.raises(InvalidError, match=r"min_containers.*max_containers"):
        steered.update_autoscaler(min_containers=9)
    with pytest.raises(InvalidError, match="scaledown_window"):
        steered.update_autoscaler(scaledown_window=1)
    with pytest.raises(InvalidError, match="cannot be used on a method"):
        steered.where.update_autoscaler(min_containers=1)
    with pytest.raises(InvalidError, match="keep_warm is gone"):
        steered.where.keep_warm(1)
    assert steered.update_autoscaler() == Autoscaler(0, 4, 0, 3600)


def test_update_autoscaler_needs_a_running_app(home):
    with pytest.raises(ExecutionError, match="'autoscaling' is not running"):
        Steered().update_autoscaler(min_containers=1)


def test_changes_survive_a_supervisor_that_was_killed(running, home):
    steered = Steered(pool="survives")
    steered.update_autoscaler(min_containers=2)
    before = until(lambda: (ids := in_state(home, "Steered", "idle")) and len(ids) == 2 and ids)
    home.supervisor().kill()
    assert steered.where.remote() not in before
    until(lambda: len(in_state(home, "Steered", "idle")) == 2)
    assert steered.update_autoscaler().min_containers == 2


def test_a_cold_burst_starts_no_more_than_the_maximum(running, home):
    capped = Capped(pool="burst")
    seen, over = set(), threading.Event()

    def watch():
        while not over.is_set():
            seen.update(len(pool.containers) for pool in home.pools("Capped"))

    watcher = threading.Thread(target=watch)
    watcher.start()
    list(capped.where.map([]))
    assert len({capped.where.remote() for _ in range(20)}) <= 3
    over.set()
    watcher.join()
    assert max(seen, default=0) <= 3


def test_a_long_input_does_not_hold_back_one_that_was_fetched_ahead(running, home, tmp_path):
    """The pool has only seen short inputs, so each container fetches one ahead, behind an input that turns out long."""
    capped = Capped(pool="ahead")
    assert {capped.where.remote() for _ in range(10)}
    load = Load(capped, 2, tmp_path / "gate")
    until(lambda: len(in_state(home, "Capped", "busy")) == 2)
    assert len(set(load.end())) == 2


def test_an_input_that_is_cancelled_before_its_container_read_it_never_runs(running, home, tmp_path):
    capped = Capped(pool="cancelled").wait_for
    only = Capped(pool="cancelled")
    only.update_autoscaler(max_containers=1)
    for _ in range(10):
        only.where.remote()
    load = Load(only, 1, tmp_path / "gate")
    until(lambda: in_state(home, "Capped", "busy"))

    async def give_up():
        with pytest.raises(asyncio.TimeoutError):
            await asyncio.wait_for(capped.remote.aio(str(tmp_path / "never")), 0.02)

    asyncio.run(give_up())
    served = load.end()
    assert only.where.remote() == served[0]
