"""Where the items of one generator leave, and where it waits for its reader."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable

from modal_nb.runtime.payload import Frame
from modal_nb.runtime.window import WriterWindow


class Outlet:
    """Made on the loop that the generator runs on, one for each attempt. ``allow`` and ``wake`` are for any thread."""

    def __init__(self, send: Callable[[int, list[Frame]], int], pause: Callable[[bool], None]) -> None:
        """``send(index, frames)`` gives the bytes that the item takes on its way; ``pause(True)`` is called when a
        wait for the reader begins, ``pause(False)`` when it is over.
        """
        self._send = send
        self._pause = pause
        self._window = WriterWindow()
        self._loop = asyncio.get_running_loop()
        self._changed = asyncio.Event()
        #: seconds spent waiting for the reader
        self.waited = 0.0

    @property
    def sent(self) -> int:
        """Items made so far."""
        return self._window.sent

    @property
    def wanted(self) -> bool:
        """Whether the next item is new to the reader: after a container's death a stream begins again."""
        return self._window.sent >= self._window.read

    def allow(self, total: int) -> None:
        """The reader's word: so many items may have been sent in all."""
        self._window.allow(total)
        self.wake()

    def wake(self) -> None:
        """Have a waiting generator look again whether it goes on."""
        with contextlib.suppress(RuntimeError):  # the loop has ended, and the generator with it
            self._loop.call_soon_threadsafe(self._changed.set)

    def has_room(self) -> bool:
        """Whether the next item may be made now; for the thread that makes them."""
        return self._window.has_room()

    async def room(self, given_up: Callable[[], bool]) -> None:
        """Return when the next item may be made, or when ``given_up()``. In any case the loop has had a turn."""
        await asyncio.sleep(0)
        if self._window.has_room() or given_up():
            return
        began = time.perf_counter()
        self._pause(True)
        try:
            while True:
                # cleared before the look, so that a word which comes behind the look ends the wait
                self._changed.clear()
                if self._window.has_room() or given_up():
                    return
                await self._changed.wait()
        finally:
            self._pause(False)
            self.waited += time.perf_counter() - began

    def put(self, frames: list[Frame] | None) -> None:
        """The next item; None: one that is not wanted."""
        self._window.wrote(0 if frames is None else self._send(self._window.sent, frames))
