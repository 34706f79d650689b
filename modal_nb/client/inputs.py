"""What a ``.map`` is over, and how far its inputs may be read ahead of the results."""

from __future__ import annotations

import threading
from collections.abc import AsyncIterable, AsyncIterator, Iterable, Iterator, Mapping, Sized
from typing import Any

#: kinds of iterables that hold all their items already: reading them waits for nothing and shows nowhere
_AT_HAND = frozenset({list, tuple, range})


class Inputs:
    """What is mapped over: iterables side by side, or one iterable of argument tuples."""

    def __init__(
        self,
        iterables: tuple[Iterable[Any] | AsyncIterable[Any], ...],
        kwargs: Mapping[str, Any],
        *,
        star: bool,
        face: str = "map",
    ) -> None:
        for position, iterable in enumerate(iterables, 1):
            if not isinstance(iterable, AsyncIterable) and not isinstance(iterable, Iterable):
                raise TypeError(f"argument {position} of .{face}() is not iterable: {iterable!r}")
        self._iterables = iterables
        self._star = star
        self.kwargs = dict(kwargs)
        #: all can be read at once
        self.at_hand = not star and _AT_HAND.issuperset(map(type, iterables))
        self.is_async = any(isinstance(iterable, AsyncIterable) for iterable in iterables)

    def count(self) -> int | None:
        """How many there are; None: nobody knows before they are read."""
        if not all(isinstance(iterable, Sized) for iterable in self._iterables):
            return None
        return min((len(iterable) for iterable in self._iterables), default=0)  # type: ignore[arg-type]

    def read(self) -> Iterator[tuple[Any, ...]]:
        """The argument tuples; the shortest iterable ends it."""
        if self._star:
            return map(tuple, self._iterables[0])  # type: ignore[arg-type]
        return zip(*self._iterables, strict=False)

    async def aread(self) -> AsyncIterator[tuple[Any, ...]]:
        """The same where one of the iterables is async."""
        iterators = [_aiter(iterable) for iterable in self._iterables]
        try:
            while True:
                item = [await anext(iterator) for iterator in iterators]
                yield tuple(item[0]) if self._star else tuple(item)
        except StopAsyncIteration:
            return


async def _aiter(iterable: Iterable[Any] | AsyncIterable[Any]) -> AsyncIterator[Any]:
    if isinstance(iterable, AsyncIterable):
        async for item in iterable:
            yield item
    else:
        for item in iterable:
            yield item


class Permits:
    """How many inputs were read whose results are not taken."""

    def __init__(self) -> None:
        self._free = threading.Condition()
        self._used = 0

    def take(self, limit: int) -> int:
        """Wait until fewer than ``limit`` are used, then take all up to it; how many these are."""
        with self._free:
            while self._used >= limit:
                self._free.wait()
            count = limit - self._used
            self._used = limit
            return count

    def take_one(self, limit: int) -> bool:
        """One, if there is one."""
        with self._free:
            if self._used >= limit:
                return False
            self._used += 1
            return True

    def release(self, count: int) -> None:
        with self._free:
            self._used -= count
            self._free.notify()
