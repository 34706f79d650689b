"""The witness's own books on chunks of which a part is told before the rest."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from modal_nb.scheduler import effects as fx
from modal_nb.scheduler import events as ev

if TYPE_CHECKING:
    from tests.scheduler.book import Book
    from tests.scheduler.world import World


class Parts:
    """Told of everything by the witness."""

    def __init__(self, world: World, books: Mapping[int, Book], demand: Callable[[bool, str], None]) -> None:
        self._world = world
        self._books = books
        self._demand = demand
        self._in_hand: ev.PartFinished | None = None

    def before(self, event: ev.Event) -> None:
        self._in_hand = None
        if isinstance(event, ev.PartFinished):
            book = self._books.get(event.container)
            if book is not None and book.held.get(event.input, (0, 0.0))[0] == event.attempt:
                self._in_hand = event

    def told(self, effect: fx.ReplyPart, over: set[int]) -> None:
        part, before = self._in_hand, self._world.answered.get(effect.input, 0)
        fits = part is not None and (part.input, part.done - before) == (effect.input, effect.count)
        self._demand(fits, f"results of a part of input {effect.input}, but they are not in hand")
        self._demand(effect.input not in over, "I2: results for an input that has its outcome")
