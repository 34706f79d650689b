"""In words, how the inputs of a pool run and what has come of it; nothing where it is as everywhere. Pure.

``views/static/facts.js`` says the same in the live panel.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from math import ceil, floor
from typing import Any

from modal_nb.client import waits

#: for who is told by a supervisor that does not know of these yet
_AS_EVERYWHERE: Mapping[str, Any] = {
    "now": 0.0,
    "concurrency": {"max_inputs": 1, "target_inputs": 1},
    "batching": [],
    "batches": {"count": 0, "inputs": 0},
    "retries": None,
    "retried": 0,
    "postponed": 0,
    "back_off": None,
    "lingers": None,
}


def facts(report: Mapping[str, Any]) -> list[str]:
    """Short sentences about a report of a pool, or that part of it which ``modal-nb status`` is told."""
    report = {**_AS_EVERYWHERE, **report}
    return [
        *_concurrency(report),
        *_batching(report),
        *_retries(report),
        *_back_off(report),
        *_lingers(report),
    ]


def looked_into(container: Mapping[str, Any], since: str = "") -> str:
    """What a report or a status tells of a container that somebody looks into; "" where nobody does."""
    if container.get("aside") is not None:
        return f"aside{since}: somebody looks inside"
    return "taken by who looks inside" if container.get("pinned") else ""


def start_words(total: float, way: str) -> str:
    """How long the start of a container took, and ``way``: how its process came to be."""
    return f"{seconds(total)}, {way}" if way else seconds(total)


def seconds(value: float) -> str:
    """As people read them: 12 ms, 0.3 s, 4.2 s, 31 s."""
    if value < 0.0995:
        return f"{floor(1000 * value + 0.5)} ms"
    return waits.seconds(value)


def _concurrency(report: Mapping[str, Any]) -> Iterator[str]:
    most, target = (report["concurrency"][name] for name in ("max_inputs", "target_inputs"))
    if most > 1:
        what = "inputs or batches" if report["batching"] else "inputs"
        aims = f", aims at {target:,}" if target < most else ""
        yield f"up to {most:,} {what} at a time per container{aims}"


def _batching(report: Mapping[str, Any]) -> Iterator[str]:
    batching, count = report["batching"], report["batches"]["count"]
    so_far = f"{count:,} so far, {_average(report['batches'])} inputs on average" if count else ""
    if len(batching) == 1:
        yield f"batches of {_room(batching[0])}{f' ({so_far})' if so_far else ''}"
        return
    for one in batching:
        yield f"batches of {one['method']}: {_room(one)}"
    if batching and so_far:
        yield f"batches: {so_far}"


def _average(batches: Mapping[str, Any]) -> str:
    """With halves rounded up, as JavaScript does it."""
    return f"{floor(10 * batches['inputs'] / batches['count'] + 0.5) / 10:.1f}"


def _room(batching: Mapping[str, Any]) -> str:
    wait = batching["wait_ms"] / 1000
    waiting = f"waiting at most {_duration(wait)}" if wait else "without waiting"
    return f"up to {batching['max_batch_size']:,}, {waiting}"


def _retries(report: Mapping[str, Any]) -> Iterator[str]:
    policy = report["retries"]
    if policy is None:
        return
    most = policy["max_retries"]
    so_far = [f"{report['retried']:,} so far"] * bool(report["retried"])
    so_far += [f"{report['postponed']:,} waiting"] * bool(report["postponed"])
    words = f"up to {most:,} {'retry' if most == 1 else 'retries'}, {_delay(policy)}"
    yield f"{words} ({', '.join(so_far)})" if so_far else words


def _delay(policy: Mapping[str, Any]) -> str:
    first = min(policy["initial_delay"], policy["max_delay"])
    if not first:
        return "at once"
    grows = policy["max_retries"] > 1 and policy["backoff_coefficient"] > 1 and first < policy["max_delay"]
    return f"{'first ' if grows else ''}after {_duration(first)}"


def _back_off(report: Mapping[str, Any]) -> Iterator[str]:
    back_off = report["back_off"]
    if back_off is not None and back_off["until"] > report["now"]:
        seconds = ceil(back_off["until"] - report["now"])
        yield f"starts are held back after failures: next try in {seconds} s"


def _lingers(report: Mapping[str, Any]) -> Iterator[str]:
    lingers = report["lingers"]
    if lingers is None:
        return
    seconds = max(0, ceil(lingers["until"] - report["now"]))
    if lingers["back"]:
        yield f"its notebook is back: containers end in {seconds} s unless it uses them"
    else:
        yield f"its notebook is gone: containers end in {seconds} s unless it comes back"


def _duration(seconds: float) -> str:
    return f"{seconds * 1000:g} ms" if seconds < 1 else f"{seconds:g} s"
