"""Calls made by ``.spawn`` and what became of their inputs, kept in this process until somebody asks.

Results stay as the bytes that came, so that each ``get`` builds its own value. The oldest go when there are too many.
"""

from __future__ import annotations

import dataclasses
import itertools
import secrets
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from modal_nb.client import outcome
from modal_nb.client.calls import Call
from modal_nb.client.indexes import check_index
from modal_nb.client.questions import NOBODY, Question
from modal_nb.client.room import Room
from modal_nb.exception import (
    AppStoppedError,
    InputCancelledError,
    OutputExpiredError,
)
from modal_nb.protocol.codec import Frame
from modal_nb.protocol.leases import weight
from modal_nb.protocol.stream import Packet
from modal_nb.spec.cls_spec import label_of

if TYPE_CHECKING:
    from modal_nb.client.pool import Pool
    from modal_nb.client.running import RunningApp

#: results of all calls together; beyond it the oldest are forgotten, but never the newest one
MOST_RESULTS = 10_000
MOST_BYTES = 256 * 1024**2

#: what became of an input: its RESULT packet, or why there is none
Outcome = Packet | BaseException
#: told once, on any thread; must be quick and must not raise
Tell = Callable[[Outcome], None]


class Place:
    """One input of a kept call; the sink of its message."""

    __slots__ = ("answerers", "call", "expired", "index", "outcome", "owner", "watchers")

    def __init__(self, owner: KeptCall, index: int) -> None:
        self.owner = owner
        self.index = index
        #: its message, while it has no outcome
        self.call: Call | None = None
        self.outcome: Outcome | None = None
        self.expired = False
        self.watchers: list[Tell] = []
        #: have a question answered by a thread that waits for the outcome
        self.answerers: list[Callable[[Question], None]] = []

    @property
    def waited(self) -> bool:
        """Somebody waits for it."""
        return bool(self.answerers)

    def ask(self, question: Question) -> None:
        if self.answerers:
            self.answerers[0](question)
        else:
            question.refuse(NOBODY)

    def deliver(self, call: Call, result: Packet) -> None:
        room = self.owner.room
        if room is not None and outcome.is_queue_full(self.owner.pool, result):
            room.await_by(call)
        else:
            self.owner.kept.settle(self, result)

    def fail(self, call: Call, error: BaseException) -> None:
        self.owner.kept.settle(self, error)

    @property
    def size(self) -> int:
        return weight(self.outcome.body) if isinstance(self.outcome, Packet) else 0


class KeptCall:
    """One function call: its inputs in order. Made by ``Kept.begin``."""

    def __init__(self, kept: Kept, call_id: str, pool: Pool, method: str, module: str) -> None:
        self.kept = kept
        #: "fc-..."
        self.id = call_id
        self.pool = pool
        self.method = method
        #: of the class, for the call graph
        self.module = module
        self.places: list[Place] = []
        #: on the monotonic clock
        self.begun = time.monotonic()
        #: inputs that expired
        self.gone = 0
        #: no input will be added
        self.complete = False
        #: for inputs that wait where the queue is full; None: they are refused
        self.room: Room | None = None

    def send(self, frames: Sequence[Frame]) -> int:
        """Add one input with these arguments; its index."""
        place = Place(self, len(self.places))
        self.places.append(place)
        self.kept.attach(
            place,
            self.pool.submit(self.method, frames, place, call_id=self.id, first=place.index, parent=0),
        )
        return place.index

    def watch(self, index: int, tell: Tell) -> Outcome | None:
        """The outcome if it is there, else None, and ``tell`` gets it later.

        InvalidError for an index that does not exist, OutputExpiredError for an outcome that is no longer kept.
        """
        place = self.check(index)
        with self.kept.lock:
            if place.expired:
                raise expired(self.id)
            if place.outcome is None:
                place.watchers.append(tell)
            return place.outcome

    def watch_end(self, index: int, tell: Callable[[], None]) -> None:
        """``tell`` is called once when the input has an outcome, perhaps now."""
        with self.kept.lock:
            place = self.places[index]
            if place.outcome is None and not place.expired:
                place.watchers.append(lambda _: tell())
                return
        tell()

    def unwatch(self, index: int, tell: Tell) -> None:
        """Nobody listens any more; it may have been told."""
        with self.kept.lock:
            watchers = self.places[index].watchers
            if tell in watchers:
                watchers.remove(tell)

    def value(self, found: Outcome) -> Any:
        """The value of an outcome, built anew each time, or its exception raised."""
        __tracebackhide__ = True
        if isinstance(found, BaseException):
            raise found.with_traceback(None)
        if isinstance(found.body, bytearray):  # arrays are built on it and may be written to
            found = dataclasses.replace(found, body=found.body.copy())
        return outcome.value_of(self.pool, self.method, found)

    def close(self) -> None:
        """All its inputs are there."""
        self.kept.close(self)

    def drop(self) -> None:
        """Nobody could ask for it: give it up."""
        self.kept.drop(self)

    def cancel(self, indexes: Sequence[int] | None = None, *, terminate: bool = False) -> None:
        """Cancel these inputs, or all: those without an outcome get InputCancelledError as theirs."""
        for place in self.places if indexes is None else [self.places[index] for index in indexes]:
            call = place.call
            if call is not None:
                self.pool.app.session.cancel(call, terminate=terminate)
                label = label_of(self.pool.spec.service, self.method)
                self.kept.settle(place, InputCancelledError(f"the input of {label} was cancelled"))

    def check(self, index: int) -> Place:
        """The place of an input; InvalidError for an index that does not exist."""
        check_index(self.id, index, len(self.places))
        return self.places[index]


