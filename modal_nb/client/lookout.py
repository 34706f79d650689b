"""A thread that looks out for a supervisor while somebody watches and there is none: others may start one."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable

log = logging.getLogger("modal_nb.client")

#: seconds between two looks, each of which reads one small file
LOOK_EVERY = 1.0


class Lookout:
    """Lives as long as it is wanted; made anew for the next who want it."""

    def __init__(self, look: Callable[[], bool]) -> None:
        """``look`` is called on the thread: at each ``wake``, and every second for as long as it says True."""
        self._look = look
        self._woken = threading.Event()
        self._lock = threading.Lock()
        self._wanted = False
        self._thread: threading.Thread | None = None

    def want(self, *, wanted: bool) -> None:
        """Whether somebody watches; never waits for the thread."""
        with self._lock:
            if wanted == self._wanted:
                return
            self._wanted = wanted
            if wanted and self._thread is None:
                self._thread = threading.Thread(target=self._run, name="modal_nb-lookout", daemon=True)
                self._thread.start()
        self._woken.set()

    def wake(self) -> None:
        """Something has happened: look soon, if it is wanted."""
        self._woken.set()

    def _run(self) -> None:
        again = False
        while True:
            self._woken.wait(LOOK_EVERY if again else None)
            self._woken.clear()
            with self._lock:
                if not self._wanted:
                    self._thread = None
                    return
            try:
                again = self._look()
            except Exception:
                log.exception("looking for a supervisor failed")
                again = True
