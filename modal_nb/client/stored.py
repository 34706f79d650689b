"""Calls that the supervisor keeps, because their app is deployed: spawned here, or found by their id from anywhere.

This process holds nothing of them: each question goes to the supervisor.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import msgspec

from modal_nb import exception
from modal_nb.client import outcome
from modal_nb.client.calls import Call
from modal_nb.client.indexes import check_index
from modal_nb.client.interrupts import SLICE, await_event
from modal_nb.client.kept import Outcome, Tell
from modal_nb.client.lookups import app_of
from modal_nb.client.pool import Pool
from modal_nb.client.room import Room
from modal_nb.protocol import deployment as dp
from modal_nb.protocol import messages as ms
from modal_nb.protocol.codec import Frame
from modal_nb.protocol.stream import Kind, Packet, Result, prefix, size_of
from modal_nb.spec.pool import PoolSpec

if TYPE_CHECKING:
    from modal_nb.client.session import Session


class SpawnedCall:
    """A call that is being made: its inputs are sent one by one, ``close`` waits until all of them are on disk."""

    def __init__(self, pool: Pool, method: str, *, patient: bool = False) -> None:
        """``patient``: inputs wait where the queue is full, else they are refused."""
        self.pool = pool
        self.method = method
        self._session = pool.app.session
        self._dropped = False
        self._room = Room(self._session, lambda _: not self._dropped) if patient else None
        self.id = self._session.kept.next_stored_id()
        self._sent = 0
        self._accepted = threading.Condition()
        #: inputs on their way, and whether one has arrived
        self._open, self._any = 0, False
        self._error: BaseException | None = None
        self._watchers: dict[int, Callable[[], None]] = {}

    def send(self, frames: Sequence[Frame]) -> int:
        """Add one input with these arguments; its index. Raises what an earlier one was refused with."""
        if self._error is not None:
            raise self._error
        self.pool.check_size(self.method, size_of(frames))
        index, self._sent = self._sent, self._sent + 1
        head = dp.SpawnHead(call=self.id, index=index, method=self.method)
        content = {"method": self.method, "call": self.id, "first": index}
        message = self.pool.app.codec.pack("call_request", content, frames)
        with self._accepted:
            self._open += 1
        self._session.again(_Spawn(self._session.next_number(), self.pool, head, message, self))
        return index

    def watch_end(self, index: int, tell: Callable[[], None]) -> None:
        """``tell`` is called once when the input is on disk, perhaps now: from there on it needs us no more."""
        with self._accepted:
            if self._open and index == self._sent - 1:
                self._watchers[index] = tell
                return
        tell()

    def close(self) -> None:
        """Wait until all are on disk. Raises what one was refused with."""
        with self._accepted:
            while self._open:
                self._accepted.wait(SLICE)  # an interrupt may come just before it waits
        if self._error is not None:
            raise self._error

    def drop(self) -> None:
        """Give it up: what has arrived is cancelled."""
        self._dropped = True
        self._session.cancel_for(self)
        if not (self._open or self._any):
            return
        with contextlib.suppress(exception.NotFoundError):  # nothing of it has arrived
            self._session.ask(dp.CallCancel(call=self.id, indexes=[], terminate=False), ms.Done)

    # -- on the reading thread --------------------------------------------------------------------------------------

    def deliver(self, call: Call, result: Packet) -> None:
        """ACCEPTED, or why not."""
        if self._room is not None and outcome.is_queue_full(self.pool, result):
            self._room.await_by(call)
            return
        error: BaseException | None = None
        if result.flags == Result.REFUSED:
            error = refused(result)
        elif result.flags != Result.ACCEPTED:
            error = outcome.answers_of(self.pool, self.method, result)[0][1]
        self._end(call, error)

    def fail(self, call: Call, error: BaseException) -> None:
        self._end(call, error)

    def _end(self, call: Call, error: BaseException | None) -> None:
        assert isinstance(call, _Spawn)
        with self._accepted:
            self._open -= 1
            self._any = self._any or error is None
            self._error = self._error or error
            tell = self._watchers.pop(call.head.index, None)
            self._accepted.notify_all()
        if tell is not None:
            tell()


class StoredCall:
    """A call by its id, with the faces of a ``KeptCall``."""

    #: not known here
    module = ""

    def __init__(self, session: Session, call_id: str, found: dp.CallFound) -> None:
        self._session = session
        self.id = call_id
        self.method = found.method
        self.label = found.label
        app = app_of(session, found.environment, found.app_name, found.key)
        service = found.label.removesuffix(f".{found.method}")
        self.pool = Pool(app, ms.PoolOpen(app=0, spec=PoolSpec(key="", lineage="", service=service)), ())
        #: one for each input
        self.places = range(found.inputs)
        self._waiting: dict[tuple[int, Tell], _Watch] = {}

    def watch(self, index: int, tell: Tell) -> Outcome | None:
        """The outcome if it is there, else None, and ``tell`` gets it later. Waits for one answer of the supervisor."""
        self.check(index)
        watch = _Watch(tell)
        self._waiting[index, tell] = watch
        head = dp.SpawnHead(call=self.id, index=index, method=self.method)
        self._session.again(_Attach(self._session.next_number(), self.pool, head, watch))
        found = watch.first()
        if self._waiting.get((index, tell)) is not watch:  # ``unwatch`` came before the session knew of it
            self._session.cancel_for(watch)
        return found

    def unwatch(self, index: int, tell: Tell) -> None:
        """Nobody listens any more; it may have been told."""
        watch = self._waiting.pop((index, tell), None)
        if watch is not None and not watch.over:
            self._session.cancel_for(watch)

    def value(self, found: Outcome) -> Any:
        """The value of an outcome, built anew each time, or its exception raised."""
        __tracebackhide__ = True
        if isinstance(found, BaseException):
            raise found.with_traceback(None)
        return outcome.value_of(self.pool, self.method, found)

    def cancel(self, indexes: Sequence[int] | None = None, *, terminate: bool = False) -> None:
        """Cancel these inputs, or all: those without an outcome get InputCancelledError as theirs."""
        asked = dp.CallCancel(call=self.id, indexes=list(indexes or ()), terminate=terminate)
        self._session.ask(asked, ms.Done)

    def check(self, index: int) -> None:
        """InvalidError for an index that does not exist."""
        check_index(self.id, index, len(self.places))


def find(session: Session, call_id: str) -> StoredCall:
    """A kept call by its id. NotFoundError, OutputExpiredError."""
    return StoredCall(session, call_id, session.ask(dp.CallAsk(call=call_id), dp.CallFound))


def refused(result: Packet) -> BaseException:
    """Why the store would not."""
    name, message = (bytes(frame).decode() for frame in result.frames())
    kind = getattr(exception, name, exception.Error)
    error: BaseException = kind(message)
    return error


class _Watch:
    """Waits for one outcome; the sink of an ATTACH."""

    def __init__(self, tell: Tell) -> None:
        self._tell = tell
        self._answered = threading.Event()
        self._outcome: Outcome | None = None
        self._told_later = False
        self.over = False

    def first(self) -> Outcome | None:
        """The outcome, if the first answer is one."""
        await_event(self._answered)
        return None if self._told_later else self._outcome

    def deliver(self, call: Call, result: Packet) -> None:
        if result.flags == Result.PENDING:
            self._told_later = True
            self._answered.set()
            return
        self._end(refused(result) if result.flags == Result.REFUSED else result)

    def fail(self, call: Call, error: BaseException) -> None:
        self._end(error)

    def _end(self, found: Outcome) -> None:
        self.over, self._outcome = True, found
        if self._told_later:
            self._tell(found)
        self._answered.set()


class _Spawn(Call):
    """A SPAWN on its way; sent again until it is accepted."""

    __slots__ = ("head",)

    def __init__(
        self, number: int, pool: Pool, head: dp.SpawnHead, message: Sequence[Frame], sink: SpawnedCall
    ) -> None:
        frames = [msgspec.json.encode(head), *message]
        super().__init__(number, pool, head.method, frames, 1, sink, parent=0)
        self.head = head

    def packet(self) -> list[Frame]:
        batch = self.pool.batches.get(self.method, 0)
        place = {"number": self.number, "extra": self.pool.number, "flags": batch, "parts": self.parts}
        return [prefix(Kind.SPAWN, self.size, **place), *self.body]


class _Attach(Call):
    """An ATTACH; a new supervisor is told of it, too."""

    __slots__ = ()

    def __init__(self, number: int, pool: Pool, head: dp.SpawnHead, sink: _Watch) -> None:
        super().__init__(number, pool, head.method, [msgspec.json.encode(head)], 1, sink, parent=0)

    def packet(self) -> list[Frame]:
        head = prefix(Kind.ATTACH, self.size, number=self.number, parts=self.parts)
        return [head, *self.body]
