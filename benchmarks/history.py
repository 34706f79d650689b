"""What a run was: versions and cores (never names or paths of a machine), and one line of history for it."""

from __future__ import annotations

import importlib.metadata
import json
import os
import platform
import statistics
import subprocess
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from benchmarks.rounds import ROOT, Round

PACKAGES = ("modal_nb", "ray", "loky", "ipykernel", "jupyter-client", "pyzmq", "numpy", "cloudpickle")
HISTORY = Path(__file__).parent / "history.jsonl"


def versions() -> dict[str, str]:
    return {name: importlib.metadata.version(name) for name in PACKAGES}


def setting(rounds: Sequence[Round]) -> str:
    """The sentence above the tables."""
    shown = ", ".join(f"{name} {version}" for name, version in versions().items())
    return (
        f"{len(rounds)} rounds, interleaved: each round starts every peer once, in rotating order, each in a "
        f"process of its own. A ratio is taken within a round; the table shows the median over rounds with "
        f"the lowest and the highest. {platform.system()} {platform.machine()}, {os.cpu_count()} cores, "
        f"Python {platform.python_version()}; {shown}. Absolute times belong to that machine: compare ratios."
    )


def commit() -> str:
    """Where the code stood; empty outside of a git checkout."""
    asked = subprocess.run(
        ["git", "describe", "--always", "--dirty"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    return asked.stdout.strip()


def append(rounds: Sequence[Round]) -> None:
    keys = dict.fromkeys(key for figures in rounds for key in figures)
    medians = {
        key: {
            field: round(statistics.median(figures[key][field] for figures in rounds if key in figures), 1)
            for field in next(figures[key] for figures in rounds if key in figures)
        }
        for key in keys
    }
    entry = {
        "when": datetime.now(UTC).isoformat(timespec="seconds"),
        "commit": commit(),
        "cores": os.cpu_count(),
        "python": platform.python_version(),
        "versions": versions(),
        "rounds": len(rounds),
        "medians": medians,
    }
    with HISTORY.open("a", encoding="utf-8") as file:
        file.write(json.dumps(entry) + "\n")
