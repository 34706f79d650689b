"""The sending side of a ``.map``: gathers inputs into messages while the pool is busy, and never waits to gather.

Few inputs go out one by one. Once enough are on their way, more are gathered into chunks, sized so that one message is
about two milliseconds of work. When the pool runs dry, what is gathered leaves at once: an input iterator may wait for
results of inputs that it gave before. Inputs that are at hand all at once leave in such chunks from the beginning.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from itertools import chain
from typing import Any

from modal_nb.client import classes, outcome, references, screens
from modal_nb.client.calls import Call
from modal_nb.client.pool import Pool
from modal_nb.client.questions import Question
from modal_nb.client.room import AFTER, Room
from modal_nb.protocol import leases
from modal_nb.protocol.stream import Packet
from modal_nb.runtime import payload
from modal_nb.runtime.context import current_input_number
from modal_nb.spec.pool import PoolSpec

#: inputs on their way or waiting to be taken, at most (Modal's bound)
MOST_OUTSTANDING = 1000
#: of those that are at hand, plain and small, with plain and small results: nobody sees how far they are read
_MOST_AT_HAND = 4096
#: bytes of a small result
_SMALL = 1024
#: inputs that go out one by one while nobody knows how long one takes
_SINGLES = 256
#: seconds of work in one message
_WORK = 0.002
_LARGEST = 512
#: bytes in one message, unless one input alone takes more
_HEAVIEST = 1 << 20
#: bytes of results in one reply of a batch, by what came so far: other chunks end early, a batch has run as a whole
_HEAVIEST_REPLY = 4 << 20
#: messages that keep a pool busy; below that nothing is held back. Where a container runs many side by side, or as
#: batches, twice as many as it takes
_BUSY = 8


class Gatherer:
    """Takes inputs from one thread; results come on the reading thread and are handed to ``on_result``."""

    def __init__(
        self,
        pool: Pool,
        method: str,
        on_result: Callable[[int, int, Packet | BaseException], None],
        parent: int | None = None,
        ask: Callable[[Question], None] | None = None,
    ) -> None:
        """``on_result(first index, count, packet or error)``; it must be quick. Made by the code that waits, for
        messages leave from several threads; ``parent=0``: no code waits. ``ask``: has a question answered.
        """
        self.ask = ask
        self._parent = current_input_number() if parent is None else parent
        self._screen = screens.here()
        self._pool = pool
        self._method = method
        self._on_result = on_result
        self._call_id = pool.app.session.kept.next_id()
        self._largest, self._busy = _bounds(pool.spec, method)
        self._batched = method in pool.batches
        #: bytes of a result, where there were most; 0: none has come
        self._heaviest = 0
        #: the inputs that came last were plain and small
        self._light = True
        self._lock = threading.Lock()
        #: inputs as a chunk carries them: packed when they come, so that later changes to them do not show
        self._gathered: list[Any] = []
        #: its bytes, roughly
        self._weight = 0
        #: index of the next input
        self._next = 0
        #: messages on their way
        self._calls: set[Call] = set()
        self._closed = False
        self._room = Room(pool.app.session, lambda _: not self._closed)

    def add(self, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> None:
        """Take one input; sends it, or what has gathered, unless the pool is busy enough."""
        try:
            packed = payload.pack_arguments(args, kwargs, method=self._method)
            weight = payload.weight(packed)
            self._pool.check_size(self._method, weight)
        except Exception as error:  # noqa: BLE001 - an argument that cannot be sent is its input's outcome
            with self._lock:
                self._send()
                index, self._next = self._next, self._next + 1
            self._on_result(index, 1, error)
            return
        if references.any_untold():
            classes.tell(self._pool.app)
        with self._lock:
            if self._weight + weight > _HEAVIEST:
                self._send()
            self._gathered.append(packed)
            self._weight += weight
            self._next += 1
            if self._full():
                self._send()

    @property
    def window(self) -> int:
        """How many inputs that are at hand may be on their way, or waiting to be taken."""
        return _MOST_AT_HAND if self._light and 0 < self._heaviest < _SMALL else MOST_OUTSTANDING

    def add_many(self, rows: list[tuple[Any, ...]], kwargs: Mapping[str, Any]) -> None:
        """``add`` for inputs that are all there: none of them waits for a result of another one."""
        self._light = not kwargs and payload.WEIGHTLESS.issuperset(map(type, chain.from_iterable(rows)))
        if not self._light or self._batched:
            for row in rows:
                self.add(row, kwargs)
            return
        at = 0
        while at < len(rows):
            with self._lock:
                piece = rows[at : at + max(1, self._chunk_size() - len(self._gathered))]
                self._gathered += piece
                self._next += len(piece)
                at += len(piece)
                if self._full():
                    self._send()

    def finish(self) -> None:
        """No more inputs come."""
        with self._lock:
            self._send()

    def await_room(self) -> None:
        """Returns when the supervisor has taken on all that was sent. Call ``finish`` before."""
        while True:
            sent = self._room.sent
            self._pool.stats()  # a refusal of what was sent before comes before the answer
            if not self._room.waiting and self._room.sent == sent:
                return
            time.sleep(AFTER)

    def close(self) -> None:
        """Give up everything that is on its way."""
        with self._lock:
            self._closed = True
            # what was sent last goes first: else it would begin when what runs has made room
            calls = sorted(self._calls, key=lambda call: call.number, reverse=True)
        for call in calls:
            self._pool.app.session.cancel(call)

    def _full(self) -> bool:
        return len(self._calls) < self._busy or len(self._gathered) >= self._chunk_size()

    def _chunk_size(self) -> int:
        """Inputs that make one message, where many wait."""
        seconds, most = self._pool.seconds.get(self._method), self._most()
        if seconds is None:
            return 1 if len(self._calls) < _SINGLES else most
        return max(1, min(most, int(_WORK / max(seconds, 1e-9))))

    def _most(self) -> int:
        """Inputs that one message may have."""
        if not self._batched:
            return self._largest
        return min(self._largest, _HEAVIEST_REPLY // self._heaviest or 1) if self._heaviest else 1

    def _send(self) -> None:
        """Called with the lock held, so that messages leave in the order of their inputs."""
        packed, self._gathered, self._weight = self._gathered, [], 0
        if not packed or self._closed:
            return
        count = len(packed)
        frames = payload.frames_of(packed[0]) if count == 1 else payload.join_chunk(packed)
        first = self._next - count
        place = _Place(self, first)
        try:
            call = self._pool.submit(
                self._method,
                frames,
                place,
                count,
                call_id=self._call_id,
                first=first,
                parent=self._parent,
                screen=self._screen,
            )
        except Exception as error:  # noqa: BLE001 - this may be the reading thread: the caller must hear of it
            self._on_result(first, count, error)
            return
        if call.outstanding > 0:
            self._calls.add(call)

    def took(self, call: Call, first: int, result: Packet | BaseException, count: int) -> None:
        """A result, on the reading thread."""
        if isinstance(result, Packet) and outcome.is_queue_full(self._pool, result):
            self._room.await_by(call)
            return
        if isinstance(result, Packet):
            self._heaviest = max(self._heaviest, leases.weight(result.body) // max(count, 1))
        self._on_result(first, count, result)
        if call.outstanding > 0:
            return
        with self._lock:
            self._calls.discard(call)
            if len(self._calls) < self._busy:
                self._send()


def _bounds(spec: PoolSpec, method: str) -> tuple[int, int]:
    """The most inputs of one message, and how many messages keep the pool busy."""
    at_once = spec.concurrency.max_inputs
    batching = dict(spec.batching).get(method)
    if batching is None:
        return _LARGEST, max(_BUSY, 2 * at_once)
    # a batch that fails is tried again input by input
    largest = 1 if spec.retries else min(_LARGEST, batching.max_batch_size)
    return largest, max(_BUSY, 2 * at_once * batching.max_batch_size)


class _Place:
    """The sink of one message: knows where its results belong. That it waits is told by the progress of the whole."""

    waited = False

    __slots__ = ("_first", "_gatherer")

    def __init__(self, gatherer: Gatherer, first: int) -> None:
        self._gatherer = gatherer
        self._first = first

    def deliver(self, call: Call, result: Packet) -> None:
        self._gatherer.took(call, self._first + result.first, result, result.count)

    @property
    def ask(self) -> Callable[[Question], None] | None:
        return self._gatherer.ask

    def fail(self, call: Call, error: BaseException) -> None:
        call.outstanding = 0
        self._gatherer.took(call, self._first, error, call.count)
