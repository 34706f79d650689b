"""What clients ask of Dicts and Queues; each answer waits for the store, and some for others."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping
from typing import Any

from modal_nb.exception import InvalidError, RequestSizeError
from modal_nb.protocol import messages as ms
from modal_nb.protocol import objects as ob
from modal_nb.protocol.codec import Message
from modal_nb.supervisor.answers import Answer, Answers
from modal_nb.supervisor.lines import Lines, Place, Waiter
from modal_nb.supervisor.reactor import Reactor
from modal_nb.supervisor.records import Client
from modal_nb.supervisor.store import dicts, objects, queues, receipts
from modal_nb.supervisor.store.store import Store

Handler = Callable[[Client, int, Message, Any], None]

#: seconds in which a client may come back before its ephemeral objects go; all of them after a new start
_GRACE = 2.0
_GRACE_OF_ALL = 60.0
_DONE: Answer = (ms.Done(), ())


class ObjectHandlers:
    """One method per request."""

    def __init__(
        self,
        store: Store,
        reactor: Reactor,
        loop: asyncio.AbstractEventLoop,
        connected: Callable[[], list[Client]],
    ) -> None:
        self._store = store
        self._answers = Answers(store, reactor)
        self._loop = loop
        self._connected = connected
        flush = reactor.flush
        self._getters = Lines(
            store, loop, flush, queues.take, ob.QueueTaken(), all_alike=True, done=self._has_room
        )
        self._putters = Lines(
            store, loop, flush, queues.put, ob.QueuePutDone(full=True), all_alike=True, done=self._has_more
        )
        self._readers = Lines(store, loop, flush, queues.page, ob.Page(after=0), all_alike=False)
        self.handlers: Mapping[type[ms.Content], Handler] = {
            ob.ObjectFind: self._find,
            ob.ObjectCreate: self._create,
            ob.ObjectDelete: self._delete,
            ob.ObjectsAsk: self._list,
            ob.DictGet: self._dict_get,
            ob.DictHas: self._dict_has,
            ob.DictPop: self._dict_pop,
            ob.DictPut: self._dict_put,
            ob.DictLen: self._dict_len,
            ob.DictClear: self._dict_clear,
            ob.DictPageAsk: self._dict_page,
            ob.QueuePut: self._queue_put,
            ob.QueueGet: self._queue_get,
            ob.QueueCancel: self._queue_cancel,
            ob.QueueLen: self._queue_len,
            ob.QueueClear: self._queue_clear,
            ob.QueuePageAsk: self._queue_page,
        }

    def restore(self) -> None:
        """Ephemeral objects whose owners do not come back go."""
        self._loop.call_later(_GRACE_OF_ALL, self._remove_orphans)

    def sweep(self) -> None:
        """What is too old goes."""
        now = time.time()
        for expire in (dicts.expire, queues.expire, receipts.expire):
            self._store.run(lambda c, expire=expire: expire(c, now))  # type: ignore[misc]

    def lost(self, client: Client) -> None:
        """Its connection ended: what was taken for it and not answered is put back, what is its own goes."""
        self._readers.lost(client)
        self._putters.lost(client)
        for one in self._getters.lost(client):
            self._undo(one.place, one.asked.lane, one.asked.number, client.number)
        self._loop.call_later(_GRACE, self._remove_of, owner_of(client))

    def _remove_of(self, owner: str) -> None:
        if owner not in map(owner_of, self._connected()):
            self._store.run(lambda c: objects.remove_of(c, owner), self._removed)

    def _remove_orphans(self) -> None:
        owners = {owner_of(client) for client in self._connected()}
        self._store.run(lambda c: objects.remove_orphans(c, owners), self._removed)

    def _removed(self, _: None) -> None:
        """Whoever waits for one that is gone is told."""
        for lines in (self._getters, self._putters, self._readers):
            lines.wake_all()

    # -- objects as such --------------------------------------------------------------------------------------------

    def _find(self, client: Client, request: int, message: Message, asked: ob.ObjectFind) -> None:
        self._run(client, request, lambda c, now: objects.find(c, asked.kind, asked, now), lambda _: _DONE)

    def _create(self, client: Client, request: int, message: Message, asked: ob.ObjectCreate) -> None:
        owner = owner_of(client) if asked.ephemeral else ""
        self._run(client, request, lambda c, now: objects.create(c, asked, owner, now), lambda _: _DONE)

    def _delete(self, client: Client, request: int, message: Message, asked: ob.ObjectDelete) -> None:
        def deleted(_: None) -> Answer:
            if asked.kind == "queue":
                for lines in (self._getters, self._putters, self._readers):
                    lines.deleted(asked.environment, asked.name)
            return _DONE

        self._run(client, request, lambda c, now: objects.remove(c, asked, now), deleted)

    def _list(self, client: Client, request: int, message: Message, asked: ob.ObjectsAsk) -> None:
        self._run(
            client,
            request,
            lambda c, _: objects.listed(c, asked),
            lambda names: (ob.Objects(names=names), ()),
        )

    # -- Dict -------------------------------------------------------------------------------------------------------

    def _dict_get(self, client: Client, request: int, message: Message, asked: ob.DictGet) -> None:
        (key,) = _values(message)
        self._run(client, request, lambda c, now: dicts.get(c, asked, key, now), _found)

    def _dict_has(self, client: Client, request: int, message: Message, asked: ob.DictHas) -> None:
        (key,) = _values(message)
        self._run(
            client,
            request,
            lambda c, now: dicts.has(c, asked, key, now),
            lambda found: (ob.DictFound(found=found), ()),
        )

    def _dict_pop(self, client: Client, request: int, message: Message, asked: ob.DictPop) -> None:
        (key,) = _values(message)
        self._run(client, request, lambda c, now: dicts.pop(c, asked, key, client.number, now), _found)

    def _dict_put(self, client: Client, request: int, message: Message, asked: ob.DictPut) -> None:
        entries = _values(message)
        if len(entries) % 2 or len(entries) > 2 * ob.UPDATE_BOUND:
            raise InvalidError(f"{len(entries)} buffers are no entries of a Dict")
        for key, value in zip(entries[::2], entries[1::2], strict=True):
            if len(key) + len(value) > ob.ENTRY_BOUND:
                raise RequestSizeError(f"an entry of a Dict has at most {ob.ENTRY_BOUND} bytes")
        self._run(
            client,
            request,
            lambda c, now: dicts.put(c, asked, entries, client.number, now),
            lambda created: (ob.DictChanged(created=created), ()),
        )

    def _dict_len(self, client: Client, request: int, message: Message, asked: ob.DictLen) -> None:
        self._run(client, request, lambda c, now: dicts.length(c, asked, now), _count)

    def _dict_clear(self, client: Client, request: int, message: Message, asked: ob.DictClear) -> None:
        self._run(client, request, lambda c, now: dicts.clear(c, asked, now), lambda _: _DONE)

    def _dict_page(self, client: Client, request: int, message: Message, asked: ob.DictPageAsk) -> None:
        self._run(client, request, lambda c, now: dicts.page(c, asked, now), lambda found: found)

    # -- Queue ------------------------------------------------------------------------------------------------------

    def _queue_put(self, client: Client, request: int, message: Message, asked: ob.QueuePut) -> None:
        items = _values(message)
        if len(items) > ob.PARTITION_BOUND or any(len(item) > ob.ITEM_BOUND for item in items):
            raise RequestSizeError(
                f"a partition of a Queue has at most {ob.PARTITION_BOUND} items of {ob.ITEM_BOUND} bytes each"
            )
        self._putters.enter(Waiter(client, request, asked, items, asked.wait))

    def _queue_get(self, client: Client, request: int, message: Message, asked: ob.QueueGet) -> None:
        self._getters.enter(Waiter(client, request, asked, [], asked.wait))

    def _queue_page(self, client: Client, request: int, message: Message, asked: ob.QueuePageAsk) -> None:
        self._readers.enter(Waiter(client, request, asked, [], asked.wait))

    def _queue_cancel(self, client: Client, request: int, message: Message, asked: ob.QueueCancel) -> None:
        for lines in (self._getters, self._putters):
            lines.leave(client, asked.lane, asked.number)
        self._undo((asked.environment, asked.name, asked.partition), asked.lane, asked.number, None)
        # behind the undoing
        self._run(client, request, lambda *_: None, lambda _: _DONE)

    def _queue_len(self, client: Client, request: int, message: Message, asked: ob.QueueLen) -> None:
        self._run(client, request, lambda c, now: queues.length(c, asked, now), _count)

    def _queue_clear(self, client: Client, request: int, message: Message, asked: ob.QueueClear) -> None:
        def cleared(_: None) -> Answer:
            self._putters.wake_all(lambda place: place[:2] == (asked.environment, asked.name))
            return _DONE

        self._run(client, request, lambda c, now: queues.clear(c, asked, now), cleared)

    def _has_more(self, putter: Waiter) -> None:
        self._getters.wake(putter.place)
        self._readers.wake(putter.place)

    def _has_room(self, getter: Waiter) -> None:
        self._putters.wake(getter.place)

    def _undo(self, place: Place, lane: str, number: int, holder: int | None) -> None:
        def undone(is_back: bool) -> None:
            if is_back:
                self._getters.wake(place)

        self._store.run(lambda c: queues.undo(c, lane, number, holder), undone)

    # -- inside -----------------------------------------------------------------------------------------------------

    def _run(
        self,
        client: Client,
        request: int,
        operation: Callable[[Any, float], Any],
        answer: Callable[[Any], Answer],
    ) -> None:
        now = time.time()
        self._answers.when_done(client, request, lambda c: operation(c, now), answer)


def owner_of(client: Client) -> str:
    """With what its ephemeral objects go: its process, or its container."""
    if client.container is not None:
        return client.container.id
    return client.session or f"client {client.number}"


def _values(message: Message) -> list[bytes]:
    return [bytes(buffer) for buffer in message.buffers]


def _found(value: bytes | None) -> Answer:
    return ob.DictFound(found=value is not None), () if value is None else (value,)


def _count(count: int) -> Answer:
    return ob.Count(count=count), ()
