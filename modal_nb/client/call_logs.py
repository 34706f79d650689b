"""``FunctionCall.logs``: what the inputs of a call printed, while it runs and after."""

from __future__ import annotations

import asyncio
import dataclasses
import datetime as dt
import time
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from typing import TypeVar

from modal_nb.client.dual import dual
from modal_nb.client.looks import Look, Watched
from modal_nb.client.printed import CUT, Printed
from modal_nb.exception import InvalidError
from modal_nb.protocol.call_log import ENDED
from modal_nb.protocol.connection import Places, places
from modal_nb.spec import checks

T = TypeVar("T")
Convert = Callable[[list[Printed]], Iterable[T]]

#: seconds between two looks while nothing comes
_PAUSE = 0.05
_SOURCES = {1: "stdout", 2: "stderr", CUT: "system"}
_CUT = "[modal_nb: what stood here is no longer kept]\n"


@dataclasses.dataclass(frozen=True, slots=True)
class LogEntry:
    """Something that was printed, as it was written: a line as a rule."""

    message: str
    #: of this machine's clock
    timestamp: dt.datetime
    #: "stdout", "stderr"; "system" for a word of modal_nb
    source: str
    #: the function call
    object_id: str
    #: the input, where it is known, and the container
    context_ids: list[str]


class CallLogs:
    """What the inputs of one call printed: ``call.logs()`` gives lines; ``fetch``, ``tail``, ``stream`` give entries.

    It is read from files of this home, so any process may ask, also when the container was killed. Kept are the last
    4 MiB or more of each container, for as long as its log is. What is written without Python's stdout and stderr (by
    a subprocess, by C code) stands in the container's log only. Errors: NotFoundError for a call that is not known
    here and printed nothing; OutputExpiredError when nothing of what it printed is kept.
    """

    def __init__(self, call_id: str, find: Callable[[], Watched], where: Places | None = None) -> None:
        """``find`` finds the call; ``where``: the home, if it is not that of this process."""
        self._id = call_id
        self._find = find
        self._where = where

    def __call__(self, *, follow: bool = False) -> Iterator[str]:
        """The lines without their ends, by time, as they were printed: what a terminal would obey is in them, too.

        ``follow=True`` goes on until the call has its outcome; a process that cannot ask for that (it did not spawn
        the call, and the call is not stored) goes on until all inputs that printed have ended. Errors come at once.
        ``async for line in call.logs.aio()`` does not block.
        """
        checks.boolean("follow", follow)
        return _blocking(_steps(self._look(), follow=follow), Lines().take)

    async def aio(self, *, follow: bool = False) -> AsyncIterator[str]:
        """The same on an event loop; errors come with the first line."""
        checks.boolean("follow", follow)
        steps = _steps(await asyncio.to_thread(self._look), follow=follow)
        async for line in _awaited(steps, Lines().take):
            yield line

    @dual
    def fetch(
        self,
        *,
        since: dt.datetime | None = None,
        until: dt.datetime | None = None,
        source: str | None = None,
        search_text: str = "",
    ) -> Iterator[LogEntry]:
        """The entries of a time (without a zone: local), of a source ("stdout", "stderr", "system"), with a text."""
        return iter(self._entries(_filter(since, until, source, search_text)))

    @fetch.awaited
    async def _fetch_aio(
        self,
        *,
        since: dt.datetime | None = None,
        until: dt.datetime | None = None,
        source: str | None = None,
        search_text: str = "",
    ) -> AsyncIterator[LogEntry]:
        wanted = _filter(since, until, source, search_text)
        for entry in await asyncio.to_thread(self._entries, wanted):
            yield entry

    @dual
    def tail(self, entries: int = 100, *, source: str | None = None) -> Iterator[LogEntry]:
        """The last entries, the oldest of them first."""
        checks.integer("entries", entries, 1)
        return iter(self._entries(_filter(source=source))[-entries:])

    @tail.awaited
    async def _tail_aio(self, entries: int = 100, *, source: str | None = None) -> AsyncIterator[LogEntry]:
        checks.integer("entries", entries, 1)
        for entry in (await asyncio.to_thread(self._entries, _filter(source=source)))[-entries:]:
            yield entry

    @dual
    def stream(self, timeout: float | None = None) -> Iterator[LogEntry]:
        """All entries, then each new one, until the call has its outcome as in ``logs(follow=True)``.

        ``timeout`` in seconds: it ends when nothing came for so long. Interrupting it leaves the call alone.
        """
        return _blocking(_steps(self._look(), follow=True, timeout=timeout), self._converted)

    @stream.awaited
    async def _stream_aio(
        self,
        timeout: float | None = None,  # noqa: ASYNC109 - Modal's
    ) -> AsyncIterator[LogEntry]:
        steps = _steps(await asyncio.to_thread(self._look), follow=True, timeout=timeout)
        async for entry in _awaited(steps, self._converted):
            yield entry

    def _look(self) -> Look:
        return Look(self._id, self._find, self._where or places())

    def _entries(self, wanted: Callable[[LogEntry], bool]) -> list[LogEntry]:
        look = self._look()
        look.close()
        return [entry for entry in self._converted(look.first) if wanted(entry)]

    def _converted(self, found: list[Printed]) -> list[LogEntry]:
        return [_entry(self._id, one) for one in found if one.record.stream in _SOURCES]

    def __repr__(self) -> str:
        return f"<what {self._id} printed: call it for the lines, or use .fetch, .tail, .stream>"


