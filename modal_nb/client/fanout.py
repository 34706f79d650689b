"""``.map`` and its kin: many inputs of one method, read lazily, answered in order or as they come."""

from __future__ import annotations

import asyncio
import queue
import threading
from collections.abc import AsyncIterable, AsyncIterator, Callable, Iterable, Iterator, Mapping, Sized
from typing import TYPE_CHECKING, Any

from modal_nb.client import loops, outcome
from modal_nb.client.gather import MOST_OUTSTANDING, Gatherer
from modal_nb.client.interrupts import surely, take
from modal_nb.client.map_progress import MapProgress
from modal_nb.client.questions import Question
from modal_nb.client.sequence import Answer, Sequencer
from modal_nb.protocol.stream import Packet

if TYPE_CHECKING:
    from modal_nb.client.pool import Pool

#: (first index, count, packet or error), or (number of inputs, 0, error of the input iterator or None) at the end
Letter = tuple[int, int, Packet | BaseException | None] | Question


class Fanout:
    """The results of a ``.map``: iterate it with ``for`` or ``async for``, once. Nothing is sent before that.

    Leaving the loop early, or interrupting it, cancels what has no result yet.
    """

    def __init__(
        self,
        bind: Callable[[], Pool],
        method: str,
        inputs: Inputs,
        *,
        order_outputs: bool,
        return_exceptions: bool,
    ) -> None:
        self._bind = bind
        self._method = method
        self._inputs = inputs
        self._ordered = order_outputs
        self._return_exceptions = return_exceptions

    def __iter__(self) -> Iterator[Any]:
        loops.refuse_to_block(f"{self._method}.map(...)")
        return self._iterate()

    def __aiter__(self) -> AsyncIterator[Any]:
        return self._aiterate()

    def _iterate(self) -> Iterator[Any]:
        __tracebackhide__ = True
        letters: queue.SimpleQueue[Letter] = queue.SimpleQueue()
        pool = self._bind()
        feeder = Feeder(pool, self._method, self._inputs, letters.put)
        intake = _Intake(pool, self._method, self._ordered, feeder)
        try:
            try:
                feeder.start()
                while not intake.complete:
                    letter = take(letters)
                    if isinstance(letter, Question):
                        letter.answer()
                        continue
                    for answer in intake.open(letter):
                        yield self._give(answer)
                intake.check()
            finally:
                surely(feeder.close)
        except KeyboardInterrupt:  # one more may have come before the line above was reached
            surely(feeder.close)
            raise

    async def _aiterate(self) -> AsyncIterator[Any]:
        __tracebackhide__ = True
        loop = asyncio.get_running_loop()
        loops.hear_interrupts()
        letters: asyncio.Queue[Letter] = asyncio.Queue()
        pool = await asyncio.to_thread(self._bind)
        feeder = Feeder(
            pool, self._method, self._inputs, lambda letter: loops.call_soon(loop, letters.put_nowait, letter)
        )
        intake = _Intake(pool, self._method, self._ordered, feeder)
        try:
            feeder.start(loop)
            while not intake.complete:
                letter = await letters.get()
                if isinstance(letter, Question):
                    letter.answer_on_loop()
                    continue
                for answer in intake.open(letter):
                    yield self._give(answer)
            intake.check()
        finally:
            feeder.close()

    def _give(self, answer: Answer) -> Any:
        __tracebackhide__ = True
        ok, value = answer
        if ok or self._return_exceptions:
            return value
        raise value

    def __repr__(self) -> str:
        return f"<results of {self._method}.map: iterate with `for` or `async for`>"


