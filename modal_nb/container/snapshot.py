"""What a fork does not copy, and what every copy must have of its own.

Threads, connections, child processes and state on a GPU stay behind in a fork or are shared with it, so a process that
has them is no snapshot.
"""

from __future__ import annotations

import os
import random
import signal
import socket
import sys
import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

from threadpoolctl import ThreadpoolController  # type: ignore[import-untyped]

#: they keep numerical libraries from starting threads of their own, which a fork would lose
_SINGLE = dict.fromkeys(
    (
        "OMP_NUM_THREADS",
        "OPENBLAS_NUM_THREADS",
        "MKL_NUM_THREADS",
        "NUMEXPR_NUM_THREADS",
        "VECLIB_MAXIMUM_THREADS",
    ),
    "1",
)
#: a power of two of processor cycles for which threads of OpenBLAS wait awake. Its own 26 would take a core from the
#: start of each container for tens of milliseconds, when it gets its threads back
_PATIENCE = {"OPENBLAS_THREAD_TIMEOUT": "18"}
_GPU = ("/dev/nvidia", "/dev/kfd", "/dev/dri/")
_NO_COPY = {"anon_inode:[eventpoll]": "an event loop", "anon_inode:[io_uring]": "an io_uring"}


def keep_single() -> None:
    """Before numerical libraries are loaded: they read this then."""
    os.environ.update(_SINGLE)
    for name, value in _PATIENCE.items():
        os.environ.setdefault(name, value)


class Before:
    """What a process has before any code of the user runs in it."""

    def __init__(self) -> None:
        self.descriptors = _descriptors()
        self.handlers = _handlers()

    def obstacle(self) -> str:
        """Why this process cannot be forked and go on, in words; empty: it can."""
        return next(self._obstacles(), "")

    def _obstacles(self) -> Iterator[str]:
        for thread in threading.enumerate():
            if thread is not threading.main_thread():
                yield f"the thread {thread.name!r} is alive"
        for task in Path("/proc/self/task").iterdir():
            if task.name != str(os.getpid()):
                yield f"a thread of native code ({_read(task / 'comm')}) is alive"
            if children := _read(task / "children"):
                yield f"a child process ({_read(Path('/proc', children.split()[0], 'comm'))}) is alive"
        for number, target in _descriptors().items():
            if self.descriptors.get(number) != target and (what := _what(number, target)):
                yield f"{what} is open"


def _descriptors() -> dict[int, str]:
    """What is open here: number -> what it leads to."""
    found = {}
    for place in Path("/proc/self/fd").iterdir():
        with suppress(OSError):
            found[int(place.name)] = str(place.readlink())
    return found


def _handlers() -> dict[int, Any]:
    return {number: signal.getsignal(number) for number in signal.valid_signals()}


def _what(number: int, target: str) -> str:
    """What cannot be copied, in words; empty: it can."""
    if target.startswith("socket:"):
        return f"a socket{_peer(number)}"
    if target.startswith(_GPU):
        return f"the GPU ({target})"
    return _NO_COPY.get(target, "")


def _peer(number: int) -> str:
    with suppress(OSError), socket.socket(fileno=os.dup(number)) as sock:
        peer = sock.getpeername()
        return f" to {':'.join(map(str, peer[:2])) if isinstance(peer, tuple) else peer}" if peer else ""
    return ""


def _read(path: Path) -> str:
    with suppress(OSError):
        return path.read_text(encoding="utf-8", errors="replace").strip()
    return ""


class Refresh:
    """Made in the parent, called in each fork: its own random numbers, threads of numerical libraries, and the signal
    handlers that hooks have set, which every new process loses.
    """

    def __init__(self, before: Before) -> None:
        numerical = "numpy" in sys.modules or "torch" in sys.modules
        self._libraries = ThreadpoolController() if numerical else None
        self._handlers = {
            n: one for n, one in _handlers().items() if before.handlers[n] is not one and callable(one)
        }

    def __call__(self) -> None:
        random.seed()
        if (numpy := sys.modules.get("numpy")) is not None:
            numpy.random.seed()
        threads = _threads()
        if self._libraries is not None:
            self._libraries.limit(limits=threads)
        if (torch := sys.modules.get("torch")) is not None:
            _refresh_torch(torch, threads)
        for number, handler in self._handlers.items():
            signal.signal(number, handler)


def _refresh_torch(torch: Any, threads: int) -> None:
    with suppress(AttributeError, RuntimeError):  # half imported, or another library of that name
        torch.seed()
        torch.set_num_threads(threads)


def _threads() -> int:
    """As many as a process that was started plainly would use."""
    asked = os.environ.get("OMP_NUM_THREADS", "")
    return int(asked) if asked.isdigit() and int(asked) else len(os.sched_getaffinity(0))
