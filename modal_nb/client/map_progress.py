"""The progress of one ``.map`` in the cell or terminal that iterates it."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from modal_nb.client import screens
from modal_nb.client.boards import Board
from modal_nb.client.progress import Counts, Rate, bar, line
from modal_nb.spec.cls_spec import label_of

if TYPE_CHECKING:
    from modal_nb.client.pool import Pool

#: seconds before anything is shown
_SOON = 1.0


class MapProgress:
    """``came`` and ``failed`` are called as results come; what is shown is worked out by the ticker."""

    def __init__(self, pool: Pool, method: str, total: int | None) -> None:
        screen = screens.here()
        self._pool = pool
        self._label = f"{label_of(pool.spec.service, method)}.map"
        self._board = (
            Board(screen) if screen is not None and screen.interactive and screens.progress else None
        )
        self._began = time.monotonic()
        self._rate = Rate(self._began)
        self._counts = Counts(total)

    def begin(self) -> None:
        if self._board is not None:
            self._pool.app.session.ticker.begin(self)

    def came(self, count: int) -> None:
        """So many inputs have their outcome."""
        self._counts.done += count

    @property
    def done(self) -> int:
        return self._counts.done

    def failed(self) -> None:
        self._counts.failed += 1

    def tick(self) -> None:
        """On the ticker's thread."""
        now = time.monotonic()
        self._counts.rate = self._rate.after(self._counts.done, now)
        if now - self._began < _SOON or self._board is None:
            return
        stats = self._pool.stats()
        counts = self._counts
        counts.running, counts.containers = stats.num_running_inputs, stats.num_total_runners
        left = None if counts.total is None else max(counts.total - counts.done - counts.running, 0)
        counts.queued = stats.backlog if left is None else left
        counts.why = "" if counts.running else self._why()
        if not counts.end:
            self._board.show(line(self._label, counts), bar(self._label, counts))

    def _why(self) -> str:
        ticker = self._pool.app.session.ticker
        mine = [call for call in self._pool.app.session.held.all() if call.pool is self._pool][:1]
        return next(iter(ticker.why(mine).values()), "") if mine else ""

    def end(self, how: str) -> None:
        """``how``: "done", or in a word why not. What was shown stays, as a line that is true for ever."""
        if self._board is None:
            return
        self._pool.app.session.ticker.end(self)
        self._counts.end = how
        self._counts.seconds = time.monotonic() - self._began
        if self._board.used:
            self._board.show(line(self._label, self._counts), bar(self._label, self._counts), last=True)
            screens.output.settle()
