"""Threads for plain methods that run side by side: each input on one of them, in a copy of the caller's context."""

from __future__ import annotations

import contextvars
import queue
import threading
from collections.abc import Callable


class Threads:
    """Starts threads as they are needed and keeps them. They are daemons: one that hangs keeps no container alive."""

    def __init__(self) -> None:
        self._acts: queue.SimpleQueue[Callable[[], None]] = queue.SimpleQueue()
        self._lock = threading.Lock()
        #: threads that wait for something to run and are not promised to it
        self._free = 0
        self._made = 0

    def run(self, act: Callable[[], None]) -> None:
        """Run it on a thread of its own, at once; it must not raise."""
        bound = contextvars.copy_context()
        with self._lock:
            if self._free:
                self._free -= 1
            else:
                self._made += 1
                name = f"modal_nb-input-{self._made}"
                threading.Thread(target=self._work, name=name, daemon=True).start()
        self._acts.put(lambda: bound.run(act))

    def _work(self) -> None:
        while True:
            self._acts.get()()
            with self._lock:
                self._free += 1
