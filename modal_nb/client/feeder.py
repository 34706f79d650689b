"""Reads the inputs of a ``.map`` while its results are taken."""

from __future__ import annotations

import asyncio
import itertools
import threading
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from modal_nb.client.gather import MOST_OUTSTANDING, Gatherer
from modal_nb.client.inputs import Inputs, Permits
from modal_nb.client.map_progress import MapProgress
from modal_nb.client.questions import Question
from modal_nb.protocol.stream import Packet

if TYPE_CHECKING:
    from modal_nb.client.pool import Pool

#: (first index, count, packet or error), or (number of inputs, 0, error of the input iterator or None) at the end
Letter = tuple[int, int, Packet | BaseException | None] | Question


class Feeder:
    """Reads the inputs in the background and hands them to a Gatherer; at most MOST_OUTSTANDING, or where they are at
    hand as many as its ``window`` says, are read and not taken yet.
    """

    def __init__(self, pool: Pool, method: str, inputs: Inputs, put: Callable[[Letter], None]) -> None:
        self._inputs = inputs
        self._put = put
        self.progress = MapProgress(pool, method, inputs.count())
        self._gatherer = Gatherer(pool, method, self._came, ask=put)
        self._permits = Permits()
        self._closed = False
        self._count = 0
        #: all inputs were read
        self._read = False
        self._thread: threading.Thread | None = None
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
        self._permits.release(1 << 32)
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
                # before reading: nothing is read that may not be sent
                room = self._permits.take(self._gatherer.window if self._inputs.at_hand else MOST_OUTSTANDING)
                if self._closed:
                    return
                if self._inputs.at_hand:
                    self._add_many(list(itertools.islice(inputs, room)), room)
                else:
                    self._add_each(inputs, room)
        except StopIteration:
            self._gatherer.finish()
        except BaseException as raised:  # noqa: BLE001 - whatever the user's iterator raises goes to the caller
            self._gatherer.finish()
            error = raised
        self._end(error)

    def _add_many(self, rows: list[tuple[Any, ...]], room: int) -> None:
        self._gatherer.add_many(rows, self._inputs.kwargs)
        self._count += len(rows)
        if len(rows) < room:
            # asking for room once more would wait for ever, where the window has shrunk meanwhile
            raise StopIteration

    def _add_each(self, inputs: Iterator[tuple[Any, ...]], room: int) -> None:
        for _ in range(room):
            if self._closed:
                return
            self._add(next(inputs))

    async def _guard_async(self) -> None:
        error: BaseException | None = None
        try:
            inputs = self._inputs.aread()
            while True:
                while not self._permits.take_one(MOST_OUTSTANDING):
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
