"""What must be done to its end although the user presses Ctrl-C once more."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable
from typing import Protocol, TypeVar

T = TypeVar("T")


class Lock(Protocol):
    """Of ``threading``, also a semaphore."""

    def acquire(self, blocking: bool = True, timeout: float = -1) -> bool: ...


#: seconds after which a wait looks up. An interrupt that comes between Python's last look for signals and the system
#: call that waits does not end that call; it is noticed when the next one begins
SLICE = 0.5
#: so many interrupts in the middle of one act mean that it hangs
_MOST = 20


def acquire(lock: Lock) -> None:
    """``lock.acquire()`` that no interrupt is lost in."""
    while not lock.acquire(timeout=SLICE):
        pass


def take(letters: queue.SimpleQueue[T], seconds: float | None = None) -> T:
    """``letters.get()`` that no interrupt is lost in. Raises queue.Empty after ``seconds``; None: never."""
    if seconds is None:
        while True:
            try:
                return letters.get(timeout=SLICE)
            except queue.Empty:
                continue
    limit = time.monotonic() + seconds
    while (left := limit - time.monotonic()) > SLICE:
        try:
            return letters.get(timeout=SLICE)
        except queue.Empty:
            continue
    return letters.get(timeout=left) if left > 0 else letters.get_nowait()


def await_event(event: threading.Event) -> None:
    """``event.wait()`` that no interrupt is lost in."""
    while not event.wait(SLICE):
        pass


def surely(act: Callable[[], None]) -> None:
    """Do it; again from its start after each interrupt in its middle, so ``act`` must be harmless to repeat.

    For clean-up after an interrupt, which is about to be raised anyway.
    """
    for _ in range(_MOST):
        try:
            act()
            return
        except KeyboardInterrupt:
            continue


def or_undo(act: Callable[[], T], undo: Callable[[], None], of: type[BaseException] = BaseException) -> T:
    """What ``act`` gives. If it raises one ``of`` these or is interrupted, ``undo`` is surely done first.

    Between an exception and the first line that handles it there is room for another interrupt: hence the outer part.
    """
    __tracebackhide__ = True
    try:
        try:
            return act()
        except of:
            surely(undo)
            raise
    except KeyboardInterrupt:
        surely(undo)
        raise
