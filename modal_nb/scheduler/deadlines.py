"""What is due when: a heap of moments at which a container, a pool or the machine wants to be looked at."""

from __future__ import annotations

from heapq import heappop, heappush
from math import inf
from typing import Protocol


class Timed(Protocol):
    """Whatever can be due. ``armed`` belongs to Deadlines: the earliest moment it has in the heap."""

    armed: float


class Deadlines:
    """At most one living entry for each subject.

    A subject whose moment moves into the future is left where it is: it is looked at too early, finds nothing
    due and arms again. So a thousand inputs a second with a timeout each leave one entry, not a thousand.
    """

    __slots__ = ("_heap", "_order")

    def __init__(self) -> None:
        self._heap: list[tuple[float, int, Timed]] = []
        self._order = 0

    def arm(self, subject: Timed, when: float) -> None:
        """Look at the subject at ``when``, or earlier if it is armed for earlier."""
        if when < subject.armed:
            subject.armed = when
            self._order += 1
            heappush(self._heap, (when, self._order, subject))

    def disarm(self, subject: Timed) -> None:
        """The subject is gone; its entries are skipped."""
        subject.armed = inf

    def wake_at(self) -> float | None:
        """The next moment at which something may be due."""
        heap = self._heap
        while heap and heap[0][0] != heap[0][2].armed:
            heappop(heap)
        return heap[0][0] if heap else None

    def pop_due(self, now: float) -> list[Timed]:
        """The subjects whose moment has come, no longer armed. What they arm for ``now`` has its turn next time."""
        due: list[Timed] = []
        heap = self._heap
        while heap and heap[0][0] <= now:
            when, _, subject = heappop(heap)
            if when == subject.armed:
                subject.armed = inf
                due.append(subject)
        return due
