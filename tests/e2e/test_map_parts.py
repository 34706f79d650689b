"""Inputs travel together, and results do not wait for each other: what is through comes while a neighbour runs on."""

from __future__ import annotations

import asyncio
import os
import signal
from pathlib import Path

import pytest

import modal_nb as modal
from tests.e2e.home import kernel_of, until

app = modal.App("parts")
#: inputs below this one are quick, the others wait for the gate
SLOW = 12
INPUTS = range(40)


@app.cls(max_containers=2)
class Mixed:
    gate: str = modal.parameter()

    @modal.method()
    def plain(self, x):
        self.note(x)
        if x >= SLOW:
            until(Path(self.gate).exists)
        return self.value(x)

    @modal.method()
    async def awaited(self, x):
        self.note(x)
        if x >= SLOW:
            await asyncio.to_thread(until, Path(self.gate).exists)
        return self.value(x)

    def note(self, x):
        with Path(f"{self.gate} notes").open("a") as file:
            file.write(f"{x}\n")

    def value(self, x):
        if x == 3:
            raise ValueError(x)
        return x


def found(values):
    return [type(value) if isinstance(value, Exception) else value for value in values]


EXPECTED = [ValueError if x == 3 else x for x in INPUTS]


@pytest.fixture(scope="module", autouse=True)
def running(home):
    with app.run():
        yield


@pytest.fixture
def gate(tmp_path):
    return tmp_path / "gate"


def mixed(gate, method):
    """Its inputs are known to be quick, so that many of them travel together."""
    made = Mixed(gate=str(gate))
    getattr(made, method).remote(0)
    list(getattr(made, method).map(range(3)))
    Path(f"{gate} notes").unlink()
    return getattr(made, method)


@pytest.mark.parametrize("method", ["plain", "awaited"])
@pytest.mark.parametrize("order", [True, False])
def test_quick_results_come_while_a_slow_one_of_the_same_message_runs(gate, method, order):
    results = iter(mixed(gate, method).map(INPUTS, order_outputs=order, return_exceptions=True))
    first = found(next(results) for _ in range(SLOW))
    assert sorted(first, key=str) == sorted(EXPECTED[:SLOW], key=str)
    gate.touch()
    rest = found(results)
    assert sorted([*first, *rest], key=str) == sorted(EXPECTED, key=str)
    assert not order or [*first, *rest] == EXPECTED


@pytest.mark.parametrize("method", ["plain", "awaited"])
def test_what_has_come_never_runs_again_although_the_container_dies(gate, method, home):
    results = iter(mixed(gate, method).map(INPUTS, return_exceptions=True))
    first = found(next(results) for _ in range(SLOW))
    for container in home.containers("Mixed"):
        kernel = kernel_of(container)
        if kernel is not None:
            os.kill(kernel.pid, signal.SIGKILL)
    gate.touch()
    assert [*first, *found(results)] == EXPECTED
    ran = Path(f"{gate} notes").read_text().split()
    assert [ran.count(str(x)) for x in range(SLOW)] == [1] * SLOW
