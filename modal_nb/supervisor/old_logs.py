"""Logs of containers that ended: the newest are kept, for whoever wants to know what happened."""

from __future__ import annotations

from collections.abc import Collection
from contextlib import suppress
from pathlib import Path

from modal_nb.protocol.call_log import LARGEST_INDEX, CallFiles, gone_file, newer_half

#: containers of one home whose logs are kept; what one container prints is bounded by itself
KEPT = 200
#: bytes of all logs of containers that ended, and of what calls printed there
KEPT_BYTES = 1 << 30


def remove_old(
    logs: Path, in_use: Collection[Path] = (), *, kept: int = KEPT, kept_bytes: int = KEPT_BYTES
) -> None:
    """Remove the oldest beyond these bounds, with what calls printed there. ``in_use``: logs that stay in any case."""
    size = 0
    newest_first = sorted(_found(logs), key=lambda one: one[1], reverse=True)
    for count, (log, _, bytes_there) in enumerate(newest_first, 1):
        size += bytes_there
        if (count > kept or size > kept_bytes) and log not in in_use:
            _remove(logs, log)
            size -= bytes_there


def _found(logs: Path) -> list[tuple[Path, int, int]]:
    """Each log with the time of its last line, and the bytes of all files of its container."""
    found = []
    for log in logs.glob("ct-*.log"):
        with suppress(OSError):
            there = log.stat()
            size = there.st_size
            for path in CallFiles(logs, log.stem).all():
                with suppress(FileNotFoundError):
                    size += path.stat().st_size
            found.append((log, there.st_mtime_ns, size))
    return found


def _remove(logs: Path, log: Path) -> None:
    """Who asks for a call that printed there is told that it is gone, so its id is noted first."""
    files = CallFiles(logs, log.stem)
    with suppress(OSError):
        calls = dict.fromkeys(line.partition(b" ")[0] for line in files.index.read_bytes().splitlines())
        _note(gone_file(logs), b"".join(call + b"\n" for call in calls))
    for path in (*files.all(), log):
        path.unlink(missing_ok=True)


def _note(gone: Path, ids: bytes) -> None:
    with gone.open("ab") as file:
        file.write(ids)
        full = file.tell() > LARGEST_INDEX
    if full:
        scratch = gone.with_suffix(".new")
        scratch.write_bytes(newer_half(gone.read_bytes()))
        scratch.replace(gone)
