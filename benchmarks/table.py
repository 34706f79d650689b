"""Rounds of figures -> Markdown: medians over rounds, ratios within each round, with their spread."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from benchmarks.rounds import Round

RAY_CALL = "A|Ray actor|1"
#: the faster way to pipeline calls to Ray actors is what we are measured against
RAY_PIPELINES = ("B|Ray actor, all calls at once|{n}", "B|Ray actor, 1,000 in flight|{n}")


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


def ray_call(figures: Round, field: str) -> float | None:
    return figures.get(RAY_CALL, {}).get(field)


def ray_pipelined(figures: Round, containers: int) -> float | None:
    keys = [key.format(n=containers) for key in RAY_PIPELINES]
    return max((figures[key]["calls_s"] for key in keys if key in figures), default=None)


def ratio(rounds: Iterable[Round], key: str, field: str) -> Ratio | None:
    section, _, containers = key.split("|")
    found = []
    for figures in rounds:
        reference = ray_call(figures, field) if section == "A" else ray_pipelined(figures, int(containers))
        if key in figures and reference:
            found.append(figures[key][field] / reference)
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


def burst_table(rounds: Sequence[Round], section: str) -> list[str]:
    rows = []
    for who in names(rounds, section):
        cells = []
        for containers in (1, 2):
            key = f"{section}|{who}|{containers}"
            known = any(key in figures for figures in rounds)
            cells += [str(ratio(rounds, key, "calls_s") or "-") if known else "-"]
            cells += [f"{median(rounds, key, 'calls_s'):,.0f}" if known else "-"]
        first = ratio(rounds, f"{section}|{who}|1", "calls_s")
        rows.append((first.mid if first else 0.0, f"| {who} | {' | '.join(cells)} |"))
    head = ["| who | 1 container, Ray = 1 (spread) | calls/s | 2 containers, Ray = 1 (spread) | calls/s |"]
    return [*head, "| --- | --- | --- | --- | --- |", *_sorted(rows)]


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


SECTIONS: dict[str, tuple[str, Callable[[Sequence[Round]], list[str]]]] = {
    "A": ("A. One blocking call (lower is better)", sync_table),
    "B": ("B. Many single calls from one client (higher is better)", lambda r: burst_table(r, "B")),
    "C": ("C. One call over many inputs (higher is better)", lambda r: burst_table(r, "C")),
}


def document(rounds: Sequence[Round], sections: str, setting: str) -> str:
    lines = ["# Benchmarks", "", "Written by `make bench`.", "", setting, "", *aims_table(rounds)]
    for section in sections:
        title, body = SECTIONS[section]
        lines += ["", f"## {title}", "", *body(rounds)]
    return "\n".join([*lines, ""])
