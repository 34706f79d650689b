"""Rounds of figures -> Markdown: medians over rounds, ratios within each round, with their spread."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from benchmarks.peers.peer import IN_FLIGHT
from benchmarks.rounds import Round
from benchmarks.work import BATCH_SIZES, PAUSE_S, SIDE_BY_SIDE, WAIT_MS

RAY_PIPELINES = ("B|Ray actor, all calls at once|{n}", "B|Ray actor, 1,000 in flight|{n}")
#: section -> what is 1 there: of several ways to use Ray the one that was fastest in that round
REFERENCES = {
    "A": ("A|Ray actor|1",),
    "B": RAY_PIPELINES,
    "C": RAY_PIPELINES,
    "D": ("D|Ray Serve, @serve.batch|{n}", "D|Ray Serve for throughput, @serve.batch|{n}"),
    "E": ("E|Ray Serve, async method|{n}", "E|Ray Serve for throughput, async method|{n}"),
}
SERVE = (
    "1 is Ray Serve in the same round, called through its handle without a proxy, in the faster of two settings: as it "
    "comes, and for throughput (`RAY_SERVE_THROUGHPUT_OPTIMIZED`)."
)
#: the columns of a table, and their heads
CONTAINERS = {1: "1 container", 2: "2 containers"}
SIZES = {size: f"batches of {size}" for size in BATCH_SIZES}


@dataclass(frozen=True, slots=True)
class Ratio:
    """A figure against Ray's of the same round: median, lowest and highest over the rounds."""

    mid: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.mid:.2f} ({self.low:.2f} to {self.high:.2f})"


@dataclass(frozen=True, slots=True)
class Aim:
    """What the project asks of itself."""

    text: str
    section: str
    who: str
    containers: int
    bound: float
    lower_is_better: bool = False

    def met(self, ratio: Ratio) -> bool:
        return ratio.mid <= self.bound if self.lower_is_better else ratio.mid >= self.bound


AIMS = (
    Aim("`.remote()`, p50", "A", "modal_nb .remote()", 1, 0.8, lower_is_better=True),
    Aim("1,000 `.remote.aio()` in flight, calls/s", "B", "modal_nb .remote.aio(), 1,000 in flight", 1, 1.5),
    Aim("`.map()` of no-ops, calls/s", "C", "modal_nb .map()", 1, 5.0),
)


def reference(figures: Round, section: str, column: str, field: str) -> float | None:
    keys = [key.format(n=column) for key in REFERENCES[section]]
    return max((figures[key][field] for key in keys if key in figures), default=None)


def ratio(rounds: Iterable[Round], key: str, field: str) -> Ratio | None:
    section, _, column = key.split("|")
    found = [
        figures[key][field] / one
        for figures in rounds
        if key in figures and (one := reference(figures, section, column, field))
    ]
    return Ratio(statistics.median(found), min(found), max(found)) if found else None


def median(rounds: Iterable[Round], key: str, field: str) -> float:
    return statistics.median(figures[key][field] for figures in rounds if key in figures)


def names(rounds: Iterable[Round], section: str) -> list[str]:
    """Who has figures in a section, each once."""
    keys = [key.split("|") for figures in rounds for key in figures]
    return list(dict.fromkeys(what for found, what, _ in keys if found == section))


def sync_table(rounds: Sequence[Round]) -> list[str]:
    rows = []
    for who in names(rounds, "A"):
        key = f"A|{who}|1"
        p50, p99 = ratio(rounds, key, "p50_us"), ratio(rounds, key, "p99_us")
        shown = f"| {who} | {p50 or '-'} | {median(rounds, key, 'p50_us'):,.0f} | {p99 or '-'} |"
        rows.append((p50.mid if p50 else 0.0, shown))
    head = ["| who | p50, Ray = 1 (spread) | median p50, us | p99, Ray's p99 = 1 (spread) |"]
    return [*head, "| --- | --- | --- | --- |", *_sorted(rows)]


def burst_table(
    rounds: Sequence[Round], section: str, columns: Mapping[int, str] = CONTAINERS, one: str = "Ray"
) -> list[str]:
    rows = []
    for who in names(rounds, section):
        cells = []
        for column in columns:
            key = f"{section}|{who}|{column}"
            known = any(key in figures for figures in rounds)
            cells += [str(ratio(rounds, key, "calls_s") or "-") if known else "-"]
            cells += [f"{median(rounds, key, 'calls_s'):,.0f}" if known else "-"]
        first = ratio(rounds, f"{section}|{who}|{next(iter(columns))}", "calls_s")
        rows.append((first.mid if first else 0.0, f"| {who} | {' | '.join(cells)} |"))
    heads = "".join(f" {column}, {one} = 1 (spread) | calls/s |" for column in columns.values())
    return [f"| who |{heads}", f"| --- |{' --- | --- |' * len(columns)}", *_sorted(rows)]


def aims_table(rounds: Sequence[Round]) -> list[str]:
    rows = []
    for aim in AIMS:
        field = "p50_us" if aim.section == "A" else "calls_s"
        reached = ratio(rounds, f"{aim.section}|{aim.who}|{aim.containers}", field)
        sign, verdict = ("<=" if aim.lower_is_better else ">="), "not measured"
        if reached:
            verdict = "yes" if aim.met(reached) else "**no**"
        rows.append(f"| {aim.text} | {sign} {aim.bound:g} | {reached or '-'} | {verdict} |")
    return ["| Ray actor = 1 | asked | reached (spread) | met |", "| --- | --- | --- | --- |", *rows]


def _sorted(rows: Iterable[tuple[float, str]]) -> list[str]:
    return [row for _, row in sorted(rows)]


def batch_section(rounds: Sequence[Round]) -> list[str]:
    text = (
        f"The method makes its weights once for each batch (a fixed time) and multiplies each row by them (a "
        f"little more). One container, {IN_FLIGHT:,} calls in flight from one client; a batch waits {WAIT_MS} ms "
        f"at most for more. {SERVE}"
    )
    picture = "![Calls per second against the size of a batch](batched.svg)"
    return [text, "", *burst_table(rounds, "D", SIZES, "Serve"), "", picture]


def concurrent_section(rounds: Sequence[Round]) -> list[str]:
    text = (
        f"The method awaits {PAUSE_S * 1_000:.0f} ms. One container runs {SIDE_BY_SIDE} inputs side by side, so it "
        f"can answer {SIDE_BY_SIDE / PAUSE_S:,.0f} a second at most; {IN_FLIGHT:,} calls are in flight from one "
        f"client. 1 is Ray Serve as in section D."
    )
    return [text, "", *burst_table(rounds, "E", {1: "1 container"}, "Serve")]


SECTIONS: dict[str, tuple[str, Callable[[Sequence[Round]], list[str]]]] = {
    "A": ("A. One blocking call (lower is better)", sync_table),
    "B": ("B. Many single calls from one client (higher is better)", lambda r: burst_table(r, "B")),
    "C": ("C. One call over many inputs (higher is better)", lambda r: burst_table(r, "C")),
    "D": ("D. Batched calls (higher is better)", batch_section),
    "E": ("E. Concurrent calls of an async method (higher is better)", concurrent_section),
}


def document(rounds: Sequence[Round], sections: str, setting: str) -> str:
    lines = ["# Benchmarks", "", "Written by `make bench`.", "", setting, "", *aims_table(rounds)]
    for section in sections:
        title, body = SECTIONS[section]
        lines += ["", f"## {title}", "", *body(rounds)]
    return "\n".join([*lines, ""])
