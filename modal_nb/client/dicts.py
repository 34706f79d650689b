"""``Dict``: keys and values that notebooks, scripts and containers share, and that outlive all of them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Iterator, Mapping
from typing import Any, ClassVar

from modal_nb.client.contents import check_size, key_bytes, value_bytes, value_of
from modal_nb.client.dual import dual
from modal_nb.client.plans import Plan, do, do_async
from modal_nb.client.stored_object import StoredObject
from modal_nb.client.stored_objects import Objects
from modal_nb.exception import RequestSizeError
from modal_nb.protocol import messages as ms
from modal_nb.protocol import objects as ob
from modal_nb.protocol.codec import Frame
from modal_nb.spec import checks

_NOTHING: Any = object()


class Dict(StoredObject):
    """A dict in the supervisor's store. Made by ``Dict.from_name`` and ``Dict.ephemeral``.

    What a call that returned has written is on disk. Nothing is remembered here: each use asks, and a value is a copy,
    so that ``d[k].append(x)`` changes nothing in the Dict. Entries go seven days after they were last read (by ``get``
    or ``d[k]``) or written. Keys and values are pickled; 1, 1.0 and True are three keys. A key and its value have at
    most 100 MiB. Each method has an awaitable face, ``d.get.aio(...)``; ``d[k]`` and ``k in d`` block.
    """

    KIND: ClassVar[ob.Kind] = "dict"
    #: ``create``, ``list`` and ``delete`` by name
    objects: ClassVar[Objects[Dict]] = Objects(lambda: Dict)

    # -- one key ----------------------------------------------------------------------------------------------------

    @dual
    def get(self, key: Any, default: Any = None) -> Any:
        """The value of ``key``, or ``default`` where there is none."""
        __tracebackhide__ = True
        return do(self._session, self._getting(key, default))

    @get.awaited
    async def _get_aio(self, key: Any, default: Any = None) -> Any:
        return await do_async(self._session, self._getting(key, default))

    @dual
    def contains(self, key: Any) -> bool:
        """Whether there is such a key."""
        __tracebackhide__ = True
        return do(self._session, self._asking(key))

    @contains.awaited
    async def _contains_aio(self, key: Any) -> bool:
        return await do_async(self._session, self._asking(key))

    @dual
    def put(self, key: Any, value: Any, *, skip_if_exists: bool = False) -> bool:
        """Write a value. With ``skip_if_exists`` a key that is there keeps its value: False then, else True.

        Of many that put one key at a time with ``skip_if_exists`` exactly one gets True: this is a lock.
        RequestSizeError above 100 MiB.
        """
        __tracebackhide__ = True
        return do(self._session, self._putting({key: value}, skip_if_exists=skip_if_exists))

    @put.awaited
    async def _put_aio(self, key: Any, value: Any, *, skip_if_exists: bool = False) -> bool:
        return await do_async(self._session, self._putting({key: value}, skip_if_exists=skip_if_exists))

    @dual
    def pop(self, key: Any, default: Any = _NOTHING) -> Any:
        """Remove ``key``; its value, or ``default`` where there is none. KeyError without a default."""
        __tracebackhide__ = True
        return do(self._session, self._popping(key, default))

    @pop.awaited
    async def _pop_aio(self, key: Any, default: Any = _NOTHING) -> Any:
        return await do_async(self._session, self._popping(key, default))

    # -- all of them ------------------------------------------------------------------------------------------------

    @dual
    def update(self, other: Mapping[Any, Any] | Iterable[tuple[Any, Any]] = (), /, **kwargs: Any) -> None:
        """Write many entries: all are there afterwards, or none. RequestSizeError for more than 10,000."""
        __tracebackhide__ = True
        do(self._session, self._putting(dict(other, **kwargs)))

    @update.awaited
    async def _update_aio(
        self, other: Mapping[Any, Any] | Iterable[tuple[Any, Any]] = (), /, **kwargs: Any
    ) -> None:
        await do_async(self._session, self._putting(dict(other, **kwargs)))

    @dual
    def len(self) -> int:
        """How many entries there are."""
        __tracebackhide__ = True
        return do(self._session, self._counting())

    @len.awaited
    async def _len_aio(self) -> int:
        return await do_async(self._session, self._counting())

    @dual
    def clear(self) -> None:
        """Remove all entries."""
        __tracebackhide__ = True
        do(self._session, self._clearing())

    @clear.awaited
    async def _clear_aio(self) -> None:
        await do_async(self._session, self._clearing())

    @dual
    def keys(self) -> Iterator[Any]:
        """The keys in the order in which they came, as a plain iterator.

        It reads a part at a time: what others change meanwhile may be seen or not.
        """
        return (value_of(key) for (key,) in self._pages(1, values=False))

    @keys.awaited
    async def _keys_aio(self) -> AsyncIterator[Any]:
        async for (key,) in self._apages(1, values=False):
            yield value_of(key)

    @dual
    def values(self) -> Iterator[Any]:
        """The values, as ``keys`` gives the keys."""
        return (value_of(value) for (value,) in self._pages(1, keys=False))

    @values.awaited
    async def _values_aio(self) -> AsyncIterator[Any]:
        async for (value,) in self._apages(1, keys=False):
            yield value_of(value)

    @dual
    def items(self) -> Iterator[tuple[Any, Any]]:
        """Pairs of key and value, as ``keys`` gives the keys."""
        return ((value_of(key), value_of(value)) for key, value in self._pages(2))

    @items.awaited
    async def _items_aio(self) -> AsyncIterator[tuple[Any, Any]]:
        async for key, value in self._apages(2):
            yield value_of(key), value_of(value)

    # -- as a dict --------------------------------------------------------------------------------------------------

    def __getitem__(self, key: Any) -> Any:
        __tracebackhide__ = True
        found = self.get(key, _NOTHING)
        if found is _NOTHING:
            raise KeyError(key)
        return found

    def __setitem__(self, key: Any, value: Any) -> None:
        __tracebackhide__ = True
        self.put(key, value)

    def __delitem__(self, key: Any) -> None:
        __tracebackhide__ = True
        self.pop(key)

    def __contains__(self, key: Any) -> bool:
        __tracebackhide__ = True
        return self.contains(key)

    #: else Python would try d[0], d[1] and so on: write ``for k in d.keys()``
    __iter__: ClassVar[None] = None

    # -- what is asked ----------------------------------------------------------------------------------------------

    def _getting(self, key: Any, default: Any) -> Plan[Any]:
        asked = ob.DictGet(**self._named)
        return Plan(
            lambda _: asked,
            ob.DictFound,
            lambda answer, frames: value_of(frames[0]) if answer.found else default,
            [key_bytes(key)],
        )

    def _asking(self, key: Any) -> Plan[bool]:
        asked = ob.DictHas(**self._named)
        return Plan(lambda _: asked, ob.DictFound, lambda answer, _: answer.found, [key_bytes(key)])

    def _popping(self, key: Any, default: Any) -> Plan[Any]:
        def finish(answer: ob.DictFound, frames: list[Frame]) -> Any:
            if not answer.found and default is _NOTHING:
                raise KeyError(key)
            return value_of(frames[0]) if answer.found else default

        return Plan(
            lambda lane: ob.DictPop(**self._named, **lane.once()), ob.DictFound, finish, [key_bytes(key)]
        )

    def _putting(self, entries: dict[Any, Any], *, skip_if_exists: bool = False) -> Plan[bool]:
        checks.boolean("skip_if_exists", skip_if_exists)
        if len(entries) > ob.UPDATE_BOUND:
            raise RequestSizeError(
                f"{len(entries):,} entries are too many for one update: it takes {ob.UPDATE_BOUND:,} at most"
            )
        buffers: list[bytes] = []
        for key, value in entries.items():
            buffers += [key_bytes(key), value_bytes(value, f"the value of {key!r:.100}")]
            check_size(len(buffers[-2]) + len(buffers[-1]), ob.ENTRY_BOUND, f"the entry {key!r:.100}")
        return Plan(
            lambda lane: ob.DictPut(**self._named, **lane.once(), skip_if_exists=skip_if_exists),
            ob.DictChanged,
            lambda answer, _: answer.created,
            buffers,
        )

    def _counting(self) -> Plan[int]:
        asked = ob.DictLen(**self._named)
        return Plan(lambda _: asked, ob.Count, lambda answer, _: answer.count)

    def _clearing(self) -> Plan[None]:
        asked = ob.DictClear(**self._named)
        return Plan(lambda _: asked, ms.Done, lambda _, __: None)

    def _page(self, after: int, what: dict[str, Any]) -> Plan[tuple[int, list[Frame]]]:
        asked = ob.DictPageAsk(**self._named, after=after, **what)
        return Plan(lambda _: asked, ob.Page, lambda answer, frames: (answer.after, frames))

    def _pages(self, width: int, **what: bool) -> Iterator[list[Frame]]:
        """Entries as their parts; asked for when they are read."""
        after, frames = do(self._session, self._page(0, what))
        while frames:
            yield from _cut(frames, width)
            after, frames = do(self._session, self._page(after, what))

    async def _apages(self, width: int, **what: bool) -> AsyncIterator[list[Frame]]:
        after, frames = await do_async(self._session, self._page(0, what))
        while frames:
            for parts in _cut(frames, width):
                yield parts
            after, frames = await do_async(self._session, self._page(after, what))


def _cut(frames: list[Frame], width: int) -> Iterator[list[Frame]]:
    return (frames[at : at + width] for at in range(0, len(frames), width))
