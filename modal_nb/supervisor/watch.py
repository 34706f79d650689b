"""Who watches which pools, and what they are told: a full report first, then what has changed, at most four times a
second for a pool.
"""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from modal_nb.protocol import messages as ms
from modal_nb.protocol.reports import Diff, Report, difference
from modal_nb.protocol.stream import Kind, packet
from modal_nb.supervisor.chronicle import Chronicle
from modal_nb.supervisor.listing import listed, wanted
from modal_nb.supervisor.records import Client, Container
from modal_nb.supervisor.usage import Meter, Sample

if TYPE_CHECKING:
    from modal_nb.supervisor.reactor import Reactor

log = logging.getLogger("modal_nb.supervisor")

#: seconds between two looks at one pool, and between two samples of memory and processor time
LOOK_EVERY = 0.25
SAMPLE_EVERY = 2.0
#: a client that has so many bytes to read gets no differences, but a full report when it has read them
_TOO_FAR_BEHIND = 1 << 20


@dataclass(slots=True, eq=False)
class _Watched:
    """One pool, and who watches it."""

    chronicle: Chronicle
    #: whether they have the last report that was sent, so that a difference will do
    watchers: dict[Client, bool] = field(default_factory=dict)
    sent: Report | None = None
    looked: float = float("-inf")
    timer: asyncio.TimerHandle | None = None