class _Intake:
    """Opens letters and knows when all have come."""

    def __init__(self, pool: Pool, method: str, ordered: bool, feeder: Feeder) -> None:
        self._pool = pool
        self._method = method
        self._sequencer = Sequencer(ordered=ordered)
        self._feeder = feeder
        self._total: int | None = None
        self._error: BaseException | None = None

    def open(self, letter: tuple[int, int, Packet | BaseException | None]) -> Iterator[Answer]:
        """The answers whose turn has come with this letter."""
        first, count, content = letter
        if count == 0:
            self._total = first
            self._error = content if isinstance(content, BaseException) else None
            return
        if isinstance(content, Packet):
            answers = outcome.answers_of(self._pool, self._method, content)
        else:
            answers = [(False, content)] * count
        for ok, _ in answers:
            if not ok:
                self._feeder.progress.failed()
        before = self._sequencer.given
        yield from self._sequencer.accept(first, answers)
        self._feeder.allow(self._sequencer.given - before)

    @property
    def complete(self) -> bool:
        return self._total is not None and self._sequencer.given >= self._total

    def check(self) -> None:
        """Raise what the input iterator raised."""
        if self._error is not None:
            raise self._error


class Feeder:
    """Reads the inputs in the background and hands them to a Gatherer, with at most MOST_OUTSTANDING not taken yet."""

    def __init__(self, pool: Pool, method: str, inputs: Inputs, put: Callable[[Letter], None]) -> None:
        self._inputs = inputs
        self._put = put
        self.progress = MapProgress(pool, method, inputs.count())
        self._gatherer = Gatherer(pool, method, self._came, ask=put)
        self._permits = threading.Semaphore(MOST_OUTSTANDING)
        self._closed = False
        self._count = 0
        #: all inputs were read
        self._read = False
        self._thread: threading.Thread | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._task: asyncio.Task[None] | None = None

    def start(self, loop: asyncio.AbstractEventLoop | None = None) -> None:
        """Async iterables are read on ``loop`` where there is one, all else on a thread."""
        self.progress.begin()
        if self._inputs.is_async and loop is not None:
            self._task = loop.create_task(self._guard_async())
            return
        self._thread = threading.Thread(target=self._run, name="modal_nb-map", daemon=True)
        self._thread.start()

    def allow(self, count: int) -> None:
        """Results were taken: as many inputs may follow."""
        if count:
            self._permits.release(count)

    def close(self) -> None:
        """Stop reading; cancel what is on its way."""
        self._closed = True
        self._permits.release()
        if self._task is not None:
            self._task.cancel()
        self._gatherer.close()
        self.progress.end("done" if self._read and self.progress.done == self._count else "stopped")

    def _came(self, first: int, count: int, content: Packet | BaseException) -> None:
        """On the reading thread, or that which reads the inputs."""
        if not self._closed:  # what is cancelled is not done
            self.progress.came(count)
        self._put((first, count, content))

    def _end(self, error: BaseException | None) -> None:
        self._read = True
        self._put((self._count, 0, error))

    def _run(self) -> None:
        if self._inputs.is_async:
            asyncio.run(self._guard_async())
            return
        error: BaseException | None = None
        try:
            inputs = self._inputs.read()
            while True:
                self._permits.acquire()  # before reading: nothing is read that may not be sent
                if self._closed:
                    return
                self._add(next(inputs))
        except StopIteration:
            self._gatherer.finish()
        except BaseException as raised:  # noqa: BLE001 - whatever the user's iterator raises goes to the caller
            self._gatherer.finish()
            error = raised
        self._end(error)

    async def _guard_async(self) -> None:
        error: BaseException | None = None
        try:
            inputs = self._inputs.aread()
            while True:
                while not self._permits.acquire(blocking=False):
                    self._gatherer.finish()
                    await asyncio.sleep(0.005)
                if self._closed:
                    return
                self._add(await anext(inputs))
        except StopAsyncIteration:
            self._gatherer.finish()
        except asyncio.CancelledError:
            raise
        except BaseException as raised:  # noqa: BLE001 - as above
            self._gatherer.finish()
            error = raised
        self._end(error)

    def _add(self, args: tuple[Any, ...]) -> None:
        self._gatherer.add(args, self._inputs.kwargs)
        self._count += 1


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
