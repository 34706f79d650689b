"""The judge of a chaos run: what clients and containers wrote down, and whether that can be true. Pure.

Times are nanoseconds of the machine's monotonic clock, which all processes share.
"""

from __future__ import annotations

import zlib
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field


def expected(name: str) -> int:
    """What the method under test gives for an input of this name."""
    return zlib.crc32(name.encode())


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a client was told of an input: the value, or the name of an exception."""

    name: str
    at: int
    value: int | None = None
    error: str = ""


@dataclass(slots=True)
class Run:
    """One attempt, as its container wrote it down; ``end`` is None when it never got there."""

    name: str
    container: str
    begin: int
    end: int | None = None


@dataclass(slots=True)
class History:
    """Everything that was written down."""

    #: input -> when its client gave it away
    invoked: dict[str, int] = field(default_factory=dict)
    outcomes: list[Outcome] = field(default_factory=list)
    runs: list[Run] = field(default_factory=list)
    #: container -> when it was killed, by us or together with its supervisor
    deaths: dict[str, int] = field(default_factory=dict)


def judge(history: History) -> list[str]:
    """Each sentence is one broken promise; none: every input had its one right outcome."""
    return [*_outcomes(history), *_origins(history), *_runs(history)]


def _outcomes(history: History) -> Iterator[str]:
    told: defaultdict[str, list[Outcome]] = defaultdict(list)
    for outcome in history.outcomes:
        told[outcome.name].append(outcome)
    for name in history.invoked:
        if not told[name]:
            yield f"{name} is lost: it has no outcome"
    for name, outcomes in told.items():
        if name not in history.invoked:
            yield f"{name} has an outcome and nobody asked for it"
        if len(outcomes) > 1:
            yield f"{name} has {len(outcomes)} outcomes"
        for outcome in outcomes:
            if outcome.error:
                yield f"{name} failed: {outcome.error}"
            elif outcome.value != expected(name):
                yield f"{name} is wrong: {outcome.value} in place of {expected(name)}"


def _origins(history: History) -> Iterator[str]:
    """A value comes from a run that was through before the client had it."""
    ends: defaultdict[str, list[int]] = defaultdict(list)
    for run in history.runs:
        if run.end is not None:
            ends[run.name].append(run.end)
    for outcome in history.outcomes:
        if not outcome.error and not any(end <= outcome.at for end in ends[outcome.name]):
            yield f"{outcome.name} was answered before any run of it was through"


def _runs(history: History) -> Iterator[str]:
    """Never two runs of one input at a time; a run that breaks off has a killed container."""
    of: defaultdict[str, list[Run]] = defaultdict(list)
    for run in history.runs:
        of[run.name].append(run)
        if run.name not in history.invoked:
            yield f"{run.name} ran and nobody asked for it"
        elif run.begin < history.invoked[run.name]:
            yield f"{run.name} ran before it was asked for"
        if run.end is None and run.container not in history.deaths:
            yield f"{run.name} broke off in {run.container}, which nobody killed"
    for name, runs in of.items():
        runs.sort(key=lambda run: run.begin)
        for number, first in enumerate(runs):
            over = history.deaths.get(first.container) if first.end is None else first.end
            for second in runs[number + 1 :]:
                if over is not None and second.begin < over:
                    yield f"{name} ran twice at a time, in {first.container} and {second.container}"


def reruns(history: History) -> int:
    """How often an input was begun again."""
    return len(history.runs) - len({run.name for run in history.runs})
