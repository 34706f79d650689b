"""``Queue``: values handed from whoever puts them to whoever takes them, in order, in any process."""

from __future__ import annotations

import queue
from collections.abc import AsyncIterator, Iterable, Iterator
from typing import Any, ClassVar

from modal_nb.client.contents import check_size, value_bytes, value_of
from modal_nb.client.dual import dual
from modal_nb.client.lanes import Lane
from modal_nb.client.plans import Plan, do, do_async
from modal_nb.client.queue_arguments import Until, one_or_all, opened, partition_name, value_or_error
from modal_nb.client.stored_object import StoredObject
from modal_nb.client.stored_objects import Objects
from modal_nb.exception import RequestSizeError
from modal_nb.protocol import messages as ms
from modal_nb.protocol import objects as ob
from modal_nb.protocol.codec import Frame
from modal_nb.spec import checks

_DAY = 24 * 3600


class Queue(StoredObject):
    """A queue in the supervisor's store, first in, first out. Made by ``Queue.from_name`` and ``Queue.ephemeral``.

    What a ``put`` that returned has put is on disk. Each item is taken by one ``get``, at most once: a process that is
    killed while it takes an item takes it along, as in Modal. An interrupted or cancelled ``get`` puts it back, and the
    end of the supervisor loses and doubles none. Waiting takers are served in the order in which they came.

    Partitions are queues of their own, by a name of up to 64 bytes; each has up to 5,000 items of up to 1 MiB and is
    cleared 24 hours after its last ``put``. Each method has an awaitable face, ``q.get.aio(...)``.
    """

    KIND: ClassVar[ob.Kind] = "queue"
    #: ``create``, ``list`` and ``delete`` by name
    objects: ClassVar[Objects[Queue]] = Objects(lambda: Queue)

    # -- putting ----------------------------------------------------------------------------------------------------

    @dual
    def put(
        self,
        v: Any,
        block: bool = True,
        timeout: float | None = None,
        *,
        partition: str | None = None,
        partition_ttl: float = _DAY,
    ) -> None:
        """Put a value at the end.

        Where the partition is full it waits for room, ``timeout`` seconds at most, and without ``block`` not at all:
        ``queue.Full`` of the standard library then. RequestSizeError above 1 MiB. ``partition_ttl``: seconds, a day at
        most, after which the partition is cleared unless something else is put into it.
        """
        __tracebackhide__ = True
        do(self._session, self._putting([v], block, timeout, partition, partition_ttl))

    @put.awaited
    async def _put_aio(
        self,
        v: Any,
        block: bool = True,
        timeout: float | None = None,  # noqa: ASYNC109 - Modal's
        *,
        partition: str | None = None,
        partition_ttl: float = _DAY,
    ) -> None:
        await do_async(self._session, self._putting([v], block, timeout, partition, partition_ttl))

    @dual
    def put_many(
        self,
        vs: Iterable[Any],
        block: bool = True,
        timeout: float | None = None,
        *,
        partition: str | None = None,
        partition_ttl: float = _DAY,
    ) -> None:
        """Put values at the end, all at once: as ``put``, and none of them where there is no room for all."""
        __tracebackhide__ = True
        do(self._session, self._putting(list(vs), block, timeout, partition, partition_ttl))

    @put_many.awaited
    async def _put_many_aio(
        self,
        vs: Iterable[Any],
        block: bool = True,
        timeout: float | None = None,  # noqa: ASYNC109 - Modal's
        *,
        partition: str | None = None,
        partition_ttl: float = _DAY,
    ) -> None:
        await do_async(self._session, self._putting(list(vs), block, timeout, partition, partition_ttl))

    # -- taking -----------------------------------------------------------------------------------------------------

    @dual
    def get(self, block: bool = True, timeout: float | None = None, *, partition: str | None = None) -> Any:
        """Take the oldest value, waiting for one if need be.

        ``timeout``: seconds, then ``queue.Empty`` of the standard library. Without ``block`` None where there is none.
        """
        __tracebackhide__ = True
        found = do(self._session, self._taking(1, block, timeout, partition))
        return value_or_error(found[0]) if found else None

    @get.awaited
    async def _get_aio(
        self,
        block: bool = True,
        timeout: float | None = None,  # noqa: ASYNC109 - Modal's
        *,
        partition: str | None = None,
    ) -> Any:
        found = await do_async(self._session, self._taking(1, block, timeout, partition))
        return value_or_error(found[0]) if found else None

    @dual
    def get_many(
        self, n_values: int, block: bool = True, timeout: float | None = None, *, partition: str | None = None
    ) -> list[Any]:
        """Take up to ``n_values`` of the oldest values: as many as there are, waiting as ``get`` does for the first.

        Without ``block`` an empty list where there is none. Values of more than 8 MiB together come in parts.
        """
        __tracebackhide__ = True
        return [
            value_or_error(one)
            for one in do(self._session, self._taking(n_values, block, timeout, partition))
        ]

    @get_many.awaited
    async def _get_many_aio(
        self,
        n_values: int,
        block: bool = True,
        timeout: float | None = None,  # noqa: ASYNC109 - Modal's
        *,
        partition: str | None = None,
    ) -> list[Any]:
        found = await do_async(self._session, self._taking(n_values, block, timeout, partition))
        return [value_or_error(one) for one in found]

    # -- looking ----------------------------------------------------------------------------------------------------

    @dual
    def iterate(self, *, partition: str | None = None, item_poll_timeout: float = 0.0) -> Iterator[Any]:
        """The values from the oldest to the newest; they stay in the queue.

        ``item_poll_timeout``: seconds to wait for one more before it ends.
        """
        wait, place = checks.number("item_poll_timeout", item_poll_timeout, 0), partition_name(partition)
        return self._pages(place, wait)

    @iterate.awaited
    def _iterate_aio(
        self, *, partition: str | None = None, item_poll_timeout: float = 0.0
    ) -> AsyncIterator[Any]:
        wait, place = checks.number("item_poll_timeout", item_poll_timeout, 0), partition_name(partition)
        return self._apages(place, wait)

    @dual
    def len(self, *, partition: str | None = None, total: bool = False) -> int:
        """How many values there are in the partition, or with ``total`` in all of them."""
        __tracebackhide__ = True
        return do(self._session, self._counting(partition, total))

    @len.awaited
    async def _len_aio(self, *, partition: str | None = None, total: bool = False) -> int:
        return await do_async(self._session, self._counting(partition, total))

    @dual
    def clear(self, *, partition: str | None = None, all: bool = False) -> None:  # noqa: A002 - Modal's
        """Remove all values of the partition, or with ``all`` of all partitions."""
        __tracebackhide__ = True
        do(self._session, self._clearing(partition, all))

    @clear.awaited
    async def _clear_aio(self, *, partition: str | None = None, all: bool = False) -> None:  # noqa: A002 - Modal's
        await do_async(self._session, self._clearing(partition, all))

    # -- what is asked ----------------------------------------------------------------------------------------------

    def _putting(
        self, values: list[Any], block: bool, timeout: float | None, partition: str | None, ttl: float
    ) -> Plan[None]:
        place, until = partition_name(partition), Until("put", block, timeout)
        checks.number("partition_ttl", ttl, 0, _DAY)
        if len(values) > ob.PARTITION_BOUND:
            raise RequestSizeError(
                f"{len(values):,} values are too many: a partition holds {ob.PARTITION_BOUND:,}; put them in parts"
            )
        items = [value_bytes(value, "the value of put") for value in values]
        for item in items:
            check_size(len(item), ob.ITEM_BOUND, "a value of a Queue")

        def content(lane: Lane) -> ob.QueuePut:
            return ob.QueuePut(**self._named, **lane.once(), partition=place, ttl=ttl, wait=until.left())

        def finish(answer: ob.QueuePutDone, _: list[Frame]) -> None:
            if answer.full:
                raise queue.Full(f"{self!r} has no room for {len(items)} more in this partition")

        return Plan(content, ob.QueuePutDone, finish, items, self._cancelling(place))

    def _taking(
        self, most: int, block: bool, timeout: float | None, partition: str | None
    ) -> Plan[list[Any]]:
        checks.integer("n_values", most, 1)
        place, until = partition_name(partition), Until("get", block, timeout)

        def content(lane: Lane) -> ob.QueueGet:
            return ob.QueueGet(**self._named, **lane.once(), partition=place, most=most, wait=until.left())

        def finish(_: ob.QueueTaken, frames: list[Frame]) -> list[Any]:
            if block and not frames:
                raise queue.Empty
            return [opened(frame) for frame in frames]

        return Plan(content, ob.QueueTaken, finish, (), self._cancelling(place))

    def _cancelling(self, place: str) -> Any:
        return lambda lane: ob.QueueCancel(**self._named, partition=place, lane=lane.id, number=lane.number)

    def _counting(self, partition: str | None, total: bool) -> Plan[int]:
        place = one_or_all(partition, "total", total)
        asked = ob.QueueLen(**self._named, partition=place)
        return Plan(lambda _: asked, ob.Count, lambda answer, _: answer.count)

    def _clearing(self, partition: str | None, all_of_them: bool) -> Plan[None]:
        asked = ob.QueueClear(**self._named, partition=one_or_all(partition, "all", all_of_them))
        return Plan(lambda _: asked, ms.Done, lambda _, __: None)

    def _page(self, place: str, wait: float, after: int) -> Plan[tuple[int, list[Any]]]:
        asked = ob.QueuePageAsk(**self._named, partition=place, after=after, wait=wait)
        return Plan(
            lambda _: asked, ob.Page, lambda answer, frames: (answer.after, [value_of(f) for f in frames])
        )

    def _pages(self, place: str, wait: float) -> Iterator[Any]:
        after, values = do(self._session, self._page(place, wait, 0))
        while values:
            yield from values
            after, values = do(self._session, self._page(place, wait, after))

    async def _apages(self, place: str, wait: float) -> AsyncIterator[Any]:
        after, values = await do_async(self._session, self._page(place, wait, 0))
        while values:
            for value in values:
                yield value
            after, values = await do_async(self._session, self._page(place, wait, after))
