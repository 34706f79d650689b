"""A warm parent: waits on a Unix socket for who wants containers, and keeps one spare ahead of them."""

from __future__ import annotations

import gc
import os
import select
import signal
import socket
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from modal_nb.container.spare import Spare, fork_spare
from modal_nb.spec.fork_request import ForkRequest

#: ms without a request before the next spare is made: what was just asked for comes first
_REST = 20
#: connections that may wait
_BACKLOG = 512


class Parent:
    """``serve`` returns in each kernel that was forked here, with what it is to be; in the parent never."""

    def __init__(self, path: Path, tether: socket.socket, warm: Callable[[], None]) -> None:
        """``path``: where it listens, in a private folder. It ends with ``tether``. ``warm``: called in each kernel
        while that waits.
        """
        self._listener = socket.socket(socket.AF_UNIX)
        self._path = path
        self._listener.bind(str(path))
        self._listener.listen(_BACKLOG)
        self._tether = tether
        self._warm = warm
        self._spare: Spare | None = None
        self._ended, self._wake = os.pipe()
        for end in (self._ended, self._wake):
            os.set_blocking(end, False)

    def serve(self) -> ForkRequest:
        # what is here now is never looked at by the collector again, so its pages stay shared
        gc.collect()
        gc.freeze()
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.set_wakeup_fd(self._wake, warn_on_full_buffer=False)
        poll = select.poll()
        for descriptor in self._own():
            if descriptor != self._wake:
                poll.register(descriptor, select.POLLIN)
        while True:
            ready = {descriptor for descriptor, _ in poll.poll(None if self._spare else _REST)}
            if self._tether.fileno() in ready:
                self._path.unlink(missing_ok=True)
                os._exit(0)
            if self._ended in ready:
                self._reap()
            made = None
            if self._listener.fileno() in ready:
                made = self._answer()
            elif not ready:
                made = self._make()
            if made is not None:
                return made

    def _own(self) -> list[int]:
        """The descriptors that no child may hold."""
        return [self._listener.fileno(), self._tether.fileno(), self._ended, self._wake]

    def _answer(self) -> ForkRequest | None:
        """Hand the next connection to a spare; gives what was asked for in its kernel."""
        asked, _ = self._listener.accept()
        with asked:
            while True:
                if self._spare is None and (made := self._make(asked)) is not None:
                    return made
                spare, self._spare = self._spare, None
                if spare is None:
                    return None  # who asked sees the end of the connection
                try:
                    spare.hand(asked)
                except BrokenPipeError:  # it was killed meanwhile
                    continue
                return None

    def _make(self, *asked: socket.socket) -> ForkRequest | None:
        """Fork a spare; gives what is asked for in its kernel, once it is wanted."""
        try:
            made = fork_spare([*self._own(), *(sock.fileno() for sock in asked)], self._warm)
        except OSError:
            return None
        if isinstance(made, ForkRequest):
            for sock in (self._listener, self._tether, *asked):
                sock.detach()  # closed already; the number may be another's now
            return made
        self._spare = made
        return None

    def _reap(self) -> None:
        """Launchers, and guards of ended containers where they are left to us."""
        with suppress(BlockingIOError):
            os.read(self._ended, 4096)
        with suppress(ChildProcessError):
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass
