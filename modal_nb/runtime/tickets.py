"""What a container has taken on: one ticket per message of inputs, which says how far it has come."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Protocol


class Endable(Protocol):
    """What a cancel can be aimed at."""

    #: the running coroutine, where the method is async
    task: asyncio.Task[Any] | None
    #: ends the wait of a plain generator for its reader; any thread may call it
    wake: Callable[[], None] | None

    @property
    def input_id(self) -> int | str: ...

    @property
    def cancelled(self) -> bool: ...

    @property
    def numbers(self) -> list[int]:
        """The supervisor's."""


class Ticket:
    """A message of inputs from its arrival to its reply. Made and ended by a Runner."""

    __slots__ = (
        "answered",
        "base",
        "batch",
        "call_id",
        "cancelled",
        "count",
        "done",
        "first",
        "input_id",
        "next",
        "rest",
        "stop_at",
        "task",
        "wake",
    )

    def __init__(
        self, input_id: int | str, first: int, count: int, call_id: str | None, base: int | None = None
    ) -> None:
        """``base``: which input of the function call is the first of the message, where the caller says so."""
        self.input_id = input_id
        self.call_id = call_id
        self.base = base
        self.first = first
        self.count = count
        #: index in the message of the next input to begin, and of the first that may not be begun
        self.next = first
        self.stop_at = first + count
        #: the indexes that are not begun: to take one, and to take all, is one step for all threads
        self.rest: Iterator[int] = iter(range(first, first + count))
        #: how many of its first inputs have been answered while it goes on
        self.answered = 0
        self.cancelled = False
        self.done = False
        #: what its code is ended by, where it runs together with others
        self.batch: BatchTicket | None = None
        #: the running coroutine, where the method is async
        self.task: asyncio.Task[Any] | None = None
        #: ends the wait of a plain generator for its reader; any thread may call it
        self.wake: Callable[[], None] | None = None

    def begin_next(self) -> int | None:
        """The index of the input to run now, or None if there is none: all run, recalled, or cancelled."""
        if self.cancelled:
            return None
        index = next(self.rest, None)
        if index is not None:
            self.next = index + 1
        return index

    def give_back(self) -> int | None:
        """Freeze: how many inputs were begun and stay here; the others will not be. None if all are begun."""
        left = None if self.done else list(self.rest)
        if not left:
            return None
        self.stop_at = left[0]
        return self.stop_at - self.first

    def take_back(self) -> None:
        """The input that was begun last has failed and is to be run again: it and all behind it go back."""
        list(self.rest)
        self.next -= 1
        self.stop_at = self.next

    def finish(self) -> None:
        self.done = True
        self.task = self.wake = None

    @property
    def number(self) -> int:
        """The supervisor's number; 0 for an input that came by the Jupyter channels."""
        return self.input_id if isinstance(self.input_id, int) else 0

    @property
    def numbers(self) -> list[int]:
        return [self.number]

    @property
    def begun(self) -> int:
        return self.next - self.first

    @property
    def unanswered(self) -> int:
        """Of those that were begun."""
        return self.begun - self.answered

    @property
    def returned(self) -> bool:
        """Whether all that has no answer was given back before it was begun."""
        return self.stop_at <= self.first + self.answered

    def single_name(self, index: int) -> str:
        return self.name_of(index, many=False)

    def chunk_name(self, index: int) -> str:
        return self.name_of(index, many=True)

    def name_of(self, index: int, *, many: bool) -> str:
        """The input id that user code sees: of the function call where it is known, so that the caller knows it too."""
        if self.base is not None and self.call_id is not None:
            return f"in-{self.call_id.removeprefix('fc-')}-{self.base + index}"
        name = self.input_id if isinstance(self.input_id, str) else f"in-{self.input_id}"
        return f"{name}.{index}" if many else name


class BatchTicket:
    """Messages that one call of a method serves: its code is ended when all of them are given up."""

    __slots__ = ("members", "task", "wake")

    def __init__(self, members: Sequence[Ticket]) -> None:
        self.members = members
        self.task: asyncio.Task[Any] | None = None
        self.wake: Callable[[], None] | None = None
        for member in members:
            member.batch = self

    @property
    def input_id(self) -> int | str:
        """Of the first one, in whose name the code runs."""
        return self.members[0].input_id

    @property
    def numbers(self) -> list[int]:
        return [member.number for member in self.members]

    @property
    def cancelled(self) -> bool:
        return all(member.cancelled for member in self.members)
