"""The log of a container: what it prints comes by a pipe to the guard, so that the file stays bounded.

The guard is the only one that writes then. When the file is full, its older half goes, and a line says so. Standard
library only.
"""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

#: bytes
LARGEST = 8 << 20
_READ = 1 << 16
#: seconds that readers of the log are waited for; one that was stopped must not stop the container
_PATIENCE = 0.2
#: readable, too: the older half of a full log is dropped
LOG_FLAGS = os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
#: the first line of a log whose older half went
CUT = b"[modal_nb: what stood here is no longer kept]\n"


class LogKeeper:
    """Made before the kernel is forked. ``leave`` in the kernel, ``stay`` in the guard; then ``copy`` when readable."""

    def __init__(self, log: int = 1, largest: int = LARGEST) -> None:
        """``log``: the open file of the log, readable, at whose end is written; -1: ``open`` follows."""
        self._log = log
        self._largest = largest
        self.readable, self._writable = os.pipe()
        os.set_blocking(self.readable, False)

    def open(self, path: str) -> None:
        """In a guard that was made before it was known whose it would be. May raise OSError."""
        self._log = os.open(path, LOG_FLAGS, 0o600)

    def leave(self) -> None:
        """In the kernel: stdout and stderr go to the guard from here on."""
        for descriptor in (1, 2):
            os.dup2(self._writable, descriptor)
        os.close(self._writable)
        os.close(self.readable)

    def stay(self) -> None:
        """In the guard: only the kernel, and whoever inherits from it, holds the pipe open."""
        os.close(self._writable)

    def copy(self) -> bool:
        """Move what has come into the log, at most one read. False: nothing is there, or nobody writes any more."""
        try:
            data = os.read(self.readable, _READ)
        except OSError:
            return False
        with suppress(OSError):  # a full disk: the container lives on
            self._make_room(len(data))
            os.write(self._log, data)
        return bool(data)

    def finish(self) -> None:
        """The kernel is dead: its last words are in the pipe. What others may still print is not waited for."""
        for _ in range(1 + self._largest // _READ):
            if not self.copy():
                return

    def _make_room(self, size: int) -> None:
        """The older half of a full log goes, up to the end of a line."""
        length = os.fstat(self._log).st_size
        if length + size <= self._largest:
            return
        kept = os.pread(self._log, self._largest // 2, length - self._largest // 2)
        with _alone(self._log):
            os.ftruncate(self._log, 0)
            os.write(self._log, CUT + kept[kept.find(b"\n") + 1 :])


@contextmanager
def _alone(log: int) -> Iterator[None]:
    """Nobody reads the log meanwhile: who finds a part of what is kept would take all of it for new."""
    end = time.monotonic() + _PATIENCE
    while not _locks(log) and time.monotonic() < end:
        time.sleep(0.001)
    try:
        yield
    finally:
        with suppress(OSError):
            fcntl.flock(log, fcntl.LOCK_UN)


def _locks(log: int) -> bool:
    try:
        fcntl.flock(log, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:  # a file system without locks
        return True
    return True
