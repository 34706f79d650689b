"""Who waits for whom by the witness's own books: nested calls, sleeping containers, circles."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable
from math import inf
from typing import TYPE_CHECKING

from modal_nb.scheduler import events as ev
from tests.scheduler.circles import doomed

if TYPE_CHECKING:
    from tests.scheduler.book import Book


class Nests:
    """Told of everything by the witness."""

    def __init__(
        self,
        books: dict[int, Book],
        running: Callable[[Book], list[int]],
        postponed: Callable[[], set[int]],
        aside: Callable[[int], bool],
    ) -> None:
        """``postponed``: inputs whose next attempt is not due. ``aside``: containers that do not count now."""
        self._aside = aside
        self._books = books
        self.postponed = postponed
        self._running = running
        #: nested calls; and of those without an outcome, whose code waits for them
        self.nested: set[int] = set()
        self.parents: dict[int, int] = {}
        #: generators among them that wait for who called them
        self.paused: set[int] = set()
        #: of whose present attempt a call was sent to a container
        self.called: set[int] = set()
        #: who was asked to end, in this attempt
        self.asked: set[int] = set()

    def arrived(self, event: ev.InputArrived, over: set[int]) -> None:
        running = any(event.parent in self._running(book) for book in self._books.values())
        if running and event.parent not in over:
            self.parents[event.input] = event.parent
            self.nested.add(event.input)

    def sent(self, input: int) -> None:
        if input in self.parents:
            self.called.add(self.parents[input])

    def pause(self, event: ev.InputPaused, book: Book) -> None:
        attempt, begun = book.held.get(event.input, (0, inf))
        if attempt != event.attempt or begun == inf or event.input in self.asked:
            return
        if event.paused:
            self.paused.add(event.input)
        else:
            self.paused.discard(event.input)

    def split(self, input: int, rest: int) -> None:
        if input in self.nested:
            self.nested.add(rest)
        if input in self.parents:
            self.parents[rest] = self.parents[input]

    def attempt_over(self, inputs: Iterable[int]) -> None:
        """Nobody waits any more for what they called."""
        for input in inputs:
            for known in (self.asked, self.paused, self.called):
                known.discard(input)
            for child in [child for child, parent in self.parents.items() if parent == input]:
                del self.parents[child]

    def over(self, input: int) -> None:
        self.parents.pop(input, None)
        for child in [child for child, parent in self.parents.items() if parent == input]:
            del self.parents[child]

    # -- what follows

    def awaited(self, input: int) -> list[int]:
        """What its code waits for; nothing if it is to end, or waits for its own reader."""
        if input in self.asked or input in self.paused:
            return []
        return [
            child for child, parent in self.parents.items() if parent == input and child not in self.paused
        ]

    def asleep(self, book: Book) -> bool:
        """All that it runs waits for nested calls."""
        running = self._running(book)
        return bool(running) and not book.killed and all(self.awaited(book.code(input)) for input in running)

    def caught(self, pool_of: Callable[[int], int], cap_of: Callable[[int], int | None]) -> set[Hashable]:
        """Inputs from which nothing that moves can be reached."""
        graph: dict[Hashable, Iterable[Hashable]] = {}
        held = {input for book in self._books.values() for input in book.held}
        for child in self.parents.keys() - held - self.postponed():
            graph[child] = [("pool", pool_of(child))]
        for number in {book.pool for book in self._books.values()}:
            books = [book for book in self._books.values() if book.pool == number]
            cap = cap_of(number)
            counted = [c for c, book in self._books.items() if book.pool == number and not self._aside(c)]
            if cap is not None and len(counted) >= cap and all(map(self.asleep, books)):
                graph["pool", number] = [input for book in books for input in self._running(book)]
        for book in self._books.values():
            running = self._running(book)
            graph |= {i: found for i in running if (found := self.awaited(book.code(i)))}
        return doomed(graph)
