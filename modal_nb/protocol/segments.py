"""The shared memory that this process lends: segments without a name, used again and again.

New memory costs four times what copying into it does, so segments are kept for a while. Which of them are lent is
asked of the system (see ``leases``), never counted.
"""

from __future__ import annotations

import contextlib
import fcntl
import mmap
import os
import threading
import time
import weakref
from collections import deque
from pathlib import Path

from modal_nb.protocol.leases import CAN_RECEIVE, Lease

#: segments of one process
MOST_SEGMENTS = 64
#: of the memory of the machine, or of this process's memory group: what the segments of one process may take
_SHARE = 8
#: seconds after its last use until a segment that is free goes
_IDLE = 30.0
#: seconds between two looks at those that are lent for long
_SELDOM = 600.0

_CAN_LEND = CAN_RECEIVE and hasattr(os, "memfd_create")
_FREE = (fcntl.LOCK_EX | fcntl.LOCK_NB, fcntl.LOCK_UN)
_LEND = (fcntl.LOCK_SH | fcntl.LOCK_NB,)


class Segment:
    """One piece of shared memory, mapped for its owner to write."""

    __slots__ = ("_file", "memory", "size", "used")

    def __init__(self, size: int) -> None:
        """OSError where the system has no memory for it, now and not when it is written to."""
        flags = os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING
        self._file = Lease(map(os.memfd_create, ("modal_nb",), (flags,)))
        os.posix_fallocate(self._file.fd, 0, size)
        fcntl.fcntl(self._file.fd, fcntl.F_ADD_SEALS, fcntl.F_SEAL_SHRINK)  # no reader can be cut off
        whole = mmap.mmap(self._file.fd, size, flags=mmap.MAP_SHARED | mmap.MAP_POPULATE)
        self.memory = memoryview(whole)
        self.size = size
        #: on the monotonic clock
        self.used = 0.0

    def is_free(self) -> bool:
        """Nobody holds a lease."""
        fd = self._file.fd
        with contextlib.suppress(BlockingIOError):
            # both in one call: an interrupt between them would leave it locked by ourselves
            deque(map(fcntl.flock, (fd, fd), _FREE), maxlen=0)
            return True
        return False

    def lend(self) -> Lease:
        """A lease; the segment must be free."""
        path = f"/proc/self/fd/{self._file.fd}"
        lease = Lease(map(os.open, (path,), (os.O_RDONLY | os.O_CLOEXEC,)))
        deque(map(fcntl.flock, (lease.fd,), _LEND), maxlen=0)
        self.used = time.monotonic()
        return lease


class Segments:
    """All segments of one process; any thread may ask."""

    def __init__(self, bound: int | None = None, idle: float = _IDLE) -> None:
        """``bound``: bytes, None: a share of the memory there is; 0: none. ``idle``: seconds."""
        self._bound = bound
        self._idle = idle
        self._lock = threading.Lock()
        #: the one that was used last is the first
        self._segments: list[Segment] = []
        self._trimmer: threading.Timer | None = None

    def lend(self, size: int) -> tuple[memoryview, Lease] | None:
        """Memory of at least so many bytes, to be filled now, and the lease that keeps it. None: there is none."""
        with self._lock:
            try:
                segment = self._free(size) or self._new(_rounded(size))
                if segment is None:
                    return None
                lease = segment.lend()
            except OSError:  # no memory, no more descriptors, no /proc
                return None
            self._segments = [segment, *(one for one in self._segments if one is not segment)]
            if self._trimmer is None:
                self._trim_in(self._idle)
            return segment.memory, lease

    def lent(self) -> int:
        """How many segments somebody holds a lease of."""
        with self._lock:
            return sum(not one.is_free() for one in self._segments)

    def sizes(self) -> list[int]:
        """Bytes of each segment, the one that was used last first."""
        with self._lock:
            return [one.size for one in self._segments]

    def forget(self) -> None:
        """Let go of all; what is lent lives on with its leases. Waits for nobody, so it may be called behind a fork."""
        self._segments = []

    def _free(self, size: int) -> Segment | None:
        most = 2 * _rounded(size)
        for one in self._segments:  # no generator: an interrupt while it is thrown away would be lost
            if size <= one.size <= most and one.is_free():
                return one
        return None

    def _new(self, size: int) -> Segment | None:
        if not _CAN_LEND:
            return None
        if self._bound is None:
            self._bound = _share()
        self._make_room(size)
        if sum(one.size for one in self._segments) + size > self._bound:
            return None
        if len(self._segments) >= MOST_SEGMENTS or size > _available() // 2:
            return None
        return Segment(size)

    def _make_room(self, size: int) -> None:
        """Forget what is free and was not used for the longest time, as far as there must be room."""
        assert self._bound is not None
        taken = sum(one.size for one in self._segments)
        for one in reversed(self._segments):
            if taken + size <= self._bound and len(self._segments) < MOST_SEGMENTS:
                return
            if size <= self._bound and one.is_free():
                self._segments = [other for other in self._segments if other is not one]
                taken -= one.size

    def _trim_in(self, seconds: float) -> None:
        trim = weakref.WeakMethod(self._trim)
        self._trimmer = threading.Timer(seconds, lambda: (trim() or _nothing)(seconds))
        self._trimmer.daemon = True
        self._trimmer.name = "modal_nb-segments"
        self._trimmer.start()

    def _trim(self, waited: float) -> None:
        """Forget what has not been used for a while. No thread is left where nothing is."""
        with self._lock:
            recent = time.monotonic() - self._idle
            kept = [one for one in self._segments if one.used > recent or not one.is_free()]
            used = any(one.used > recent for one in kept)
            self._segments, self._trimmer = kept, None
            if kept:
                self._trim_in(self._idle if used else min(2 * waited, _SELDOM))


def _nothing(_: float) -> None:
    """The segments are gone."""


def _rounded(size: int) -> int:
    """The size class: at most a quarter more."""
    step = max(mmap.PAGESIZE, 1 << max(0, size.bit_length() - 3))
    return -(-size // step) * step


def _share() -> int:
    total = os.sysconf("SC_PHYS_PAGES") * mmap.PAGESIZE
    with contextlib.suppress(OSError, ValueError, IndexError):
        group = Path("/proc/self/cgroup").read_text().partition("0::")[2].split()[0]
        total = min(total, int(Path(f"/sys/fs/cgroup{group}/memory.max").read_text()))
    return total // _SHARE


def _available() -> int:
    """Bytes that the machine can give without driving out others; OSError where it does not say."""
    for line in Path("/proc/meminfo").read_text().splitlines():
        if line.startswith("MemAvailable:"):
            return int(line.split()[1]) * 1024
    raise OSError("the system does not say how much memory is available")


_ours = Segments()


def ours() -> Segments:
    """The segments of this process."""
    return _ours


def _begin_anew() -> None:
    """A forked child must not lend what its parent lends."""
    global _ours  # noqa: PLW0603 - its lock may be held by a thread that the child lacks
    _ours.forget()
    _ours = Segments()


os.register_at_fork(after_in_child=_begin_anew)
