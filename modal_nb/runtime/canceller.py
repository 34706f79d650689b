"""Repeats the cancel signal while the cancelled input is in user code: a single raise may be swallowed."""

from __future__ import annotations

import threading
from collections.abc import Callable

from modal_nb.runtime.tickets import Endable

#: seconds between two signals
INTERVAL = 0.005


class Canceller:
    """``hunt`` a ticket: one signal at once, more while it is armed. The thread lives only as long."""

    def __init__(self, is_armed: Callable[[Endable], bool], poke: Callable[[], None]) -> None:
        self._is_armed = is_armed
        self._poke = poke
        self._hunted: list[Endable] = []
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None

    def hunt(self, ticket: Endable) -> None:
        """Any thread may call it; it returns at once. A marked ticket is never armed anew."""
        if not self._is_armed(ticket):
            return
        self._poke()
        with self._lock:
            self._hunted.append(ticket)
            if self._thread is None:
                self._thread = threading.Thread(target=self._repeat, name="modal_nb-cancel", daemon=True)
                self._thread.start()

    def _repeat(self) -> None:
        pause = threading.Event()
        while True:
            pause.wait(INTERVAL)
            with self._lock:
                self._hunted = list(filter(self._is_armed, self._hunted))
                if not self._hunted:
                    self._thread = None
                    return
            self._poke()
