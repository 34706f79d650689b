"""An input on its way, and the central queue of a pool."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from math import inf
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from modal_nb.scheduler.batcher import Batch
    from modal_nb.scheduler.containers import Container
    from modal_nb.scheduler.pool import Pool

#: fewer dropped inputs than this are not worth a sweep
_SWEEP = 64


@dataclass(slots=True, eq=False)
class Input:
    """One message: a single input, or a chunk of ``count`` that travels together."""

    number: int
    pool: Pool
    client: int
    count: int
    #: what it adds to the pool's load: ``count``, or 1 where inputs are so short that one container takes all
    weight: int
    #: when it came, for the batch that it waits for; -inf: it has left before, and waits for no batch to fill
    since: float = 0.0
    #: which line of its pool it waits in: the batched method that it calls, or 0
    line: int = 0
    #: raised by each SendInput; events of an earlier one are late and ignored
    attempt: int = 0
    #: containers that died under it
    crashes: int = 0
    #: attempts that its retry policy counts
    failures: int = 0
    #: where it is; None: it waits
    container: Container | None = None
    #: its outcome was told; all that is left is the slot it may still take
    over: bool = False
    #: sent, but waiting in its container behind another one; counts as queued
    ahead: bool = False
    #: CancelInput was sent: when ``deadline`` passes now, its container is killed
    cancelling: bool = False
    #: a chunk that took too long: when the attempt has ended, it runs again as single inputs
    splitting: bool = False
    #: it took too long: when the attempt has ended, it is tried again
    retrying: bool = False
    #: its next attempt is not due yet: it is in no queue
    postponed: bool = False
    #: with whom it runs
    batch: Batch | None = None
    #: a container died under a batch with it: the next one is of it alone
    alone: bool = False
    #: how many inputs that were sent with this attempt have their results and are not counted any more
    answered: int = 0
    deadline: float = inf
    recall_at: float = inf
    #: of a generator that waits for its reader: how much of its time is left; inf: it does not wait
    left: float = inf
    #: a nested call: code that holds a container waits for it
    nested: bool = False
    #: whose code made it, while that attempt lasts
    parent: Input | None = None
    #: its own nested calls without an outcome; None: it never made one
    children: dict[Input, None] | None = None
    #: one that this attempt has made was sent to a container
    called: bool = False
    #: it runs in this container or nowhere, whose pool is meanwhile to do without it if it is aside
    pinned: Container | None = None
    aside: bool = False
    #: kept by Deadlines
    armed: float = inf

    def come_back(self) -> None:
        """Forget the attempt that is over; called before it waits again."""
        self.container = None
        self.batch, self.since = None, -inf
        self.ahead = self.cancelling = self.splitting = self.retrying = self.called = False
        self.answered = 0
        self.deadline = self.recall_at = self.left = inf


class Queue:
    """First in, first out; what was called back or lost goes to the front, and nested calls before all others.

    Somebody holds a container while a nested call waits: the longer it does, the more containers that takes.
    An input that is dropped stays inside, marked as over, and is skipped when its turn comes or swept out with many
    others: so that every operation costs the same however long the queue is.
    """

    __slots__ = ("_dropped", "_line", "_nested", "backlog", "load", "nested")

    def __init__(self) -> None:
        self._line: deque[Input] = deque()
        self._nested: deque[Input] = deque()
        #: how many of both lines are over
        self._dropped = 0
        #: inputs that wait, chunks counted whole
        self.backlog = 0
        #: the same by weight
        self.load = 0
        #: how many of the backlog are nested calls
        self.nested = 0

    def push(self, input: Input) -> None:
        self._count(input).append(input)

    def push_front(self, input: Input) -> None:
        self._count(input).appendleft(input)

    def _count(self, input: Input) -> deque[Input]:
        """The line that it joins."""
        self.backlog += input.count
        self.load += input.weight
        if not input.nested:
            return self._line
        self.nested += input.count
        return self._nested

    def _uncount(self, input: Input) -> None:
        self.backlog -= input.count
        self.load -= input.weight
        if input.nested:
            self.nested -= input.count

    def peek(self) -> Input:
        """The next input; only called while ``backlog`` is not zero."""
        return self._first(self._nested if self.nested else self._line)

    def pop(self) -> Input:
        """Take out the next input; only called while ``backlog`` is not zero."""
        input = self.peek()
        (self._nested if self.nested else self._line).popleft()
        self._uncount(input)
        return input

    def _first(self, line: deque[Input]) -> Input:
        while line[0].over:
            self._dropped -= 1
            line.popleft()
        return line[0]

    def since(self) -> float:
        """When the one came that has waited longest; only called while there is one."""
        heads = [self._first(self._nested)] if self.nested else []
        if self.backlog > self.nested:
            heads.append(self._first(self._line))
        return min(input.since for input in heads)

    def discard(self, input: Input) -> None:
        """Take out an input that waits; its ``over`` is set by the caller in the same breath."""
        self._uncount(input)
        self._dropped += 1
        if self._dropped > _SWEEP and 2 * self._dropped > len(self._line) + len(self._nested):
            living = [other for other in self if other is not input]
            self._line = deque(other for other in living if not other.nested)
            self._nested = deque(other for other in living if other.nested)
            self._dropped = 0

    def __iter__(self) -> Iterator[Input]:
        return (input for line in (self._nested, self._line) for input in line if not input.over)
