"""How often the connection to the supervisor ends: a call that no supervisor can bear must not end them all."""

from __future__ import annotations

import time

#: ends soon after one another before calls are given up: one of them may be the reason
_MOST = 5
#: seconds after which an end is not one of a row
_SOON = 30.0


class Breaks:
    """Of one session. A result ends a row."""

    def __init__(self) -> None:
        self._row = 0
        self._since = 0.0

    def connected(self) -> None:
        self._since = time.monotonic()

    def result(self) -> None:
        self._row = 0

    def too_many(self, *, waiting: bool) -> str:
        """The connection has ended while calls were ``waiting``; a clause if that happened too often, else empty."""
        soon = time.monotonic() - self._since < _SOON
        self._row = self._row + 1 if waiting and soon else 0
        if self._row <= _MOST:
            return ""
        self._row = 0
        return f"the connection to the supervisor ended {_MOST + 1} times in a row without a result"
