"""The log of a container as its guard writes it: read whole, from near its end, or as it grows."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path
from typing import BinaryIO

from modal_nb.cli.supervision import alive, containers, running_link, whole_id
from modal_nb.cli.supervision import status as status_of
from modal_nb.client.link import Link
from modal_nb.protocol.connection import places

#: seconds between two looks at a log that grows
_LOOK = 0.2
#: bytes by which we find our place again in a log whose older half went
_MARK = 4096


def show(identity: str, *, tail: int | None, follow: bool) -> None:
    """NotFoundError if no log is kept of it."""
    link = running_link()
    name, path = _find(link, identity)
    reader = Growing(path)
    _print(_last_lines(reader.read(), tail))
    lives = follow
    while lives:
        # asked first: what was written before the end is then read after it
        lives = link is not None and alive(link, name)
        _print(reader.read())
        if lives:
            time.sleep(_LOOK)


class Growing:
    """Reads a log on; when it is full its older half goes, and reading goes on behind what was read."""

    def __init__(self, path: Path, mark: int = _MARK) -> None:
        """``mark``: as _MARK; less than half of a full log."""
        self._path = path
        self._longest = mark
        self._place = 0
        self._mark = b""

    def read(self) -> bytes:
        """What has come since the last time; nothing of a log that is gone."""
        try:
            with self._path.open("rb") as file:
                if file.seek(0, os.SEEK_END) < self._place or not self._same(file):
                    self._place = self._found_again(file)
                file.seek(self._place)
                data = file.read()
        except FileNotFoundError:
            return b""
        self._place += len(data)
        self._mark = (self._mark + data)[-self._longest :]
        return data

    def _same(self, file: BinaryIO) -> bool:
        """Whether what we read last still stands before our place."""
        file.seek(self._place - len(self._mark))
        return file.read(len(self._mark)) == self._mark

    def _found_again(self, file: BinaryIO) -> int:
        file.seek(0)
        at = file.read().rfind(self._mark)
        if at < 0:  # it has grown by more than it holds since
            self._mark = b""
            return 0
        return at + len(self._mark)


def _find(link: Link | None, identity: str) -> tuple[str, Path]:
    """Living containers and those whose log is kept; an id that begins so must be the only one."""
    logs = {path.stem: path for path in places().logs.glob("ct-*.log")}
    if link is not None:
        logs |= {one.container.id: Path(one.container.log) for one in containers(status_of(link))}
    name = whole_id(identity, logs)
    return name, logs[name]


def _last_lines(data: bytes, count: int | None) -> bytes:
    if count is None:
        return data
    return b"".join(data.splitlines(keepends=True)[-count:] if count else [])


def _print(data: bytes) -> None:
    sys.stdout.buffer.write(data)
    sys.stdout.buffer.flush()
