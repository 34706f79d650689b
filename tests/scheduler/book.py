"""One container in the books of the witness."""

from __future__ import annotations


class Book:
    """One container, as its events and effects tell it."""

    def __init__(self, pool: int, born: float) -> None:
        self.pool = pool
        self.born = born
        self.ready = self.stopped = self.killed = self.failed = self.ignored = False
        #: sent and not answered, in the order of sending: input -> (attempt, since when it runs)
        self.held: dict[int, tuple[int, float]] = {}
        #: with whom each of them runs: the first one of its batch, or itself, and that one's attempt
        self.unit: dict[int, tuple[int, int]] = {}
        self.sends = 0

    def running(self, slots: int) -> list[int]:
        """What it holds but for what waits for a slot; a batch takes one."""
        first = list(dict.fromkeys(self.unit[input] for input in self.held))[:slots]
        return [input for input in self.held if self.unit[input] in first]

    def mates(self, input: int) -> list[int]:
        """The batch that it runs in, as far as it has no answer."""
        return [other for other in self.held if self.unit[other] == self.unit[input]]

    def code(self, input: int) -> int:
        """In whose name its code makes calls; 0: in nobody's, for the first one of its batch has its answer."""
        first, attempt = self.unit[input]
        return first if self.held.get(first, (0, 0.0))[0] == attempt else 0