class Kept:
    """All kept calls of one session."""

    def __init__(self) -> None:
        #: names this session in every id that it gives
        self.session = secrets.token_hex(4)
        self.lock = threading.Lock()
        self._ids = itertools.count(1)
        self._calls: dict[str, KeptCall] = {}
        #: inputs with an outcome, oldest first; what expired by other ways is skipped
        self._settled: deque[Place] = deque()
        self._bytes = 0
        #: the highest number that a kept call has had
        self._latest = 0

    def next_id(self) -> str:
        """An id for a function call of any kind; no other session gives the same."""
        return f"fc-{self.session}-{next(self._ids)}"

    def next_stored_id(self) -> str:
        """An id for a call that the supervisor keeps: it is not sought here."""
        return f"fc-{self.session}s-{next(self._ids)}"

    def begin(self, pool: Pool, method: str, module: str, *, patient: bool = False) -> KeptCall:
        """A new call without inputs. ``patient``: they wait where the queue is full, else they are refused."""
        call = KeptCall(self, self.next_id(), pool, method, module)
        if patient:
            call.room = Room(pool.app.session, _unsettled)
        with self.lock:
            self._calls[call.id] = call
            self._latest = max(self._latest, int(call.id.rpartition("-")[2]))
        return call

    def close(self, call: KeptCall) -> None:
        """All its inputs are there."""
        with self.lock:
            call.complete = True
            self._drop_if_gone(call)

    def of_id(self, call_id: str) -> KeptCall | None:
        """The call if it is one of this process. OutputExpiredError for one that is no longer kept."""
        call = self._calls.get(call_id)
        if call is not None:
            return call
        session, _, digits = call_id.rpartition("-")
        ours = session == f"fc-{self.session}" and digits.isascii() and digits.isdigit()
        if ours and 0 < int(digits) <= self._latest:
            raise expired(call_id)
        return None

    def attach(self, place: Place, call: Call) -> None:
        """The message of an input has left."""
        with self.lock:
            if place.outcome is None:
                place.call = call

    def settle(self, place: Place, found: Outcome) -> None:
        """The outcome of an input; the first one counts."""
        with self.lock:
            if place.outcome is not None or place.expired:
                return
            place.outcome = found
            place.call = None
            watchers, place.watchers = place.watchers, []
            self._settled.append(place)
            self._bytes += place.size
            while len(self._settled) > 1 and (len(self._settled) > MOST_RESULTS or self._bytes > MOST_BYTES):
                self._expire(self._settled.popleft())
        for tell in watchers:
            tell(found)

    def drop(self, call: KeptCall) -> None:
        """Give up a call: its inputs are cancelled, its id means nothing any more. It may have been interrupted at any
        point of being made.
        """
        for place in call.places:
            call.pool.app.session.cancel_for(place)
        call.cancel()
        self._forget([call])

    def forget(self, run: RunningApp) -> None:
        """The app ended, and with it its results; whoever still waits is told."""
        calls = [call for call in list(self._calls.values()) if call.pool.app is run]
        for call in calls:
            for place in call.places:
                if place.outcome is None and not place.expired:
                    self.settle(place, AppStoppedError(f"the app ended before {call.id} was through"))
        self._forget(calls)

    def _forget(self, calls: Sequence[KeptCall]) -> None:
        with self.lock:
            for call in calls:
                self._calls.pop(call.id, None)
                for place in call.places:
                    if place.outcome is not None:
                        self._expire(place)
            self._settled = deque(place for place in self._settled if not place.expired)

    def _expire(self, place: Place) -> None:
        self._bytes -= place.size
        place.outcome = None
        place.expired = True
        place.owner.gone += 1
        self._drop_if_gone(place.owner)

    def _drop_if_gone(self, call: KeptCall) -> None:
        if call.complete and call.gone and call.gone == len(call.places):
            self._calls.pop(call.id, None)


def _unsettled(call: Call) -> bool:
    place = call.sink
    return isinstance(place, Place) and place.outcome is None and not place.expired


def expired(call_id: str) -> OutputExpiredError:
    return OutputExpiredError(
        f"the result of {call_id} is not kept any more: results go when their app ends, and the oldest go beyond "
        f"{MOST_RESULTS:,} results or {MOST_BYTES // 1024**2} MiB; ask for them earlier"
    )
