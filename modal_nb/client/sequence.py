"""Puts answers that come in any order, and sometimes twice, into the order in which they are given out. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, TypeVar

Answer = tuple[bool, Any]
#: answers of inputs that follow each other; they stay together as far as they can, so that one costs next to nothing
L = TypeVar("L", bound=list[Any])


class Sequencer:
    """Gives every index out once: in order, or as they come."""

    def __init__(self, *, ordered: bool) -> None:
        self._ordered = ordered
        #: answers that came too early (ordered), by the index of the first one
        self._early: dict[int, list[Any]] = {}
        #: indexes given out, above ``_next`` (as they come)
        self._ahead: set[int] = set()
        #: every index below is given out
        self._next = 0
        self.given = 0

    def accept(self, first: int, answers: L) -> Iterator[L]:
        """Take answers for the indexes from ``first`` on; yields those whose turn it is."""
        late = self._next - first
        if late > 0:  # the message was sent again to a new supervisor, and this part was answered before
            first, answers = self._next, _behind(answers, late)
        if not answers:
            return
        if not self._ordered:
            yield from self._as_they_come(first, answers)
        elif first > self._next:
            if len(answers) > len(self._early.get(first, ())):
                self._early[first] = answers
        else:
            yield self._give(answers)
            yield from self._due()

    def _give(self, answers: L) -> L:
        self._next += len(answers)
        self.given += len(answers)
        return answers

    def _due(self) -> Iterator[Any]:
        """What waited for those that were given out."""
        while self._early:
            first = self._next if self._next in self._early else min(self._early)
            if first > self._next:
                return
            answers = _behind(self._early.pop(first), self._next - first)
            if answers:
                yield self._give(answers)

    def _as_they_come(self, first: int, answers: L) -> Iterator[L]:
        indexes = range(first, first + len(answers))
        if first == self._next and not self._ahead:
            yield self._give(answers)
            return
        if not self._ahead.isdisjoint(indexes):
            fresh = [
                answer for index, answer in zip(indexes, answers, strict=True) if index not in self._ahead
            ]
            answers = type(answers)(fresh)
        self._ahead.update(indexes)
        self.given += len(answers)
        yield answers
        while self._next in self._ahead:
            self._ahead.remove(self._next)
            self._next += 1


def _behind(answers: L, count: int) -> L:
    """Without the first ones."""
    return type(answers)(answers[count:]) if count else answers
