"""The witness's own books on pinned inputs: who is for which container, and whose turn it is there."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from modal_nb.scheduler import effects as fx
from modal_nb.scheduler import events as ev

if TYPE_CHECKING:
    from tests.scheduler.book import Book

_ENDS = (fx.FailureKind.CONTAINER_GONE, fx.FailureKind.APP_STOPPED)


class Pinned:
    """Told of everything by the witness."""

    def __init__(
        self,
        books: Mapping[int, Book],
        demand: Callable[[bool, str], None],
        serves: Callable[[int], bool],
    ) -> None:
        """``serves(container)``: it takes inputs, or will."""
        self._books = books
        self._demand = demand
        self._serves = serves
        #: input -> its container, and whether that is aside for it
        self.known: dict[int, tuple[int, bool]] = {}
        #: those of each container that wait or run, in the order of their arrival; and who was sent
        self.lines: dict[int, list[int]] = {}
        self.sent_once: set[int] = set()

    def arrived(self, event: ev.PinnedArrived) -> None:
        self.known[event.input] = event.container, event.aside
        self.lines.setdefault(event.container, []).append(event.input)

    def died(self, container: int, over: set[int]) -> set[int]:
        """Whose callers must hear of it."""
        return set(self.lines.get(container, ())) - over

    def gone(self, input: int) -> None:
        """It waits and runs no more."""
        container, _ = self.known.get(input, (0, False))
        if input in self.lines.get(container, ()):
            self.lines[container].remove(input)

    def outcome(self, input: int) -> None:
        """If it runs it stays in its place until its container has done with it."""
        container, _ = self.known.get(input, (0, False))
        book = self._books.get(container)
        if book is None or input not in book.held:
            self.gone(input)

    def sent(self, effect: fx.SendInput, book: Book) -> None:
        line = self.lines.get(effect.container, [])
        if effect.input not in self.known:
            self._demand(not line, f"input {effect.input} was sent beside the pinned ones {line}")
            return
        self._demand(self.known[effect.input][0] == effect.container, "a pinned input was sent elsewhere")
        self._demand(line[:1] == [effect.input], f"{effect.input} was sent before its turn in {line}")
        self._demand(not book.held, f"pinned input {effect.input} was sent beside {list(book.held)}")
        self._demand(effect.input not in self.sent_once, f"pinned input {effect.input} was sent again")
        self.sent_once.add(effect.input)

    def failed(self, effect: fx.FailInput) -> None:
        if effect.kind is not fx.FailureKind.CONTAINER_GONE:
            return
        container, _ = self.known.get(effect.input, (0, False))
        self._demand(bool(container), f"{effect} of an input that is not pinned")
        self._demand(not self._serves(container), f"{effect} although container {container} serves")

    def aside(self, container: int) -> bool:
        """Its pool does without it now; one that ends counts again."""
        line = self.lines.get(container)
        return bool(line) and self.known[line[0]][1] and self._serves(container)
