"""Draws where the milliseconds of a cold start go into docs/start.svg: `python -m scripts.profile_start`.

The supervisor's own breakdown (what panels show) is put between what the caller and the method saw: on Linux all of
them read the same clock. Takes a minute or less. What is drawn is the start in the middle of all, which really was.
"""

from __future__ import annotations

import os
import tempfile
import time
from itertools import pairwise
from pathlib import Path
from typing import Any

import modal_nb as modal
from scripts import timeline

PICTURE = Path(__file__).resolve().parents[1] / "docs" / "start.svg"
#: starts of each class; the first ones also make the warm parent, its spare and the snapshot
STARTS, UNCOUNTED = 9, 2
STEPS = (
    "call: signed, sent, queued",
    "process: fork, guard, connection",
    "class: its bytes and imports",
    "enter hooks",
    "input: sent and opened",
    "result: sent and opened",
)
app = modal.App("profile-start")


@app.cls(max_containers=1, scaledown_window=2)
class Light:
    """Imports nothing."""

    @modal.method()
    def when(self) -> float:
        return time.monotonic()


class Loading:
    """Takes a second or two to load."""

    @modal.enter(snap=True)
    def load(self) -> None:
        import scipy.stats  # noqa: F401, PLC0415 - what is timed here is that it is imported
        import sklearn.ensemble  # noqa: F401, PLC0415

    @modal.method()
    def when(self) -> float:
        return time.monotonic()


@app.cls(max_containers=1, scaledown_window=2, enable_memory_snapshot=True)
class Snapshot(Loading):
    """Loads once."""


@app.cls(max_containers=1, scaledown_window=2)
class Plain(Loading):
    """Loads in each container."""


def one_start(pool: Any) -> list[float]:
    """Milliseconds of each step of one cold start."""
    pool.wait_for(containers=0)
    called = time.monotonic()
    method = pool.when.remote()
    answered = time.monotonic()
    (report,) = pool.panel().state()["pools"]
    container = max(report["containers"], key=lambda one: one["born"])
    start, born = container["start"], container["born"]
    # the first container of a class with a snapshot has a phase more
    launched = born + start.get("snapshot", 0.0) + start["launch"]
    loaded = launched + start["imports"]
    moments = [called, born, launched, loaded, born + start["total"], method, answered]
    return [1e3 * (end - begin) for begin, end in pairwise(moments)]


def starts() -> dict[str, list[float]]:
    """By class: the steps of the start that was in the middle of all by its length."""
    pools = {
        "a class that imports nothing": Light(),
        "SciPy, scikit-learn, with a snapshot": Snapshot(),
        "SciPy, scikit-learn, without": Plain(),
    }
    found: dict[str, list[list[float]]] = {name: [] for name in pools}
    for _ in range(STARTS):
        for name, pool in pools.items():
            found[name].append(one_start(pool))
    counted = {name: sorted(steps[UNCOUNTED:], key=sum) for name, steps in found.items()}
    return {name: steps[len(steps) // 2] for name, steps in counted.items()}


def main() -> None:
    with tempfile.TemporaryDirectory(prefix="mnb", ignore_cleanup_errors=True) as home:
        os.environ["MODAL_NB_HOME"] = home
        with app.run():
            found = starts()
    bars = {f"{name}: {sum(steps):,.1f} ms": steps for name, steps in found.items()}
    across = "milliseconds from .remote() to its result"
    timeline.draw(PICTURE, bars, STEPS, across=across, height=5, digits=1, least=1 / 15)
    for name, steps in found.items():
        print(f"{name}: {sum(steps):.1f} ms")
        for step, took in zip(STEPS, steps, strict=True):
            print(f"  {took:8.2f}  {step}")


if __name__ == "__main__":
    main()
