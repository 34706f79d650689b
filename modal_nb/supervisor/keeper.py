"""Stored calls: accepted when their row is committed, run like any other, their outcomes kept for whoever asks.

To the reactor this is one more client, which is never lost. What it is told of an outcome goes into the store first and
to those who wait for it then, so that nobody can see two outcomes of one input.
"""

from __future__ import annotations

import asyncio
import itertools
import logging
import os
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import msgspec

from modal_nb.exception import Error
from modal_nb.protocol import messages as ms
from modal_nb.protocol.codec import Codec, Frame, MessageRefused
from modal_nb.protocol.deployment import SpawnHead
from modal_nb.protocol.stream import PREFIX, Kind, Packet, Result, body_of, packet
from modal_nb.scheduler import events as ev
from modal_nb.spec.cls_spec import label_of
from modal_nb.supervisor import outcomes
from modal_nb.supervisor.reactor import Reactor
from modal_nb.supervisor.records import App, Client, Pool
from modal_nb.supervisor.store import calls as rows
from modal_nb.supervisor.store.blobs import Blobs
from modal_nb.supervisor.store.store import Store
from modal_nb.supervisor.watchers import Watchers

log = logging.getLogger("modal_nb.supervisor")

#: seconds until an outcome that could not be written is tried again
_AGAIN = 1.0


@dataclass(slots=True)
class _Kept:
    """An input without an outcome on disk."""

    row: rows.Accepted
    pool: Pool

    @property
    def key(self) -> tuple[str, int]:
        return self.row.call, self.row.index


