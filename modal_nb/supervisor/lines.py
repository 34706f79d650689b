"""Those who wait for a partition of a Queue: for an item, for room, or for more to look at.

Each line is served in the order in which they came, by one store operation at a time for all that wait in it. What was
taken for somebody who is gone by then is put back where it was.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from modal_nb.exception import Error, NotFoundError
from modal_nb.protocol.messages import Content
from modal_nb.supervisor import reports
from modal_nb.supervisor.records import Client
from modal_nb.supervisor.store import queues as rows
from modal_nb.supervisor.store.store import Store

#: environment, name and partition
Place = tuple[str, str, str]


@dataclass(slots=True, eq=False)
class Waiter:
    """One request that is answered when its time has come."""

    client: Client
    request: int
    asked: Any
    values: list[bytes]
    #: seconds; None: as long as it takes
    wait: float | None
    timer: asyncio.TimerHandle | None = None
    #: the store has been asked for it at least once
    tried: bool = False
    #: nobody wants its answer any more, or its time is over
    gone: bool = False
    over: bool = False

    @property
    def place(self) -> Place:
        return (self.asked.environment, self.asked.name, self.asked.partition)


@dataclass(slots=True, eq=False)
class Line:
    """Those who wait for one partition, in order."""

    waiters: deque[Waiter] = field(default_factory=deque)
    #: the store is at work for these
    served: list[Waiter] = field(default_factory=list)


class Lines:
    """The lines of one kind of request."""

    def __init__(
        self,
        store: Store,
        loop: asyncio.AbstractEventLoop,
        flush: Callable[[], None],
        one: rows.Serve,
        late: Content,
        *,
        all_alike: bool,
        done: Callable[[Waiter], None] = lambda _: None,
    ) -> None:
        """``late``: the answer when the time is over. ``all_alike``: when one must wait, all behind it must.

        ``done``: called for each one whose operation is on disk.
        """
        self._store = store
        self._loop = loop
        self._flush = flush
        self._one = one
        self._late = late
        self._all_alike = all_alike
        self._done = done
        self._lines: dict[Place, Line] = {}

    def enter(self, waiter: Waiter) -> None:
        """A new request."""
        self._lines.setdefault(waiter.place, Line()).waiters.append(waiter)
        if waiter.wait:
            waiter.timer = self._loop.call_later(waiter.wait, self._time_is_over, waiter)
        waiter.over = waiter.wait == 0
        self.wake(waiter.place)

    def wake(self, place: Place) -> None:
        """Something may have changed there."""
        line = self._lines.get(place)
        if line is None or line.served:
            return  # what has changed did so before this operation, which therefore sees it
        if not line.waiters:
            del self._lines[place]
            return
        line.served = list(line.waiters)
        wants = [rows.Want(one.asked, one.values, one.client.number) for one in line.served]
        now = time.time()
        self._store.run(
            lambda c: rows.serve(c, self._one, wants, now, all_alike=self._all_alike),
            lambda outcomes: self._served(place, line, outcomes),
            lambda error: self._served(place, line, [error] * len(wants)),
        )

    def wake_all(self, of: Callable[[Place], bool] = lambda _: True) -> None:
        """Something may have changed at these places."""
        for place in list(filter(of, self._lines)):
            self.wake(place)

    def leave(self, client: Client, lane: str, number: int) -> None:
        """The one of this lane waits no more; it gets no answer."""
        for line in list(self._lines.values()):
            for one in list(line.waiters):
                if one.client is client and (one.asked.lane, one.asked.number) == (lane, number):
                    self._drop(line, one)

    def lost(self, client: Client) -> list[Waiter]:
        """Its connection ended. Those of it for whom the store is at work."""
        left = []
        for line in list(self._lines.values()):
            for one in [one for one in line.waiters if one.client is client]:
                if one in line.served:
                    left.append(one)
                self._drop(line, one)
        return left

    def deleted(self, environment: str, name: str) -> None:
        """The Queue is gone: whoever waits there is told."""
        for place, line in list(self._lines.items()):
            if place[:2] == (environment, name):
                for one in [one for one in line.waiters if one not in line.served]:
                    self._drop(line, one)
                    gone = NotFoundError(f"the Queue {name!r} was deleted while somebody waited for it")
                    reports.refuse(one.client, one.request, gone)
        self._flush()

    def _drop(self, line: Line, waiter: Waiter) -> None:
        waiter.gone = True
        if waiter.timer is not None:
            waiter.timer.cancel()
        line.waiters.remove(waiter)

    def _time_is_over(self, waiter: Waiter) -> None:
        waiter.over = True
        line = self._lines.get(waiter.place)
        if line is not None and waiter in line.waiters and waiter not in line.served:
            self._end(line, waiter, (self._late, []))
            self._flush()

    def _served(self, place: Place, line: Line, outcomes: list[rows.Outcome]) -> None:
        served, line.served = line.served, []
        for waiter, outcome in zip(served, outcomes, strict=True):
            waiter.tried = True
            if outcome is not None and not isinstance(outcome, Error):
                self._done(waiter)
            if waiter.gone:
                continue
            if outcome is not None:
                self._end(line, waiter, outcome)
            elif waiter.over:
                self._end(line, waiter, (self._late, []))
        if any(not waiter.tried for waiter in line.waiters) or not line.waiters:
            self.wake(place)
        self._flush()

    def _end(self, line: Line, waiter: Waiter, outcome: tuple[Content, list[bytes]] | Error) -> None:
        self._drop(line, waiter)
        if isinstance(outcome, Error):
            reports.refuse(waiter.client, waiter.request, outcome)
        else:
            reports.answer(waiter.client, waiter.request, outcome[0], outcome[1])
