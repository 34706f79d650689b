"""The one thread that lets out what screens have gathered, and what waits for it.

Results wait for it on the main thread, where an interrupt may raise between any two lines. So nothing here is guarded
by a lock that an interrupted thread could keep: there are deques, and bare locks that one thread waits at and another
opens.
"""

from __future__ import annotations

import sys
import threading
import time
from collections import deque
from contextlib import suppress
from typing import Protocol

#: seconds for which text gathers, unless somebody waits for it
_PAUSE = 0.05
#: seconds that a result waits for what was printed before it, at most
_PATIENCE = 2.0
#: seconds after which who waits looks up: for interrupts, and for a thread that has ended
_SLICE = 0.1


class Gathering(Protocol):
    """What gathers text: a screen."""

    @property
    def gathered(self) -> bool:
        """There is something to let out."""

    def let_out(self) -> None:
        """Show it; may raise, but takes at least one piece."""


class OutputThread:
    """Of a process; begun with the first word."""

    def __init__(self) -> None:
        self.start_anew()

    def start_anew(self) -> None:
        """Also in a forked child: it has no such thread, and what its parent has not shown is its parent's."""
        self._waiting: deque[Gathering] = deque()
        self._busy = False
        #: rung when something waits, and when somebody does not want to wait for more
        self._bell, self._hurry = _closed(), _closed()
        #: opened after each round
        self._settling: deque[threading.Lock] = deque()
        self._starting = threading.Lock()
        self._thread: threading.Thread | None = None

    @property
    def pending(self) -> bool:
        """Something was added that is not shown: looked at once per result."""
        return bool(self._waiting) or self._busy  # in this order: busy begins before what waits is taken

    def dirty(self, one: Gathering) -> None:
        """It has gathered something."""
        self._waiting.append(one)
        if self._thread is None:
            self._start()
        _open(self._bell)

    def settle(self) -> None:
        """Returns when all that has come is shown. Called by who is about to go on with a result, if ``pending``."""
        if threading.current_thread() is self._thread:
            return
        until = time.monotonic() + _PATIENCE
        rounds = 0  # the one that goes on, and one with all that waits now
        while rounds < 2 and (left := until - time.monotonic()) > 0:
            shown = _closed()
            self._settling.append(shown)
            if (
                not self.pending
            ):  # looked at behind the line above: else the round that opens it might be over
                return
            _open(self._hurry)
            rounds += shown.acquire(timeout=min(left, _SLICE))

    def _start(self) -> None:
        with self._starting:
            if self._thread is None:
                thread = threading.Thread(target=self._run, name="modal_nb-output", daemon=True)
                thread.start()
                self._thread = thread

    def _run(self) -> None:
        while True:
            self._bell.acquire()
            self._hurry.acquire(timeout=_PAUSE)
            self._busy = True
            for one in self._taken():
                _let_out(one)
            self._busy = False
            for _ in range(len(self._settling)):  # who comes again meanwhile waits for the next round
                _open(self._settling.popleft())

    def _taken(self) -> list[Gathering]:
        taken: dict[Gathering, None] = {}
        while self._waiting:
            taken[self._waiting.popleft()] = None
        return list(taken)


def _let_out(one: Gathering) -> None:
    while one.gathered:
        try:
            one.let_out()
        except Exception as error:  # noqa: BLE001 - a closed stream, a front end that went: the call goes on
            if sys.__stderr__:
                sys.__stderr__.write(f"modal_nb cannot show what was printed: {error!r}\n")


def _closed() -> threading.Lock:
    lock = threading.Lock()
    lock.acquire()
    return lock


def _open(lock: threading.Lock) -> None:
    with suppress(RuntimeError):  # it is open already
        lock.release()
