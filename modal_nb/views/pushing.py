"""The thread that talks to front ends: one for all panels, so that neither cells nor the reading thread ever wait."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Protocol

log = logging.getLogger("modal_nb.views")

#: seconds between two pushes of one panel
PUSH_EVERY = 0.25


class Pushed(Protocol):
    """A panel."""

    def push(self) -> float | None:
        """Send what has gathered; called on the pushing thread. Seconds until it wants to be called anyway."""
        ...


class Pusher:
    """Calls ``push`` of panels that have something to say, each at most four times a second."""

    def __init__(self) -> None:
        self._condition = threading.Condition()
        #: when each of them may speak next, and when it must
        self._due: dict[Pushed, float] = {}
        self._spoke: dict[Pushed, float] = {}
        self._thread: threading.Thread | None = None

    def soon(self, panel: Pushed, seconds: float = 0.0) -> None:
        """It has something to say; from any thread, never waits. ``seconds``: not before they are over."""
        now = time.monotonic()
        with self._condition:
            due = max(now + seconds, self._spoke.get(panel, 0.0) + PUSH_EVERY)
            self._due[panel] = min(due, self._due.get(panel, due))
            if self._thread is None or not self._thread.is_alive():
                self._thread = threading.Thread(target=self._run, name="modal_nb-panels", daemon=True)
                self._thread.start()
            self._condition.notify()

    def forget(self, panel: Pushed) -> None:
        """It is closed."""
        with self._condition:
            self._due.pop(panel, None)
            self._spoke.pop(panel, None)

    def _run(self) -> None:
        while True:
            panel = self._next()
            try:
                again = panel.push()
            except Exception:
                log.exception("a panel could not be pushed")
                again = None
            if again is not None:
                self.soon(panel, again)

    def _next(self) -> Pushed:
        with self._condition:
            while True:
                now = time.monotonic()
                panel = min(self._due, key=self._due.__getitem__, default=None)
                if panel is not None and self._due[panel] <= now:
                    del self._due[panel]
                    self._spoke[panel] = now
                    return panel
                self._condition.wait(None if panel is None else self._due[panel] - now)


#: of this process
pusher = Pusher()
_acting = ThreadPoolExecutor(1, thread_name_prefix="modal_nb-commands")


def act(command: Callable[[], None]) -> None:
    """Run a command off the main thread, one after the other: an observer must never wait for the supervisor."""
    _acting.submit(command)
