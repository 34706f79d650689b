"""Draws where the microseconds of a call go into docs/call.svg: `python -m scripts.profile_call`.

The supervisor of this run notes when its scheduler is told of an input and of its end; caller and method note when they
begin and end. On Linux all of them read the same clock. What is between these moments is the way from process to
process: bytes made, signed, written, a process woken, bytes read, checked and opened.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from bisect import bisect
from itertools import pairwise
from pathlib import Path
from typing import Any

import modal_nb as modal
from scripts import timeline

PICTURE = Path(__file__).resolve().parents[1] / "docs" / "call.svg"
CALLS, UNCOUNTED = 3_000, 500
STEPS = (
    "caller to supervisor",
    "scheduler: where to",
    "supervisor to method",
    "method to supervisor",
    "scheduler: what now",
    "supervisor to caller",
)
#: loaded by Python when the supervisor starts, and by nobody else
NOTES = """
import sys
if "modal_nb.supervisor" in sys.orig_argv:
    import atexit, json, os, time
    from modal_nb.scheduler.scheduler import Scheduler
    notes, feed = {"InputArrived": [], "InputFinished": []}, Scheduler.feed

    def noting(self, event, now):
        begin = time.monotonic()
        effects = feed(self, event, now)
        kept = notes.get(type(event).__name__)
        if kept is not None:
            kept.append((begin, time.monotonic()))
        return effects

    Scheduler.feed = noting

    def write():
        with open(__file__ + ".new", "w") as file:
            json.dump(notes, file)
        os.rename(file.name, __file__ + ".json")

    atexit.register(write)
"""
app = modal.App("profile-call")


@app.cls(min_containers=1, max_containers=1)
class Service:
    """Does nothing."""

    @modal.method()
    def when(self) -> float:
        return time.monotonic()


def calls() -> list[tuple[float, float, float]]:
    """Of each call: when it was made, when its method ran, when its result was there."""
    when = Service().when.remote
    found = []
    for _ in range(CALLS):
        called = time.monotonic()
        method = when()
        found.append((called, method, time.monotonic()))
    return found[UNCOUNTED:]


def steps(call: tuple[float, float, float], notes: dict[str, Any]) -> list[float]:
    """Microseconds of each step."""
    called, method, answered = call
    arrived = notes["InputArrived"][bisect(notes["InputArrived"], [called])]
    finished = notes["InputFinished"][bisect(notes["InputFinished"], [method])]
    moments = [called, *arrived, method, *finished, answered]
    return [1e6 * (end - begin) for begin, end in pairwise(moments)]


def measure(folder: Path) -> list[list[float]]:
    (folder / "sitecustomize.py").write_text(NOTES, encoding="utf-8")
    os.environ["PYTHONPATH"] = os.pathsep.join([str(folder), os.environ.get("PYTHONPATH", "")])
    os.environ["MODAL_NB_HOME"] = str(folder)
    with app.run():
        made = calls()
    # the supervisor writes what it has noted when it ends, and a moment after it is said to have ended
    subprocess.run([sys.executable, "-m", "modal_nb.cli", "stop"], check=True, stdout=subprocess.DEVNULL)
    noted = folder / "sitecustomize.py.json"
    patience = time.monotonic() + 10
    while not noted.exists() and time.monotonic() < patience:
        time.sleep(0.02)
    notes = json.loads(noted.read_text(encoding="utf-8"))
    return [steps(call, notes) for call in made]


def main() -> None:
    with tempfile.TemporaryDirectory(prefix="mnb", ignore_cleanup_errors=True) as folder:
        found = measure(Path(folder))
    medians = [statistics.median(step) for step in zip(*found, strict=True)]
    whole = statistics.median(map(sum, found))
    title = f"one blocking call of a warm container: {whole:,.0f} us (median of {CALLS - UNCOUNTED:,})"
    across = "microseconds from .remote() to its result"
    timeline.draw(PICTURE, {title: medians}, STEPS, across=across, height=2.2)
    print(f"{whole:8.1f}  us, the whole call")
    for step, took in zip(STEPS, medians, strict=True):
        print(f"{took:8.1f}  {step}")


if __name__ == "__main__":
    main()
