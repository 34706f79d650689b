"""Tells with an exception from a container where it was raised and what was printed before, as notes of the exception.

Each container that it left adds one note, the one that raised it first.
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from modal_nb.client import logs
from modal_nb.client.remedies import remedy
from modal_nb.protocol.messages import Failure
from modal_nb.runtime import whereabouts
from modal_nb.runtime.whereabouts import Where

#: lines, characters of one
_LINES, _LINE = 5, 200
#: what a container writes into its log when it could not start: what its code printed stands before
_START_FAILED = "ERROR the start failed"
#: seconds that its guard may take to have written it
_PATIENCE = 0.3


def note(error: BaseException, label: str) -> None:
    """Have an exception that has just come say which container it left. ``label``: of the method, for people."""
    hops = whereabouts.of(error)
    if not hops or hops[-1].label:
        return  # raised here, while the answer was opened
    left = replace(hops[-1], label=label)
    whereabouts.put(error, (*hops[:-1], left))
    _add(error, _passed(left) if len(hops) > 1 else _raised(left))


def note_start(error: BaseException, service: str, container: str, folder: Path) -> None:
    """The same for what imports or an enter hook raised. ``folder``: where the logs are."""
    whereabouts.put(error, (*whereabouts.of(error), Where(container, label=service)))
    said = f"Raised while {container}, a container of {service}, started."
    _add(error, said + _printed(_before_it_failed(folder / f"{container}.log")))


def note_death(error: BaseException, label: str, failure: Failure) -> None:
    """Have the error about a container that died say which one, and what to do."""
    if failure.container:
        whereabouts.put(error, [Where(failure.container, label=label)])
    if advice := remedy(failure):
        _add(error, advice)


def _raised(left: Where) -> str:
    return f"Raised in {left.container} while running {left.label} ({left.input}).{_printed(left.printed)}"


def _passed(left: Where) -> str:
    return f"Came through {left.label} in {left.container} ({left.input}).{_printed(left.printed)}"


def _printed(lines: Iterable[str]) -> str:
    shown = [logs.plain(line) for line in lines]
    shown = [line if len(line) <= _LINE else f"{line[: _LINE - 1]}…" for line in shown if line.strip()]
    if not shown:
        return ""
    return "".join([" It printed last:", *(f"\n    {line}" for line in shown[-_LINES:])])


def _add(error: BaseException, text: str) -> None:
    with suppress(Exception):  # a class of the user may not want notes
        error.add_note(text)


def _before_it_failed(log: Path) -> list[str]:
    """The last lines of the log before the one that says so, which is written before the failure is sent; its guard may
    not have copied it yet.
    """
    latest = time.monotonic() + _PATIENCE
    while True:
        try:
            lines = logs.tail(log, 500)
        except OSError:
            return []
        ends = [number for number, line in enumerate(lines) if line == _START_FAILED]
        if ends:
            return lines[max(0, ends[-1] - _LINES) : ends[-1]]
        if time.monotonic() > latest:
            return []
        time.sleep(0.01)
