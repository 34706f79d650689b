"""Logs of containers that ended: the newest are kept, for whoever wants to know what happened."""

from __future__ import annotations

from collections.abc import Collection
from contextlib import suppress
from pathlib import Path

#: logs of containers in one home; each is bounded by the guard that writes it
KEPT = 200


def remove_old(logs: Path, in_use: Collection[Path] = ()) -> None:
    """Remove the oldest beyond KEPT. ``in_use``: logs that stay in any case."""
    found = list(logs.glob("ct-*.log"))
    if len(found) <= KEPT:
        return
    ages = {}
    for log in found:
        with suppress(OSError):
            ages[log] = log.stat().st_mtime_ns
    for log in sorted(ages, key=ages.__getitem__)[:-KEPT]:
        if log not in in_use:
            log.unlink(missing_ok=True)
