"""One machine for all pools: its limit in containers, cores and memory, shared fairly, with a reason for who waits."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

import modal_nb as modal
from modal_nb.exception import AppStoppedError, ResourceExhaustedError
from tests.e2e.home import until

app = modal.App("limits")


@pytest.fixture(scope="module")
def machine():
    return {"MODAL_NB_MAX_CONTAINERS": "4", "MODAL_NB_MAX_CPU": "3", "MODAL_NB_MAX_MEMORY": "1000"}


class Waiting:
    @modal.method()
    def wait_for(self, path):
        while not Path(path).exists():
            time.sleep(0.01)
        return os.environ["MODAL_TASK_ID"], os.environ["OMP_NUM_THREADS"]


@app.cls(scaledown_window=3600)
class Any1(Waiting):
    pass


@app.cls(scaledown_window=3600)
class Any2(Waiting):
    pass


@app.cls(cpu=2)
class TwoCores(Waiting):
    pass


@app.cls(memory=600)
class Memory(Waiting):
    pass


@app.cls(cpu=64)
class TooMany(Waiting):
    pass


@pytest.fixture
def running(home):
    with app.run():
        yield


@pytest.fixture
def calls():
    with ThreadPoolExecutor(32) as pool:
        yield pool


def busy(home, service):
    return len([c for c in home.containers(service) if c.state == "busy"])


def test_no_more_containers_than_the_machine_may_have_and_two_pools_share_them(
    running, home, tmp_path, calls
):
    one, two = tmp_path / "one", tmp_path / "two"
    first = [calls.submit(Any1().wait_for.remote, str(one)) for _ in range(8)]
    until(lambda: (busy(home, "Any1"), home.pool("Any1").queued) == (4, 4))
    assert home.pool("Any1").why == "4 queued, waiting for the machine-wide limit of 4 containers"
    second = [calls.submit(Any2().wait_for.remote, str(two)) for _ in range(8)]
    until(lambda: home.pools("Any2") and home.pool("Any2").queued == 8)
    assert "machine-wide limit of 4 containers" in home.pool("Any2").why
    one.touch()
    until(lambda: busy(home, "Any2"))
    two.touch()
    assert len([call.result(60) for call in first + second]) == 16
    assert home.status().containers <= 4


def test_requests_of_cores_are_counted_and_give_libraries_as_many_threads(
    running, home, tmp_path, calls, monkeypatch
):
    monkeypatch.delenv("OMP_NUM_THREADS")
    gate = tmp_path / "gate"
    inputs = [calls.submit(TwoCores().wait_for.remote, str(gate)) for _ in range(2)]
    until(lambda: (busy(home, "TwoCores"), home.pool("TwoCores").queued) == (1, 1))
    assert home.pool("TwoCores").why == (
        "1 queued, waiting for the machine-wide limit of 3 cores: one container asks for cpu=2"
    )
    assert len(home.ids("TwoCores")) == 1
    gate.touch()
    assert {call.result(60)[1] for call in inputs} == {"2"}


def test_requests_of_memory_are_counted(running, home, tmp_path, calls):
    gate = tmp_path / "gate"
    inputs = [calls.submit(Memory().wait_for.remote, str(gate)) for _ in range(2)]
    until(lambda: (busy(home, "Memory"), home.pool("Memory").queued) == (1, 1))
    assert "machine-wide limit of 1000 MiB: one container asks for memory=600" in home.pool("Memory").why
    gate.touch()
    assert len({call.result(60)[0] for call in inputs}) == 1


def test_a_request_that_the_machine_can_never_meet_fails_at_once(running):
    with pytest.raises(ResourceExhaustedError) as caught:
        TooMany().wait_for.remote("")
    assert str(caught.value).startswith(
        "TooMany.wait_for can never run here: a container asks for cpu=64, which is more than the machine-wide limit"
    )


def test_the_command_line_says_why_something_waits(running, home, tmp_path, calls):
    gate = tmp_path / "gate"
    inputs = [calls.submit(TwoCores().wait_for.remote, str(gate)) for _ in range(2)]
    until(lambda: (busy(home, "TwoCores"), home.pool("TwoCores").queued) == (1, 1))
    command = [sys.executable, "-m", "modal_nb.cli", "status"]
    said = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout
    assert "1 of 4 containers" in said
    assert "TwoCores: 1 queued, 1 running; min 0, max no limit, buffer 0, window 60 s" in said
    assert "waiting for the machine-wide limit of 3 cores: one container asks for cpu=2" in said
    assert next(iter(home.ids("TwoCores"))) in said
    gate.touch()
    assert len([call.result(60) for call in inputs]) == 2


def test_the_app_that_ends_says_so_to_who_waits(running, home, tmp_path, calls):
    gate = tmp_path / "gate"
    waits = calls.submit(lambda: list(TwoCores().wait_for.map([str(gate)] * 2, return_exceptions=True)))
    until(lambda: busy(home, "TwoCores") == 1)
    app.stop()
    for error in waits.result(60):
        assert type(error) is AppStoppedError
        assert str(error) == "the app ended before TwoCores.wait_for was through"
