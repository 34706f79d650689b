"""Which inputs of a pool with batched methods leave together, and when.

A batch leaves when it is full, or when the first of its inputs has waited for ``wait_ms``; while no container has room
it goes on to fill. It takes one slot, and every input of it has an outcome of its own.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import inf
from typing import TYPE_CHECKING

from modal_nb.scheduler.inputs import Queue
from modal_nb.spec.scaling import Batching

if TYPE_CHECKING:
    from modal_nb.scheduler.inputs import Input


@dataclass(slots=True, eq=False)
class Batch:
    """Inputs that one container runs in one call of the method."""

    #: those that the container has not answered: who has its answer may be in another batch at once
    members: dict[Input, None]
    #: the first one, until it is answered: it stands for all where nested calls are concerned
    code: Input | None
    #: it was sent with more than one
    together: bool

    @staticmethod
    def of(inputs: list[Input]) -> Batch:
        return Batch(dict.fromkeys(inputs), inputs[0], len(inputs) > 1)

    def leave(self, input: Input) -> None:
        """The container has answered it."""
        del self.members[input]
        input.batch = None
        if input is self.code:
            self.code = None

    @property
    def given_up(self) -> bool:
        """Nobody waits for anything in it: its code may be asked to end."""
        return all(input.over or input.retrying for input in self.members)


#: the line of inputs that run by themselves, because a container died under a batch with them
ALONE = -1


class Lines:
    """The queue of such a pool: a line for each batched method, line 0 for all other calls, and ALONE."""

    def __init__(self, batching: tuple[tuple[str, Batching], ...]) -> None:
        self._batching = dict(enumerate((batching for _, batching in batching), 1))
        self._lines = {number: Queue() for number in (ALONE, 0, *self._batching)}

    @property
    def backlog(self) -> int:
        return sum(line.backlog for line in self._lines.values())

    @property
    def load(self) -> int:
        return sum(line.load for line in self._lines.values())

    @property
    def nested(self) -> int:
        return sum(line.nested for line in self._lines.values())

    @property
    def largest(self) -> int:
        """The most inputs that one slot takes."""
        return max(batching.max_batch_size for batching in self._batching.values())

    def of(self, number: int) -> Queue:
        return self._lines[number]

    def most(self, number: int) -> int:
        """How many inputs of this line may leave together."""
        return 1 if number == ALONE else self._batching[number].max_batch_size

    def _line(self, input: Input) -> Queue:
        return self._lines[ALONE if input.alone else input.line]

    def push(self, input: Input) -> None:
        self._line(input).push(input)

    def push_front(self, input: Input) -> None:
        self._line(input).push_front(input)

    def pop(self) -> Input:
        """Any one that waits; only called while ``backlog`` is not zero."""
        return next(line for line in self._lines.values() if line.backlog).pop()

    def discard(self, input: Input) -> None:
        self._line(input).discard(input)

    def __iter__(self) -> Iterator[Input]:
        return (input for line in self._lines.values() for input in line)

    def next_due(self) -> tuple[float, int]:
        """When the first of the waiting batches may leave, and its line; (inf, 0) if nothing waits."""
        return min(((self.due(number), number) for number in self._lines), default=(inf, 0))

    def due(self, number: int) -> float:
        """When the next batch of this line may leave at the latest; inf if nothing waits in it."""
        line = self._lines[number]
        if not line.backlog:
            return inf
        since = line.since()
        if number <= 0 or line.backlog >= self.most(number):
            return since
        return since + self._batching[number].wait_ms / 1000
