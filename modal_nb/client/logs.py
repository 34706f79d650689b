"""Logs of containers: all that the processes of one printed. Plain text files; these read, tail and follow them.

The guard of a container keeps its log below a bound: when it is full, its older half goes, and a line at its head says
so. Logs of containers that ended are kept while there are not too many of them.
"""

from __future__ import annotations

import fcntl
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from modal_nb.client import launcher
from modal_nb.exception import NotFoundError
from modal_nb.protocol.connection import Places, places

#: seconds between two looks while nothing comes
_PAUSE = 0.05
_CHUNK = 1 << 16
#: bytes by which the place is found again where reading had come to, after the older half went
_MARK = 4096
#: what a terminal would obey, but for tabs and colours; a colour is kept by the group
_CONTROLS = re.compile(
    r"(\x1b\[[0-9;:]*m)|\x1b\[[0-?]*[ -/]*[@-~]|\x1b[\]PX^_].*?(?:\x07|\x1b\\|$)|\x1b[ -/]*[0-~]?"
    r"|[\x00-\x08\x0a-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]"
)


def find(container: str) -> Path:
    """The log of a container of this home, by its id, "ct-..."; NotFoundError if there is none (any more)."""
    path = places().logs / f"{container}.log"
    if not re.fullmatch(r"ct-[\w-]+", container) or not path.is_file():
        raise NotFoundError(
            f"no log of a container {container!r} is here: `modal-nb status` lists those that live, and the logs "
            "of old containers go when there are many"
        )
    return path


def read(log: Path) -> Iterator[str]:
    """The lines that are there now, without their ends; undecodable bytes are replaced."""
    with log.open(encoding="utf-8", errors="replace", newline="\n") as file:
        for line in file:
            yield line.removesuffix("\n")


@contextmanager
def _whole(log: Path) -> Iterator[BinaryIO]:
    """The log, while its guard does not drop the older half of it: in the middle of that it looks like another one."""
    with log.open("rb") as file:
        with suppress(OSError):  # a file system without locks
            fcntl.flock(file, fcntl.LOCK_SH)
        yield file


def tail(log: Path, count: int) -> list[str]:
    """The last lines, at most ``count`` of them."""
    if count <= 0:
        return []
    with _whole(log) as file:
        place = file.seek(0, 2)
        data = b""
        while place > 0 and data.count(b"\n") <= count:
            step = min(_CHUNK, place)
            place = file.seek(place - step)
            data = file.read(step) + data
    lines = data.removesuffix(b"\n").split(b"\n") if data else []
    return [line.decode(errors="replace") for line in lines[-count:]]


def follow(container: str, count: int | None = None) -> Iterator[str]:
    """The last ``count`` lines (None: all), then each that comes, until the container has ended. It blocks.

    NotFoundError as ``find``. What came while the older half of the log went is found again by what was read last.
    """
    log, where = find(container), places()
    skipped = _start(log, count)
    return _followed(log, where, container, skipped)


def lives(where: Places, container: str) -> bool:
    """Whether a container of this home has not ended: its folder goes with it, and it goes with its supervisor."""
    return (where.run / container).is_dir() and launcher.find(where) is not None


def shown(text: str) -> str:
    """One line as it may be shown on a terminal: colours and tabs stay, what else a terminal would obey goes."""
    return _CONTROLS.sub(lambda found: found[1] or "", text)


def plain(text: str) -> str:
    """The same without colours."""
    return _CONTROLS.sub("", text)


def _start(log: Path, count: int | None) -> int:
    """The byte at which the last lines begin."""
    if count is None:
        return 0
    with _whole(log) as file:
        data = file.read()
    place = len(data.removesuffix(b"\n"))
    for _ in range(count):
        place = data.rfind(b"\n", 0, place)
        if place < 0:
            return 0
    return place + 1 if count else len(data)


def _followed(log: Path, where: Places, container: str, place: int) -> Iterator[str]:
    rest = b""
    with _whole(log) as file:
        file.seek(max(0, place - _MARK))
        seen = file.read(min(place, _MARK))
    while True:
        ended = not lives(where, container)  # asked before: all that it printed is there by then
        try:
            data, place = _come(log, place, seen)
        except FileNotFoundError:  # it ended long ago, and is among too many
            data, ended = b"", True
        seen = (seen + data)[-_MARK:]
        *lines, rest = (rest + data).split(b"\n")
        for line in lines:
            yield line.decode(errors="replace")
        if ended:
            break
        if not data:
            time.sleep(_PAUSE)
    if rest:
        yield rest.decode(errors="replace")


def _come(log: Path, place: int, seen: bytes) -> tuple[bytes, int]:
    """What stands behind this place, and where it ends. Where something else stands before it the log was cut: what was
    seen last tells where to go on.
    """
    with _whole(log) as file:
        file.seek(max(0, place - len(seen)))
        data = file.read()
        if data.startswith(seen):
            return data[len(seen) :], place + len(data) - len(seen)
        file.seek(0)
        data = file.read()
        found = data.rfind(seen)
        return (data if found < 0 else data[found + len(seen) :]), len(data)
