"""What blocks must not run on an event loop, and a loop that waits must hear of interrupts."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import socket
import threading
import weakref
from collections.abc import Callable
from typing import TypeVar

from modal_nb.client.introspect import shell_here
from modal_nb.client.running import in_ipython
from modal_nb.exception import InvalidError

T = TypeVar("T")


def refuse_to_block(what: str) -> None:
    """InvalidError where a plain loop over ``what`` would stop a running event loop.

    A cell of a notebook runs inside the kernel's loop and may block it: that is what cells do.
    """
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return
    if not in_ipython():
        raise InvalidError(
            f"a plain `for` over {what} would block the running event loop: write `async for`, or use it outside of "
            "coroutines"
        )


def hear_interrupts() -> None:
    """Called by what is about to be awaited: in a kernel, have signals wake the loop that runs here.

    ipykernel notes an interrupt of an awaiting cell in a signal handler, but that wakes no loop: the cell would go on
    until something else does.
    """
    kernel = getattr(shell_here(), "kernel", None)
    if kernel is None or threading.current_thread() is not threading.main_thread():
        return
    loop = asyncio.get_running_loop()
    bell = _bells.get(loop)
    if bell is None:
        bell = _bells[loop] = _Bell(loop)
    bell.hang()


class _Bell:
    """A pair of sockets: a signal writes to one, the loop reads from the other."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._heard, self._rung = socket.socketpair()
        self._heard.setblocking(False)
        self._rung.setblocking(False)
        loop.add_reader(self._heard, self._hear)

    def hang(self) -> None:
        """Unless somebody else has a bell there, who wakes the loop, too."""
        before = signal.set_wakeup_fd(self._rung.fileno(), warn_on_full_buffer=False)
        if before not in (-1, self._rung.fileno()):
            signal.set_wakeup_fd(before, warn_on_full_buffer=False)

    def _hear(self) -> None:
        with contextlib.suppress(BlockingIOError):
            self._heard.recv(4096)


_bells: weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, _Bell] = weakref.WeakKeyDictionary()


def call_soon(loop: asyncio.AbstractEventLoop, function: Callable[[T], object], value: T) -> None:
    """Call it on the loop, from any thread; where the loop is closed nobody waits any more."""
    with contextlib.suppress(RuntimeError):
        loop.call_soon_threadsafe(function, value)
