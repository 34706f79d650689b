"""What only some pools have is told of them: inputs side by side, batches, retries, and starts that are held back."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest

import modal_nb as modal
from tests.cli.terminal import modal_nb
from tests.e2e.home import until
from tests.e2e.test_panel_reports import Listener

app = modal.App("modes")


@app.cls(max_containers=1, scaledown_window=3600)
@modal.concurrent(max_inputs=8, target_inputs=6)
class Wide:
    @modal.method()
    def until_there(self, path):
        while not Path(path).exists():
            time.sleep(0.01)


@app.cls(max_containers=1, scaledown_window=3600)
class Batched:
    @modal.batched(max_batch_size=4, wait_ms=1500)
    def double(self, xs):
        while "gate" in xs[0] and not Path(xs[0]).exists():
            time.sleep(0.01)
        return [2 * x for x in xs]


@app.cls(max_containers=1, scaledown_window=3600, retries=modal.Retries(max_retries=3, initial_delay=1.0))
class Retrying:
    @modal.method()
    def second_time(self, path):
        if not Path(path).exists():
            Path(path).touch()
            raise ValueError("the first time")
        return "done"


@app.cls(max_containers=2, scaledown_window=3600)
class Plain:
    @modal.method()
    def one(self):
        return 1


@app.cls(min_containers=1, max_containers=1)
class NeverUp:
    @modal.enter()
    def fail(self):
        raise ValueError("no database")

    @modal.method()
    def use(self): ...


@pytest.fixture
def listener(home):
    with app.run():
        found = Listener(home, everything=True)
        yield found
        found.close()


def lived(report):
    (one,) = (one for one in report["containers"] if one["state"] != "dead")
    return one


def test_a_pool_of_inputs_side_by_side_tells_how_many(listener, tmp_path):
    gate = str(tmp_path / "gate")
    calls = [Wide().until_there.spawn(gate) for _ in range(3)]
    until(lambda: (pool := listener.pool("Wide")) and pool["running"] == 3)
    report = listener.pool("Wide")
    assert report["concurrency"] == {"max_inputs": 8, "target_inputs": 6}
    until(lambda: lived(listener.pool("Wide"))["running"] == 3)
    assert lived(listener.pool("Wide"))["slots"] == 8
    words = "up to 8 inputs at a time per container, aims at 6"
    assert words in Wide().panel()._repr_mimebundle_()["text/html"]
    assert words in modal_nb("status").stdout
    Path(gate).touch()
    for call in calls:
        call.get()


def test_a_batch_takes_one_slot_and_batches_are_counted(listener, tmp_path):
    gate = tmp_path / "gate"
    calls = [Batched().double.spawn(str(gate)) for _ in range(4)]
    until(lambda: (pool := listener.pool("Batched")) and pool["running"] == 4)
    assert lived(listener.pool("Batched"))["running"] == 1
    gate.touch()
    for call in calls:
        call.get()
    assert Batched().double.remote("x") == "xx"
    until(lambda: listener.pool("Batched")["batches"] == {"count": 2, "inputs": 5})
    report = listener.pool("Batched")
    assert report["batching"] == [{"method": "double", "max_batch_size": 4, "wait_ms": 1500}]
    (seen,) = Batched().panel().state()["pools"]
    assert seen["batches"] == {"count": 2, "inputs": 5}
    assert "batches of up to 4, waiting at most 1.5 s" in modal_nb("status").stdout


def test_a_pool_that_tries_again_tells_how_often_and_what_waits(listener, tmp_path):
    call = Retrying().second_time.spawn(str(tmp_path / "seen"))
    report = until(lambda: listener.was("Retrying", lambda pool: pool["postponed"] == 1))
    assert report["retries"] == {
        "max_retries": 3,
        "initial_delay": 1.0,
        "backoff_coefficient": 2.0,
        "max_delay": 60.0,
    }
    assert call.get() == "done"
    until(lambda: (listener.pool("Retrying")["retried"], listener.pool("Retrying")["postponed"]) == (1, 0))
    assert "up to 3 retries" in modal_nb("status").stdout


def test_what_was_counted_stays_when_the_pool_is_gone(home):
    with app.run():
        Batched().double.remote("x")
        listener = Listener(home, everything=True)
        until(lambda: listener.pool("Batched")["batches"]["count"] == 1)
    try:
        until(lambda: listener.pool("Batched")["state"] == "gone")
        assert listener.pool("Batched")["batches"] == {"count": 1, "inputs": 1}
    finally:
        listener.close()


def test_a_plain_pool_tells_of_nothing_that_it_has_not(listener):
    Plain().one.remote()
    until(lambda: listener.pool("Plain"))
    report = listener.pool("Plain")
    wanted = {
        "concurrency": {"max_inputs": 1, "target_inputs": 1},
        "batching": [],
        "batches": {"count": 0, "inputs": 0},
        "retries": None,
        "retried": 0,
        "postponed": 0,
        "back_off": None,
    }
    assert {name: report[name] for name in wanted} == wanted
    assert "at a time" not in modal_nb("status").stdout
    assert json.loads(modal_nb("status", "--json").stdout)["running"] is True


def test_starts_that_are_held_back_after_failures_are_told_until_they_are_tried_again(listener):
    with pytest.raises(ValueError, match="no database"):
        NeverUp().use.remote()
    stats = until(lambda: (found := NeverUp().use.get_current_stats()).start_backoff and found)
    assert 0 < stats.start_backoff <= 60
    report = until(lambda: (pool := listener.pool("NeverUp")) and pool["back_off"] and pool)
    told = report["back_off"]
    assert told["seconds"] >= 1
    assert report["now"] < told["until"] <= report["now"] + told["seconds"] + 0.001
    # it goes when starts are tried again, and the next wait is longer
    until(lambda: listener.pool("NeverUp")["back_off"] is None)
    later = until(lambda: listener.pool("NeverUp")["back_off"])
    assert later["seconds"] > told["seconds"]
    assert later["until"] > told["until"]


def test_who_asks_anew_is_told_what_time_it_is_though_nothing_has_changed(listener):
    Plain().one.get_current_stats()  # opens the pool, without a container
    until(lambda: listener.pool("Plain"))
    before = listener.pool("Plain")
    listener.watch(everything=True)
    after = listener.pool("Plain")
    assert after["now"] > before["now"]
    assert after == {**before, "now": after["now"]}
