"""Rounds of figures -> the document of a run: a table for each section."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterable, Mapping, Sequence

from benchmarks.light import HEAVY
from benchmarks.peers.peer import CONTAINERS, CROWD, IN_FLIGHT
from benchmarks.rounds import Round
from benchmarks.table import LARGE, aims_table, ratio
from benchmarks.work import BATCH_SIZES, PAUSE_S, SIDE_BY_SIDE, WAIT_MS

SERVE = (
    "1 is Ray Serve in the same round, called through its handle without a proxy, in the faster of two settings: as it "
    "comes, and for throughput (`RAY_SERVE_THROUGHPUT_OPTIMIZED`)."
)
Columns = Mapping[object, str]
#: the columns of a table, and their heads
COUNTS: Columns = {n: f"{n} container{'s' * (n > 1)}" for n in CONTAINERS}
SIZES: Columns = {size: f"batches of {size}" for size in BATCH_SIZES}
SMALL: Columns = {
    f"{size} {way}": f"{size} {way}" for size in ("1 KiB", "1 MiB") for way in ("argument", "result")
}


def median(rounds: Iterable[Round], key: str, field: str) -> float | None:
    found = [figures[key][field] for figures in rounds if field in figures.get(key, {})]
    return statistics.median(found) if found else None


def names(rounds: Iterable[Round], section: str) -> list[str]:
    """Who has figures in a section, each once."""
    keys = [key.split("|") for figures in rounds for key in figures]
    return list(dict.fromkeys(what for found, what, _ in keys if found == section))


def cells(rounds: Sequence[Round], key: str, field: str) -> tuple[float, list[str]]:
    """What to sort by, and the ratio and the median as they are shown."""
    found, middle = ratio(rounds, key, field), median(rounds, key, field)
    digits = 1 if field in {"ms", "wall_s", "all_ms", "pss_mib"} else 0
    return found.mid if found else 0.0, [
        str(found or "-"),
        "-" if middle is None else f"{middle:,.{digits}f}",
    ]


def grid(
    rounds: Sequence[Round],
    section: str,
    columns: Columns,
    one: str,
    field: str = "calls_s",
    unit: str = "calls/s",
) -> list[str]:
    """A row for each who has a figure in one of these columns."""
    rows = []
    for who in names(rounds, section):
        keys = [f"{section}|{who}|{column}" for column in columns]
        if any(key in figures for figures in rounds for key in keys):
            parts = [cells(rounds, key, field) for key in keys]
            shown = " | ".join(cell for _, part in parts for cell in part)
            rows.append((parts[0][0], f"| {who} | {shown} |"))
    heads = "".join(f" {column}, {one} = 1 (spread) | {unit} |" for column in columns.values())
    return [f"| who |{heads}", f"| --- |{' --- | --- |' * len(columns)}", *_sorted(rows)]


def sync_table(rounds: Sequence[Round]) -> list[str]:
    rows = []
    for who in names(rounds, "A"):
        key = f"A|{who}|1"
        place, (p50, middle) = cells(rounds, key, "p50_us")
        rows.append((place, f"| {who} | {p50} | {middle} | {ratio(rounds, key, 'p99_us') or '-'} |"))
    head = ["| who | p50, Ray = 1 (spread) | median p50, us | p99, Ray's p99 = 1 (spread) |"]
    return [*head, "| --- | --- | --- | --- |", *_sorted(rows)]


def _sorted(rows: Iterable[tuple[float, str]]) -> list[str]:
    return [row for _, row in sorted(rows)]


def batch_section(rounds: Sequence[Round]) -> list[str]:
    text = (
        f"The method makes its weights once for each batch (a fixed time) and multiplies each row by them (a "
        f"little more). One container, {IN_FLIGHT:,} calls in flight from one client; a batch waits {WAIT_MS} ms "
        f"at most for more. {SERVE}"
    )
    picture = "![Calls per second against the size of a batch](batched.svg)"
    return [text, "", *grid(rounds, "D", SIZES, "Serve"), "", picture]


def concurrent_section(rounds: Sequence[Round]) -> list[str]:
    text = (
        f"The method awaits {PAUSE_S * 1_000:.0f} ms. One container runs {SIDE_BY_SIDE} inputs side by side, so it "
        f"can answer {SIDE_BY_SIDE / PAUSE_S:,.0f} a second at most; {IN_FLIGHT:,} calls are in flight from one "
        f"client. 1 is Ray Serve as in section D."
    )
    return [text, "", *grid(rounds, "E", {1: "1 container"}, "Serve")]


def payload_section(rounds: Sequence[Round]) -> list[str]:
    large = {column: column for column in LARGE}
    return [
        "One blocking call with a NumPy array as its argument or as its result; the receiver reads both ends of it.",
        "",
        *grid(rounds, "F", SMALL, "Ray", "us", "us"),
        "",
        *grid(rounds, "F", large, "warm memcpy", "us", "us"),
    ]


def start_section(rounds: Sequence[Round]) -> list[str]:
    text = (
        "From no container of the class to its first result, while the system itself runs. The first container of an "
        "environment has no warm parent to be forked from yet."
    )
    return [text, "", *grid(rounds, "G", {1: "first result"}, "ipykernel", "ms", "ms")]


def heavy_section(rounds: Sequence[Round]) -> list[str]:
    text = f"The class imports {', '.join(HEAVY)} before it serves. The first container makes the snapshot."
    return [text, "", *grid(rounds, "H", {1: "first result"}, "exec and import", "ms", "ms")]


def crowd_section(rounds: Sequence[Round]) -> list[str]:
    fields = {
        "wall_s": "to a result from each, Ray = 1 (spread) | s",
        "all_ms": "a call to all, Ray = 1 (spread) | ms",
        "pss_mib": "PSS of one, Ray = 1 (spread) | MiB",
    }
    rows = []
    for who in names(rounds, "I"):
        key = f"I|{who}|{CROWD}"
        parts = [cells(rounds, key, field) for field in fields]
        idle = [median(rounds, key, field) for field in ("keepers_percent", "crowd_percent")]
        shown = [cell for _, part in parts for cell in part]
        shown += ["-" if one is None else f"{one:.2f}" for one in idle]
        rows.append((parts[0][0], f"| {who} | {' | '.join(shown)} |"))
    text = (
        f"{CROWD} containers at a time. Memory is the PSS of all processes that are there for them (kernels, guards, "
        f"launchers, what they are forked from), divided by {CROWD}; of peers it is that of their processes that "
        "serve, without daemons. The last columns are per cent of one core while nothing is called: of the supervisor "
        "(of Ray its daemons), and of all containers together."
    )
    head = f"| who | {' | '.join(fields.values())} | supervisor idle, % | containers idle, % |"
    return [text, "", head, "| --- " * (2 * len(fields) + 3) + "|", *_sorted(rows)]


def scheduler_section(rounds: Sequence[Round]) -> list[str]:
    text = (
        "What one input costs there from its arrival to its end, while the queues stay as long as they are."
    )
    return [text, "", *grid(rounds, "J", {1: "one input"}, "10 in 1 pool", "us", "us")]


SECTIONS: dict[str, tuple[str, Callable[[Sequence[Round]], list[str]]]] = {
    "A": ("A. One blocking call (lower is better)", sync_table),
    "B": ("B. Many single calls from one client (higher is better)", lambda r: grid(r, "B", COUNTS, "Ray")),
    "C": ("C. One call over many inputs (higher is better)", lambda r: grid(r, "C", COUNTS, "Ray")),
    "D": ("D. Batched calls (higher is better)", batch_section),
    "E": ("E. Concurrent calls of an async method (higher is better)", concurrent_section),
    "F": ("F. Arrays (lower is better)", payload_section),
    "G": ("G. Cold start (lower is better)", start_section),
    "H": ("H. Cold start of a class with heavy imports (lower is better)", heavy_section),
    "I": (f"I. {CROWD} containers (lower is better)", crowd_section),
    "J": ("J. The scheduler alone (lower is better)", scheduler_section),
}


def document(rounds: Sequence[Round], sections: str, setting: str) -> str:
    how = "Written by `make bench`. [How to read it](../docs/performance.md)."
    lines = ["# Benchmarks", "", how, "", setting, "", *aims_table(rounds)]
    for section in sections:
        title, body = SECTIONS[section]
        lines += ["", f"## {title}", "", *body(rounds)]
    return "\n".join([*lines, ""])
