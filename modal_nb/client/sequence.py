"""Puts answers that come in any order, and sometimes twice, into the order in which they are given out. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

Answer = tuple[bool, Any]


class Sequencer:
    """Gives every index out once: in order, or as they come."""

    def __init__(self, *, ordered: bool) -> None:
        self._ordered = ordered
        #: answers that came too early (ordered)
        self._early: dict[int, Answer] = {}
        #: indexes given out, above ``_next`` (as they come)
        self._ahead: set[int] = set()
        #: every index below is given out
        self._next = 0
        self.given = 0

    def accept(self, first: int, answers: Sequence[Answer]) -> Iterator[Answer]:
        """Take answers for the indexes from ``first`` on; yields those whose turn it is."""
        for index, answer in enumerate(answers, first):
            if index < self._next:
                continue  # the message was sent again to a new supervisor, and this part was answered before
            if self._ordered:
                self._early[index] = answer
            elif index not in self._ahead:
                self._ahead.add(index)
                self.given += 1
                yield answer
        yield from self._due()

    def _due(self) -> Iterator[Answer]:
        while self._next in self._ahead:
            self._ahead.remove(self._next)
            self._next += 1
        while self._next in self._early:
            self._next += 1
            self.given += 1
            yield self._early.pop(self._next - 1)