class Keeper:
    """Takes the place of a link: the reactor sends it the results of the calls that it made."""

    def __init__(
        self,
        store: Store,
        blobs: Blobs,
        reactor: Reactor,
        queue_bound: int,
        loop: asyncio.AbstractEventLoop,
        pool_for: Callable[[Pool], Pool | None],
    ) -> None:
        """``pool_for``: what takes the inputs of a pool that was just closed; None: its app has ended."""
        self._store = store
        self._blobs = blobs
        self._reactor = reactor
        self._bound = queue_bound
        self._loop = loop
        self._pool_for = pool_for
        self._numbers = itertools.count(1)
        #: what has no outcome on disk yet, by our reference, and the references by call and index
        self._inputs: dict[int, _Kept] = {}
        self._references: dict[tuple[str, int], int] = {}
        #: inputs of a pool that are on their way into the store
        self._entering: dict[Pool, int] = {}
        self.watchers = Watchers(store, blobs, reactor)
        #: the supervisor ends: what has no outcome is left to the next one
        self.ending = False
        #: the part of a link that says how far behind its reader is
        self.sender = self
        number = reactor.scheduler.next_number()
        #: what the reactor knows us as
        self.client = Client(number, os.getpid(), self, Codec(b"unused", "keeper"), takes_lent=False)  # type: ignore[arg-type]

    @property
    def pending(self) -> int:
        """Inputs that were accepted and have no outcome on disk."""
        return len(self._inputs)

    # -- spawned ----------------------------------------------------------------------------------------------------

    def spawn(self, client: Client, call: Packet, pool: Pool) -> None:
        """A SPAWN packet: answered by ACCEPTED once it is on disk. Raises MessageRefused."""
        new = _accepted(call, pool)
        backlog = self._reactor.scheduler.pool_stats(pool.number).backlog + self._entering.get(pool, 0)
        if backlog >= self._bound:
            word = outcomes.failed(pool.app.codec, ms.Failure(kind="queue_full"))
            client.link.send(outcomes.result(word, call.number))
            return
        self._entering[pool] = self._entering.get(pool, 0) + 1

        def accepted(entry: rows.Entry) -> None:
            self._entered(pool)
            gone = entry is rows.Entry.GONE
            flags = Result.UNKNOWN_POOL if gone else Result.ACCEPTED
            client.link.send(packet(Kind.RESULT, number=call.number, flags=flags, extra=pool.number))
            if entry is rows.Entry.NEW:
                self._arrive(new, pool)
            self._reactor.flush()

        def failed(error: Error) -> None:
            self._entered(pool)
            client.link.send(outcomes.refused(error, call.number))
            self._reactor.flush()

        now = time.time()
        self._store.run(lambda c: rows.accept(c, self._blobs, new, now), accepted, failed)

    def _entered(self, pool: Pool) -> None:
        self._entering[pool] -= 1
        if not self._entering[pool]:
            del self._entering[pool]

    def _arrive(self, new: rows.Accepted, pool: Pool) -> None:
        """It is on disk: run it, unless the supervisor ends."""
        reference = next(self._numbers)
        kept = self._inputs[reference] = _Kept(new, pool)
        self._references[kept.key] = reference
        if self.ending:
            return
        if self._reactor.pools.get(pool.number) is not pool:  # it went while the row was written
            found = self._pool_for(pool)
            if found is None:
                self._settle(reference, outcomes.failed(pool.app.codec, ms.Failure(kind="app_stopped")))
                return
            kept.pool = found
        self._run(reference, kept)
        if kept.pool.superseded:
            self._reactor.feed(ev.PoolReplaced(kept.pool.number))

    def _run(self, reference: int, kept: _Kept) -> None:
        row = kept.row
        if row.body is None:
            self._settle(reference, outcomes.failed(kept.pool.app.codec, ms.Failure(kind="data_lost")))
            return
        number = kept.pool.number
        arrived = Packet(Kind.CALL, reference, 0, number, 0, 1, row.batch, row.parts, 0.0, row.body)
        self._reactor.arrive(self.client, arrived)

    def restore(self, found: Sequence[rows.Accepted], app_of: Callable[[int], App | None]) -> None:
        """What an earlier supervisor had accepted runs now."""
        pools = {(p.app, p.spec.key): p for p in self._reactor.pools.values() if p.app.deployment}
        for one in found:
            app = app_of(one.app)
            pool = pools.get((app, one.pool)) if app is not None else None
            if pool is not None:
                self._arrive(one, pool)
            elif app is not None:
                self._lost(one, app)
            else:
                log.error("the app of %s could not be taken over", one.call)

    def _lost(self, one: rows.Accepted, app: App) -> None:
        end = outcomes.failed(app.codec, ms.Failure(kind="app_stopped"))
        self._store.run(lambda c: rows.settle(c, self._blobs, one.call, one.index, end, time.time()))

    def move(self, old: Pool, new: Pool) -> None:
        """What waits for an older version and was never sent goes to the newest one."""
        for held in list(self._reactor.inputs.values()):
            if held.pool is old and held.client is self.client and not held.attempt:
                kept = self._inputs[held.call]
                self._reactor.cancel(self.client, held.call)
                kept.pool = new
                self._run(held.call, kept)
                call = kept.row.call
                self._store.run(partial(rows.move, call=call, pool=new.spec.key))

    # -- settled: the reactor's side of a link ------------------------------------------------------------------------

    def queued(self) -> int:
        """Bytes that wait for us to read: none ever."""
        return 0

    def send(self, pieces: list[Frame]) -> None:
        """A RESULT of one of our calls."""
        kind, number, *_, flags, parts, _, _ = PREFIX.unpack(pieces[0])[2:]
        kept = self._inputs.get(number)
        if kind != Kind.RESULT or kept is None or flags in (Result.ITEM, Result.OUTPUT):
            return
        codec = kept.pool.app.codec
        if flags == Result.UNKNOWN_POOL:
            log.error("the pool of %s is gone", kept.row.call)
            self._settle(number, outcomes.failed(codec, ms.Failure(kind="app_stopped")))
            return
        if self.ending and flags == Result.FAILURE:
            body = b"".join(bytes(piece) for piece in pieces[1:])
            if outcomes.said(codec, flags, parts, body).get("kind") == "app_stopped":
                return  # the supervisor ends, not the app: the next one runs it
        self._settle(number, outcomes.told(codec, pieces))

    def _settle(self, reference: int, end: rows.Settled) -> None:
        kept = self._inputs.get(reference)
        if kept is None:
            return

        def done(found: tuple[rows.Settled | None, str | None]) -> None:
            counts, file = found
            if file:
                self._blobs.remove([file])
            self._over(reference, counts or end)
            self._reactor.flush()
            self._reactor.on_quiet()

        def failed(error: Error) -> None:
            log.error("an outcome of %s cannot be kept yet: %s", kept.row.call, error)
            self._loop.call_later(_AGAIN, self._settle, reference, end)

        now = time.time()
        self._store.run(lambda c: rows.settle(c, self._blobs, *kept.key, end, now), done, failed)

    def cancel(self, call: str, indexes: Sequence[int], *, terminate: bool) -> None:
        """These inputs, as far as they have no outcome, end as cancelled ones."""
        found = {
            index: self._references[call, index] for index in indexes if (call, index) in self._references
        }
        if not found:
            return
        for reference in found.values():
            self._reactor.cancel(self.client, reference, terminate=terminate)
        codec = self._inputs[next(iter(found.values()))].pool.app.codec
        end = outcomes.failed(codec, ms.Failure(kind="cancelled"))

        def done(told: tuple[set[int], list[str]]) -> None:
            settled, files = told
            self._blobs.remove(files)
            for index, reference in found.items():
                if index in settled:
                    self._over(reference, end)
                else:
                    self._settle(reference, end)  # it had an outcome already, which counts
            self._reactor.flush()
            self._reactor.on_quiet()

        def failed(error: Error) -> None:
            log.error("a cancel of %s cannot be kept yet: %s", call, error)
            for reference in found.values():
                self._settle(reference, end)

        now, positions = time.time(), list(found)
        self._store.run(lambda c: rows.settle_many(c, call, positions, end, now), done, failed)

    def _over(self, reference: int, end: rows.Settled) -> None:
        """Its outcome is on disk."""
        kept = self._inputs.pop(reference, None)
        if kept is not None:
            del self._references[kept.key]
            self.watchers.tell(kept.key, end)


def _accepted(call: Packet, pool: Pool) -> rows.Accepted:
    """The row of a SPAWN. Raises MessageRefused."""
    frames = call.frames()
    try:
        head = msgspec.json.decode(frames[0], type=SpawnHead)
    except (msgspec.DecodeError, IndexError):
        raise MessageRefused("a spawn without a head") from None
    deployment = pool.app.deployment
    assert deployment is not None
    label = label_of(pool.spec.service, head.method)
    body = b"".join(bytes(piece) for piece in body_of(frames[1:]))
    place = (head.call, head.index, deployment.row, pool.spec.key, head.method, label)
    return rows.Accepted(*place, call.flags, call.parts - 1, body)
