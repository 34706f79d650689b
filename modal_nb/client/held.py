"""The calls of a process that have no outcome yet."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from modal_nb.client.calls import Call

if TYPE_CHECKING:
    from modal_nb.client.ticker import Ticker


class Held:
    """By reference, the oldest first. Any thread may look and take."""

    def __init__(self, over: Callable[[Call], None], ticker: Ticker) -> None:
        """``over`` is told of each call with a screen that is taken out."""
        self._calls: dict[int, Call] = {}
        self._over = over
        self._ticker = ticker

    def __len__(self) -> int:
        return len(self._calls)

    def __contains__(self, number: int) -> bool:
        return number in self._calls

    def add(self, call: Call) -> None:
        self._calls[call.number] = call
        if call.screen is not None and not self._ticker.awake and call.screen.interactive:
            self._ticker.wake()

    def get(self, number: int) -> Call | None:
        return self._calls.get(number)

    def all(self) -> list[Call]:
        return list(self._calls.values())

    def pop(self, number: int) -> Call | None:
        """It has its outcome, or was given up; None: it had that before."""
        call = self._calls.pop(number, None)
        if call is not None and call.screen is not None:
            self._over(call)
        return call

    def pop_all(self) -> list[Call]:
        return [call for number in list(self._calls) if (call := self.pop(number))]
