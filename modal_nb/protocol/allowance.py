"""How much may pass at once and over time: a bucket that fills evenly."""

from __future__ import annotations


class Allowance:
    """``burst`` may pass at once, and ``rate`` more per second. Who uses it says what time it is, in seconds."""

    __slots__ = ("_burst", "_left", "_rate", "_then")

    def __init__(self, burst: float, rate: float, now: float) -> None:
        self._burst, self._rate = burst, rate
        self._left, self._then = float(burst), now

    def take(self, wanted: int, now: float) -> int:
        """How much of what is wanted may pass now; it is taken."""
        self._left = min(self._burst, self._left + (now - self._then) * self._rate)
        self._then = now
        granted = min(wanted, int(self._left))
        self._left -= granted
        return granted

    def take_all(self, wanted: int, now: float) -> bool:
        """Whether all of it may pass now; else nothing is taken."""
        if self.take(0, now) or self._left < wanted:
            return False
        self._left -= wanted
        return True