class Watch:
    """Told by the reactor and the fleet of what changes. Reads state, changes none."""

    def __init__(self, reactor: Reactor, loop: asyncio.AbstractEventLoop) -> None:
        self._reactor = reactor
        self._loop = loop
        self._pools: dict[int, _Watched] = {}
        self._wishes: dict[Client, ms.WatchAsk] = {}
        #: the list of apps that a client was told last
        self._listed: dict[Client, list[Report]] = {}
        self._used: dict[int, Sample] = {}
        self._meter = Meter()
        self._sampling: asyncio.TimerHandle | asyncio.Future[dict[int, Sample]] | None = None
        reactor.on_change, reactor.on_forgotten = self._changed, self._forgotten
        reactor.on_apps = self._apps_changed
        reactor.fleet.on_dead = self._died

    # -- who watches --------------------------------------------------------------------------------------------

    def ask(self, client: Client, asked: ms.WatchAsk) -> None:
        """From now on the client watches this, and nothing else; what it watches is told as it is in this moment."""
        self._wishes[client] = asked
        self._listed.pop(client, None)
        # first, so that whose pools these are is known when their reports come
        self._apps_changed()
        for watched in list(self._pools.values()):
            if not self._wants(client, watched):
                self._leave(client, watched)
                continue
            watched.watchers.setdefault(client, False)
            if watched.timer is not None:
                watched.timer.cancel()
            self._look(watched, client)
        self._sample_soon()

    def lost(self, client: Client) -> None:
        """The client is gone."""
        self._listed.pop(client, None)
        if self._wishes.pop(client, None) is not None:
            for watched in self._pools.values():
                self._leave(client, watched)

    def _wants(self, client: Client, watched: _Watched) -> bool:
        asked, pool = self._wishes[client], watched.chronicle.pool
        if pool.number in asked.pools:
            return client.container is None or client.may_use(pool.app)
        return wanted(client, asked, pool.app)

    def _leave(self, client: Client, watched: _Watched) -> None:
        watched.watchers.pop(client, None)
        if not watched.watchers:
            watched.sent = None

    # -- what happens -------------------------------------------------------------------------------------------

    def _changed(self, number: int) -> None:
        """Look at this pool now, or soon if that was done just now."""
        watched = self._pools.get(number) or self._opened(number)
        if watched is not None and watched.timer is None:
            wait = max(0.0, watched.looked + LOOK_EVERY - self._loop.time())
            watched.timer = self._loop.call_later(wait, self._look, watched)

    def _apps_changed(self) -> None:
        """Apps came, went, or have a newer version: tell whoever's list is another one now."""
        for client, asked in self._wishes.items():
            if not asked.listed:
                continue
            apps = listed(client, asked, self._reactor.apps.values())
            if apps != self._listed.get(client):
                self._listed[client] = apps
                client.link.send(packet(Kind.REPORT, client.codec.pack("apps_report", {"apps": apps})))
        self._reactor.flush()

    def _opened(self, number: int) -> _Watched | None:
        pool = self._reactor.pools.get(number)
        if pool is None:
            return None
        watched = self._pools[number] = _Watched(Chronicle(pool))
        for client in self._wishes:
            if self._wants(client, watched):
                watched.watchers[client] = False
        return watched

    def _died(self, container: Container) -> None:
        watched = self._pools.get(container.pool.number)
        if watched is not None:
            watched.chronicle.died(container, self._loop.time())
        self._used.pop(container.number, None)

    def _forgotten(self, number: int) -> None:
        """The pool is gone: say so, for the last time."""
        watched = self._pools.pop(number, None)
        if watched is None:
            return
        if watched.timer is not None:
            watched.timer.cancel()
        if watched.watchers:
            self._publish(watched, gone=True)

    def _look(self, watched: _Watched, asker: Client | None = None) -> None:
        watched.timer = None
        watched.looked = now = self._loop.time()
        watched.chronicle.note(self._reactor.scheduler.pool_stats(watched.chronicle.pool.number), now)
        if watched.watchers:
            self._publish(watched, asker)
            self._sample_soon()

    # -- what is told -------------------------------------------------------------------------------------------

    def _report(self, watched: _Watched, *, gone: bool = False) -> Report:
        reactor = self._reactor
        living = reactor.fleet.containers
        return watched.chronicle.report(reactor.scheduler, living, self._used, self._loop.time(), gone=gone)

    def _publish(self, watched: _Watched, asker: Client | None = None, *, gone: bool = False) -> None:
        """Tell all watchers what has changed; ``asker`` is told what time it is in any case: it counts down from it."""
        report = self._report(watched, gone=gone)
        if watched.sent is not None:  # time tells differences apart
            report["now"] = max(report["now"], watched.sent["now"] + 1e-6)
        diff = None if watched.sent is None else difference(watched.sent, report)
        if diff is not None or watched.sent is None or asker is not None:
            watched.sent = report
        for client in list(watched.watchers):
            only_time = {"pool": report["pool"], "now": report["now"]} if client is asker else None
            self._tell(client, watched, diff or only_time)
        self._reactor.flush()

    def _tell(self, client: Client, watched: _Watched, diff: Diff | None) -> None:
        """The difference to who has the report before it, the whole report to who has not."""
        if watched.watchers[client] and diff is None:
            return
        if client.link.sender.queued() > _TOO_FAR_BEHIND:
            watched.watchers[client] = False
            self._changed(watched.chronicle.pool.number)
            return
        content = {"diff": diff} if watched.watchers[client] else {"report": watched.sent}
        watched.watchers[client] = True
        client.link.send(packet(Kind.REPORT, client.codec.pack("pool_report", content)))

    # -- memory and processor time ------------------------------------------------------------------------------

    def _sample_soon(self) -> None:
        """Sample now and then again and again, as long as somebody watches a container."""
        if self._sampling is None and self._roots():
            self._sample()

    def _roots(self) -> dict[int, int]:
        return {
            container.number: container.process.pid
            for container in self._reactor.fleet.containers.values()
            if container.process is not None
            and (watched := self._pools.get(container.pool.number)) is not None
            and watched.watchers
        }

    def _sample(self) -> None:
        roots = self._roots()
        self._sampling = None
        if not roots:
            self._used.clear()
            return
        self._sampling = future = self._loop.run_in_executor(None, self._meter.sample, roots)
        future.add_done_callback(self._sampled)

    def _sampled(self, future: asyncio.Future[dict[int, Sample]]) -> None:
        self._sampling = self._loop.call_later(SAMPLE_EVERY, self._sample)
        if future.cancelled():
            return
        if (error := future.exception()) is not None:
            log.error("memory and processor time cannot be sampled: %r", error)
            return
        living = self._reactor.fleet.containers
        self._used = {number: sample for number, sample in future.result().items() if number in living}
        for number, watched in self._pools.items():
            if watched.watchers:
                self._changed(number)
