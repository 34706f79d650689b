"""Time limits stand still while a person is awaited: one who is asked something, or who looks around in a debugger."""

from __future__ import annotations

import threading
from collections.abc import Callable

from modal_nb.container.output import Output
from modal_nb.protocol.stream import Kind
from modal_nb.runtime import context


class Pauses:
    """One per container; any thread may call it."""

    def __init__(self, output: Output, attempt_of: Callable[[int], int | None]) -> None:
        """``attempt_of``: of an input by its number; None: it does not run here."""
        self._output = output
        self._attempt_of = attempt_of
        self._lock = threading.RLock()
        #: for how many reasons the time of an input stands still
        self._reasons: dict[int, int] = {}
        #: inputs that a debugger has stopped
        self._stopped: set[int] = set()

    def begin(self, number: int) -> None:
        """One more reason, for all that run with it."""
        with self._lock:
            for one in context.runs_with(number):
                self._reasons[one] = self._reasons.get(one, 0) + 1
                if self._reasons[one] == 1:
                    self._tell(one, 1)

    def end(self, number: int) -> None:
        """One reason less."""
        with self._lock:
            for one in context.runs_with(number):
                left = self._reasons.pop(one, 0) - 1  # none: a cancel came before it began
                if left > 0:
                    self._reasons[one] = left
                elif left == 0:
                    self._tell(one, 0)

    def stop(self) -> None:
        """A debugger has stopped what runs."""
        with self._lock:
            for number in context.served_now():
                if number not in self._stopped:
                    self._stopped.add(number)
                    self.begin(number)

    def go_on(self) -> None:
        """The debugger lets it run."""
        with self._lock:
            while self._stopped:
                self.end(self._stopped.pop())

    def _tell(self, number: int, flags: int) -> None:
        attempt = self._attempt_of(number)
        if attempt is not None:
            self._output.tell(Kind.PAUSE, number, attempt, flags)
