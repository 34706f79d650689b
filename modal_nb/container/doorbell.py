"""Notices the first client that connects to the shell channel of a kernel whose channels are not there
yet.
"""

from __future__ import annotations

import asyncio
import fcntl
import signal
import socket
import struct
import sys
import threading
from collections.abc import Callable
from pathlib import Path

# fcntl.h: to a thread, so that a system call in which the main thread waits is woken
_F_SETOWN_EX = 15
_F_OWNER_TID = 0


class Doorbell:
    """A plain Unix listener where the channel will be. It accepts nobody: ZeroMQ dials again when it is
    closed.
    """

    def __init__(self, path: Path, on_ring: Callable[[], None]) -> None:
        self._path = path
        self._on_ring = on_ring
        self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._loop: asyncio.AbstractEventLoop | None = None

    def listen(self, loop: asyncio.AbstractEventLoop) -> None:
        """On the main thread. ``on_ring`` is called there: by a signal on Linux, so also while a method
        runs.
        """
        self._loop = loop
        signal.signal(signal.SIGUSR2, lambda *_: self._ring())
        self._path.unlink(missing_ok=True)
        self._listener.bind(str(self._path))
        self._listener.setblocking(False)
        _signal_main(self._listener)
        self._listener.listen()
        loop.add_reader(self._listener, self._ring)

    def press(self) -> None:
        """Ring it from any thread, without a client."""
        main = threading.main_thread().ident
        assert main is not None
        signal.pthread_kill(main, signal.SIGUSR2)

    def close(self) -> None:
        """Who has connected is turned away and dials again."""
        if self._listener.fileno() < 0:
            return
        if self._loop is not None:
            self._loop.remove_reader(self._listener)
        self._listener.close()
        self._path.unlink(missing_ok=True)

    def _ring(self) -> None:
        if self._listener.fileno() >= 0:
            self._on_ring()


def _signal_main(listener: socket.socket) -> None:
    """Ask the system for SIGUSR2 on the main thread at the first connection; elsewhere only the loop
    notices.
    """
    if sys.platform == "linux":
        # asked of the system: after a fork the thread object has its parent's
        owner = struct.pack("ii", _F_OWNER_TID, threading.get_native_id())
        fcntl.fcntl(listener, _F_SETOWN_EX, owner)
        fcntl.fcntl(listener, fcntl.F_SETSIG, signal.SIGUSR2)
        fcntl.fcntl(listener, fcntl.F_SETFL, fcntl.fcntl(listener, fcntl.F_GETFL) | fcntl.FASYNC)
