"""Rounds of figures -> ratios within each round, and what the project asks of itself, as a table."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from benchmarks.peers.peer import CROWD
from benchmarks.rounds import Round

RAY_PIPELINES = ("B|Ray actor, all calls at once|{n}", "B|Ray actor, 1,000 in flight|{n}")
MEMCPY = "F|floor: memcpy into warm memory|100 MiB argument"
LARGE = ("100 MiB argument", "100 MiB result")
SCHEDULED = "J|10,000 inputs wait in 1,000 pools, {} containers|1"
#: section -> what is 1 there: of several ways to use Ray the one that was best in that round
REFERENCES = {
    "A": ("A|Ray actor|1",),
    "B": RAY_PIPELINES,
    "C": RAY_PIPELINES,
    "D": ("D|Ray Serve, @serve.batch|{n}", "D|Ray Serve for throughput, @serve.batch|{n}"),
    "E": ("E|Ray Serve, async method|{n}", "E|Ray Serve for throughput, async method|{n}"),
    "F": ("F|Ray actor|{n}",),
    "G": ("G|plain ipykernel|1",),
    "H": ("H|python -c 'import ...'|1",),
    "I": ("I|Ray actors|{n}",),
    "J": ("J|10 inputs wait in 1 pool, 1 container|1",),
}


def more_is_better(field: str) -> bool:
    """All other fields are times, memory or processor time."""
    return field == "calls_s"


@dataclass(frozen=True, slots=True)
class Ratio:
    """A figure against another one of the same round: median, lowest and highest over the rounds."""

    mid: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{shown(self.mid)} ({shown(self.low)} to {shown(self.high)})"


def shown(number: float) -> str:
    return f"{number:.2f}" if number >= 0.1 else f"{number:.4f}" if number < 0.01 else f"{number:.3f}"


@dataclass(frozen=True, slots=True)
class Aim:
    """What the project asks of itself."""

    text: str
    #: what is 1; "" for a figure that stands alone
    one: str
    #: of several keys the worst of the round counts
    keys: tuple[str, ...]
    field: str
    must: float
    stretch: float

    def verdict(self, reached: Ratio | None) -> str:
        if reached is None:
            return "not measured"
        return (
            "stretch"
            if self._within(reached, self.stretch)
            else "yes"
            if self._within(reached, self.must)
            else "**no**"
        )

    def _within(self, reached: Ratio, bound: float) -> bool:
        return reached.mid >= bound if more_is_better(self.field) else reached.mid <= bound

    def bounds(self) -> tuple[str, str]:
        sign = ">=" if more_is_better(self.field) else "<="
        return f"{sign} {self.must:g}", f"{sign} {self.stretch:g}"


OUR_CROWD = (f"I|modal_nb|{CROWD}",)
AIMS = (
    Aim("`.remote()`, p50", "Ray actor", ("A|modal_nb .remote()|1",), "p50_us", 0.45, 0.30),
    Aim("`.remote()`, p99", "Ray's p99", ("A|modal_nb .remote()|1",), "p99_us", 0.7, 0.35),
    Aim(
        "1,000 `.remote.aio()` in flight from one client, calls/s",
        "Ray's pipelined",
        ("B|modal_nb .remote.aio(), 1,000 in flight|1",),
        "calls_s",
        2.5,
        5,
    ),
    Aim("`.map()`, calls/s", "Ray's single calls", ("C|modal_nb .map()|1",), "calls_s", 90, 320),
    Aim(
        "1 MiB as argument or as result, the worse",
        "Ray actor",
        ("F|modal_nb .remote()|1 MiB argument", "F|modal_nb .remote()|1 MiB result"),
        "us",
        0.4,
        0.15,
    ),
    Aim(
        "100 MiB as argument or as result, the worse",
        "warm memcpy",
        tuple(f"F|modal_nb .remote()|{column}" for column in LARGE),
        "us",
        2.0,
        1.3,
    ),
    Aim("cold start to the first result", "plain ipykernel", ("G|modal_nb|1",), "ms", 0.024, 0.015),
    Aim(
        "the same with heavy imports in a snapshot",
        "`python -c 'import ...'`",
        ("H|modal_nb, snapshot|1",),
        "ms",
        0.02,
        0.01,
    ),
    Aim(f"{CROWD} containers, from none to a result from each", "Ray", OUR_CROWD, "wall_s", 0.15, 0.05),
    Aim(f"a call to all {CROWD}", "Ray", OUR_CROWD, "all_ms", 0.5, 0.15),
    Aim(f"memory of an idle container (PSS over {CROWD})", "Ray", OUR_CROWD, "pss_mib", 0.5, 0.2),
    Aim(f"supervisor with {CROWD} idle containers, % of a core", "", OUR_CROWD, "keepers_percent", 1, 0.2),
    Aim(
        "scheduler, one input while 10,000 wait in 1,000 pools",
        "10 in 1 pool",
        (SCHEDULED.format("1,000"), SCHEDULED.format("8")),
        "us",
        1.5,
        1.1,
    ),
)


def reference(figures: Round, key: str, field: str) -> float | None:
    """What is 1 for this key in this round."""
    section, _, column = key.split("|")
    keys = (MEMCPY,) if column in LARGE else [one.format(n=column) for one in REFERENCES[section]]
    found = [figures[one][field] for one in keys if one in figures and field in figures[one]]
    if not found:
        return None
    return max(found) if more_is_better(field) else min(found)


def ratio(rounds: Iterable[Round], key: str, field: str) -> Ratio | None:
    return _over([_ratio(figures, key, field) for figures in rounds])


def reached(rounds: Iterable[Round], aim: Aim) -> Ratio | None:
    worst = min if more_is_better(aim.field) else max
    found = []
    for figures in rounds:
        ways = [
            _ratio(figures, key, aim.field) if aim.one else figures.get(key, {}).get(aim.field)
            for key in aim.keys
        ]
        known = [way for way in ways if way is not None]
        found.append(worst(known) if len(known) == len(ways) else None)
    return _over(found)


def _ratio(figures: Round, key: str, field: str) -> float | None:
    one = reference(figures, key, field)
    return figures[key][field] / one if one and field in figures.get(key, {}) else None


def _over(found: Iterable[float | None]) -> Ratio | None:
    known = [one for one in found if one is not None]
    return Ratio(statistics.median(known), min(known), max(known)) if known else None


def aims_table(rounds: Sequence[Round]) -> list[str]:
    rows = []
    for aim in AIMS:
        found = reached(rounds, aim)
        must, stretch = aim.bounds()
        rows.append(
            f"| {aim.text} | {aim.one or '-'} | {must} | {stretch} | {found or '-'} | {aim.verdict(found)} |"
        )
    return ["| what | is 1 | must | stretch | reached (spread) | met |", "| --- " * 6 + "|", *rows]