def _entry(call_id: str, printed: Printed) -> LogEntry:
    record = printed.record
    return LogEntry(
        message=_CUT if record.stream == CUT else record.text,
        timestamp=dt.datetime.fromtimestamp(record.time / 1e9, dt.UTC),
        source=_SOURCES[record.stream],
        object_id=call_id,
        context_ids=[name for name in (record.input, printed.container) if name],
    )


def _filter(
    since: dt.datetime | None = None,
    until: dt.datetime | None = None,
    source: str | None = None,
    search_text: str = "",
) -> Callable[[LogEntry], bool]:
    if source is not None and source not in _SOURCES.values():
        raise InvalidError(f"`source` must be 'stdout', 'stderr', 'system' or None, not {source!r}")
    for name, value in (("since", since), ("until", until)):
        if value is not None and not isinstance(value, dt.datetime):
            raise InvalidError(f"`{name}` must be a datetime, not {value!r}")
    first, last = (None if value is None else value.astimezone() for value in (since, until))
    return lambda entry: (
        (first is None or entry.timestamp >= first)
        and (last is None or entry.timestamp <= last)
        and (source is None or entry.source == source)
        and search_text in entry.message
    )


class Lines:
    """Puts lines together: of one input on one stream, whatever others print meanwhile."""

    def __init__(self) -> None:
        self._begun: dict[tuple[str, str, int], str] = {}

    def take(self, found: list[Printed]) -> Iterator[str]:
        """The lines that these end; an empty list is the end of all."""
        for container, record in found:
            if record.stream == ENDED:
                yield from self._rest(container, record.input)
            elif record.stream == CUT:
                yield _CUT[:-1]
            else:
                key = container, record.input, record.stream
                *lines, rest = (self._begun.pop(key, "") + record.text).split("\n")
                yield from lines
                if rest:
                    self._begun[key] = rest
        if not found:
            yield from self._begun.values()
            self._begun.clear()

    def _rest(self, container: str, name: str) -> Iterator[str]:
        for key in [key for key in self._begun if key[:2] == (container, name)]:
            yield self._begun.pop(key)


def _steps(look: Look, *, follow: bool, timeout: float | None = None) -> Iterator[list[Printed] | None]:
    """What each look finds; None: nothing now, wait a little. An empty list is the last."""
    try:
        yield look.first or None
        latest = time.monotonic()
        while follow and not look.ended:
            found = look.read()
            if found:
                yield found
                latest = time.monotonic()
            elif timeout is not None and time.monotonic() - latest >= timeout:
                break
            elif not look.ended:
                yield None
        yield []
    finally:
        look.close()


def _blocking(steps: Iterator[list[Printed] | None], convert: Convert[T]) -> Iterator[T]:
    for found in steps:
        if found is None:
            time.sleep(_PAUSE)
        else:
            yield from convert(found)


async def _awaited(steps: Iterator[list[Printed] | None], convert: Convert[T]) -> AsyncIterator[T]:
    while True:
        found: list[Printed] | None = await asyncio.to_thread(next, steps, [])
        if found is None:
            await asyncio.sleep(_PAUSE)
            continue
        for one in convert(found):
            yield one
        if not found:
            return
