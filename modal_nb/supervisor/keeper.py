"""Stored calls: accepted when their row is committed, run like any other, their outcomes kept for whoever asks.

To the reactor this is one more client, which is never lost. What it is told of an outcome goes into the store first and
to those who wait for it then, so that nobody can see two outcomes of one input.
"""

from __future__ import annotations

import asyncio
import dataclasses
import itertools
import logging
import os
import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import msgspec

from modal_nb.exception import Error
from modal_nb.protocol import messages as ms
from modal_nb.protocol.codec import Codec, Frame, MessageRefused
from modal_nb.protocol.deployment import SpawnHead
from modal_nb.protocol.stream import PREFIX, Kind, Packet, Result, body_of, packet, prefix
from modal_nb.spec.cls_spec import label_of
from modal_nb.supervisor.reactor import Reactor
from modal_nb.supervisor.records import App, Client, Pool
from modal_nb.supervisor.store import calls as rows
from modal_nb.supervisor.store.blobs import Blobs
from modal_nb.supervisor.store.store import Store

log = logging.getLogger("modal_nb.supervisor")

#: seconds until an outcome that could not be written is tried again
_AGAIN = 1.0

Input = tuple[str, int]


class Keeper:
    """Takes the place of a link: the reactor sends it the results of the calls that it made."""

    def __init__(
        self, store: Store, blobs: Blobs, reactor: Reactor, queue_bound: int, loop: asyncio.AbstractEventLoop
    ) -> None:
        self._store = store
        self._blobs = blobs
        self._reactor = reactor
        self._bound = queue_bound
        self._loop = loop
        self._numbers = itertools.count(1)
        #: (call, index) of what has no outcome on disk yet, by our reference, and the other way round
        self._inputs: dict[int, tuple[Input, Pool]] = {}
        self._references: dict[Input, int] = {}
        #: inputs of a pool that are on their way into the store
        self._entering: dict[Pool, int] = {}
        #: who waits for the outcome of an input
        self._watchers: dict[Input, dict[tuple[Client, int], None]] = {}
        self._attached: dict[tuple[Client, int], Input] = {}
        #: the part of a link that says how far behind its reader is
        self.sender = self
        number = reactor.scheduler.next_number()
        #: what the reactor knows us as
        self.client = Client(number, os.getpid(), self, Codec(b"unused", "keeper"))  # type: ignore[arg-type]

    @property
    def pending(self) -> int:
        """Inputs that were accepted and have no outcome on disk."""
        return len(self._inputs)

    # -- spawned ----------------------------------------------------------------------------------------------------

    def spawn(self, client: Client, call: Packet, pool: Pool) -> None:
        """A SPAWN packet: answered by ACCEPTED once it is on disk. Raises MessageRefused."""
        frames = call.frames()
        try:
            head = msgspec.json.decode(frames[0], type=SpawnHead)
        except (msgspec.DecodeError, IndexError):
            raise MessageRefused("a spawn without a head") from None
        answer = partial(self._tell, client, call.number)
        backlog = self._reactor.scheduler.pool_stats(pool.number).backlog + self._entering.get(pool, 0)
        if backlog >= self._bound:
            answer(self._failure(pool.app, ms.Failure(kind="queue_full")))
            return
        deployment = pool.app.deployment
        assert deployment is not None
        label = label_of(pool.spec.service, head.method)
        body = b"".join(bytes(piece) for piece in body_of(frames[1:]))
        place = (head.call, head.index, deployment.row, pool.spec.key, head.method, label)
        new = rows.Accepted(*place, call.flags, call.parts - 1, body)
        self._entering[pool] = self._entering.get(pool, 0) + 1

        def entered() -> None:
            self._entering[pool] -= 1
            if not self._entering[pool]:
                del self._entering[pool]

        def accepted(fresh: bool) -> None:
            entered()
            answer(packet(Kind.RESULT, number=call.number, flags=Result.ACCEPTED))
            if fresh:
                self._arrive(new, pool)
            self._reactor.flush()

        def failed(error: Error) -> None:
            entered()
            answer(_refused(error))
            self._reactor.flush()

        now = time.time()
        self._store.run(lambda c: rows.accept(c, self._blobs, new, now), accepted, failed)

    def _arrive(self, new: rows.Accepted, pool: Pool) -> None:
        reference = next(self._numbers)
        key = (new.call, new.index)
        self._inputs[reference] = (key, pool)
        self._references[key] = reference
        arrived = Packet(Kind.CALL, reference, 0, pool.number, 0, 1, new.batch, new.parts, 0.0, new.body)
        self._reactor.arrive(self.client, arrived)

    def restore(self, found: Sequence[rows.Accepted], app_of: Callable[[int], App | None]) -> None:
        """What an earlier supervisor had accepted runs now; of an app that is gone it fails."""
        for one in found:
            app = app_of(one.app)
            pools = self._reactor.pools.values()
            pool = next((p for p in pools if p.app is app and p.spec.key == one.pool), None)
            if pool is not None:
                self._arrive(one, pool)
            elif app is not None:
                self._lost(one, app)
            else:
                log.error("the app of %s is not deployed any more", one.call)

    def _lost(self, one: rows.Accepted, app: App) -> None:
        word = self._failure(app, ms.Failure(kind="app_stopped"))
        end = rows.Settled(Result.FAILURE, *_parts_and_body(word), ok=False)
        self._store.run(lambda c: rows.settle(c, self._blobs, one.call, one.index, end, time.time()))

    # -- settled: the reactor's side of a link ------------------------------------------------------------------------

    def queued(self) -> int:
        """Bytes that wait for us to read: none ever."""
        return 0

    def send(self, pieces: list[Frame]) -> None:
        """A RESULT of one of our calls."""
        fields = PREFIX.unpack(pieces[0])
        kind, number, *_, flags, parts, seconds, _size = fields[2:]
        found = self._inputs.get(number)
        if kind != Kind.RESULT or found is None or flags == Result.ITEM:
            return
        (call, _), pool = found
        if flags == Result.UNKNOWN_POOL:
            log.error("the pool of %s is gone", call)
            self.settle(number, self._failure(pool.app, ms.Failure(kind="app_stopped")))
            return
        body = b"".join(bytes(piece) for piece in pieces[1:])
        end = rows.Settled(flags, parts, seconds, body, ok=False)
        if flags == Result.REPLY:
            end = dataclasses.replace(end, ok=_is_ok(pool.app, number, end))
        self._settle(number, end)

    def settle(self, reference: int, word: list[Frame]) -> None:
        """It ends by our own word."""
        self._settle(reference, rows.Settled(Result.FAILURE, *_parts_and_body(word), ok=False))

    def _settle(self, reference: int, end: rows.Settled) -> None:
        key, _ = self._inputs[reference]

        def done(file: str | None) -> None:
            if self._inputs.pop(reference, None) is None:
                return
            del self._references[key]
            if file:
                self._blobs.remove([file])
            for client, number in list(self._watchers.pop(key, ())):
                self._attached.pop((client, number), None)
                self._tell(client, number, _result(end))
            self._reactor.flush()
            self._reactor.on_quiet()

        def failed(error: Error) -> None:
            log.error("an outcome of %s cannot be kept yet: %s", key[0], error)
            self._loop.call_later(_AGAIN, self._settle, reference, end)

        now = time.time()
        self._store.run(lambda c: rows.settle(c, self._blobs, *key, end, now), done, failed)

    # -- asked for --------------------------------------------------------------------------------------------------

    def attach(self, client: Client, asked: Packet) -> None:
        """An ATTACH packet: the outcome as a RESULT if it is there, else PENDING now and the outcome later."""
        try:
            head = msgspec.json.decode(asked.frames()[0], type=SpawnHead)
        except (msgspec.DecodeError, IndexError):
            raise MessageRefused("an attach without a head") from None
        key, answer = (head.call, head.index), partial(self._tell, client, asked.number)

        def found(end: rows.Settled | None) -> None:
            if end is not None:
                answer(_result(end))
            else:
                self._watchers.setdefault(key, {})[client, asked.number] = None
                self._attached[client, asked.number] = key
                answer(packet(Kind.RESULT, number=asked.number, flags=Result.PENDING, count=0))
            self._reactor.flush()

        def failed(error: Error) -> None:
            answer(_refused(error))
            self._reactor.flush()

        self._store.run(lambda c: rows.outcome(c, self._blobs, *key), found, failed)

    def detach(self, client: Client, number: int) -> bool:
        """Nobody waits there any more. False: it was no attached one."""
        key = self._attached.pop((client, number), None)
        if key is None:
            return False
        watchers = self._watchers.get(key, {})
        watchers.pop((client, number), None)
        if not watchers:
            self._watchers.pop(key, None)
        return True

    def lost(self, client: Client) -> None:
        """Its connection ended."""
        for who, number in [who for who in self._attached if who[0] is client]:
            self.detach(who, number)

    def cancel(self, call: str, indexes: Sequence[int], *, terminate: bool) -> None:
        """These inputs, as far as they have no outcome, end as cancelled ones."""
        for index in indexes:
            reference = self._references.get((call, index))
            if reference is None:
                continue
            _, pool = self._inputs[reference]
            self._reactor.cancel(self.client, reference, terminate=terminate)
            self.settle(reference, self._failure(pool.app, ms.Failure(kind="cancelled")))

    # -- inside -----------------------------------------------------------------------------------------------------

    def _failure(self, app: App, word: ms.Failure) -> list[Frame]:
        return packet(Kind.RESULT, app.codec.pack("call_reply", word.content()), flags=Result.FAILURE)

    def _tell(self, client: Client, number: int, pieces: list[Frame]) -> None:
        """Send a RESULT that was made for nobody in particular."""
        fields = PREFIX.unpack(pieces[0])[2:]
        kind, _, _, _, _, count, flags, parts, seconds, size = fields
        head = prefix(Kind(kind), size, number=number, count=count, flags=flags, parts=parts, seconds=seconds)
        client.link.send([head, *pieces[1:]])


def _refused(error: Error) -> list[Frame]:
    frames = [type(error).__name__.encode(), str(error).encode()]
    return packet(Kind.RESULT, frames, flags=Result.REFUSED)


def _parts_and_body(word: list[Frame]) -> tuple[int, float, Any]:
    fields: tuple[Any, ...] = PREFIX.unpack(word[0])
    return fields[-3], fields[-2], b"".join(bytes(piece) for piece in word[1:])


def _result(end: rows.Settled) -> list[Frame]:
    head = prefix(Kind.RESULT, len(end.body), flags=end.flags, parts=end.parts, seconds=end.seconds)
    return [head, end.body]


def _is_ok(app: App, number: int, end: rows.Settled) -> bool:
    """Whether the container says that the method returned; its values stay closed."""
    whole = Packet(Kind.RESULT, number, 0, 0, 0, 1, end.flags, end.parts, end.seconds, end.body)
    try:
        return bool(app.codec.open(whole.frames()).content.get("status") == "ok")
    except MessageRefused:
        return False
