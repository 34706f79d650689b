"""What a run was: versions and cores (never names or paths of a machine), and one line of history for it."""

from __future__ import annotations

import importlib.metadata
import json
import os
import platform
import statistics
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from benchmarks.rounds import ROOT, Round
from benchmarks.table import Ratio, more_is_better, ratio, shown

PACKAGES = (
    "modal_nb",
    "ray",
    "distributed",
    "ipyparallel",
    "loky",
    "ipykernel",
    "jupyter-client",
    "pyzmq",
    "numpy",
    "pandas",
    "cloudpickle",
)
#: how many times worse than in the run before is worth a line: less is the unrest of a machine
WORSE = 1.3
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
            field: round(statistics.median(figures[key][field] for figures in rounds if key in figures), 3)
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


def entries() -> list[dict[str, Any]]:
    return [json.loads(line) for line in HISTORY.read_text(encoding="utf-8").splitlines()]


@dataclass(frozen=True, slots=True)
class Change:
    """One figure of ours in two runs, against what is 1 in each: the machines' own speed falls out."""

    what: str
    before: float
    after: float
    #: more than 1: worse
    times: float


def changes(before: Round, after: Round) -> list[Change]:
    """The worst first. `before` and `after` are the medians of two runs."""
    found = []
    for key in after:
        if not _ours(key):
            continue
        # how many calls were made is no result
        for field in set(after[key]) - {"calls"}:
            old, new = ratio([before], key, field), ratio([after], key, field)
            if old and new:
                found.append(_change(f"{key.replace('|', ', ')}, {field}", field, old, new))
    return sorted(found, key=lambda change: -change.times)


def _ours(key: str) -> bool:
    section, who, _ = key.split("|")
    return who.startswith("modal_nb") or section == "J"


def _change(what: str, field: str, before: Ratio, after: Ratio) -> Change:
    times = before.mid / after.mid if more_is_better(field) else after.mid / before.mid
    return Change(what, before.mid, after.mid, times)


def comparison(before: dict[str, Any], after: dict[str, Any]) -> str:
    """What has become worse between two entries, by name, and then everything that both have."""
    found = changes(before["medians"], after["medians"])
    worse = [change for change in found if change.times > WORSE]
    said = f"{len(worse)} of {len(found)} figures got more than {WORSE} times worse"
    lines = [f"{before['commit']} ({before['when']}) -> {after['commit']} ({after['when']}): {said}."]
    lines += [f"WORSE: {change.what}: {change.times:.2f} times" for change in worse]
    rows = [
        f"| {change.what} | {shown(change.before)} | {shown(change.after)} | {change.times:.2f} |"
        for change in found
    ]
    head = ["", "| figure, against what is 1 in its run | before | after | times worse |", "| --- " * 4 + "|"]
    return "\n".join([*lines, *head, *rows])


def compare_last() -> str:
    known = entries()
    if len(known) < 2:
        return "There is nothing to compare: the history has fewer than two runs."
    return comparison(*known[-2:])
