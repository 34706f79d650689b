"""The process's side of the supervisor: apps that run, calls that wait, and what happens when the supervisor dies.

Everything that must survive a restart of the supervisor is held here: the apps with their keys, the pools with what
their containers load, and every call without an outcome. A new supervisor is told all of it again.
"""

from __future__ import annotations

import contextlib
import itertools
import logging
import os
import threading
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, TypeVar

from modal_nb.client.breaks import Breaks
from modal_nb.client.calls import Call, Sink, Waiter
from modal_nb.client.doors import ContainerDoor, Door, HomeDoor
from modal_nb.client.held import Held
from modal_nb.client.kept import Kept
from modal_nb.client.link import Link, LinkLost
from modal_nb.client.relay import Relay
from modal_nb.client.returned import Returned
from modal_nb.client.ticker import Ticker
from modal_nb.client.watching import Watching
from modal_nb.exception import ConnectionError
from modal_nb.protocol import messages as ms
from modal_nb.protocol.codec import Frame
from modal_nb.protocol.connection import places
from modal_nb.protocol.stream import PAYLOAD_BOUND, Kind, Packet, Result, packet
from modal_nb.runtime.context import process

if TYPE_CHECKING:
    from modal_nb.client.pool import Pool
    from modal_nb.client.running import RunningApp
    from modal_nb.client.screens import Screen

log = logging.getLogger("modal_nb.client")

T = TypeVar("T", bound=ms.Content)
Asked = ms.Content | Callable[[], ms.Content]

#: times a request is made again because the supervisor went away under it
_TRIES = 3


class Session:
    """One per process and home; made at the first use."""

    def __init__(self, door: Door) -> None:
        self._door, self.where = door, door.where
        #: held while the link is replaced and while a call is entered
        self._lock = threading.RLock()
        self._link: Link | None = None
        self.next_number = itertools.count(1).__next__
        self.apps: list[RunningApp] = []
        #: ephemeral Dicts and Queues that live as long as there is a connection
        self.ephemerals = 0
        #: bytes that the arguments of one input may take
        self.payload_bound = PAYLOAD_BOUND
        self._breaks = Breaks()
        self.kept, self.watching = Kept(), Watching(self)
        self._returned = Returned(self)
        self.relay = Relay(self)
        self.ticker = Ticker(self)
        self.held = Held(self.relay.over, self.ticker)

    # -- requests -----------------------------------------------------------------------------------------------

    def ask(self, content: Asked, answer: type[T], buffers: Sequence[Frame] = ()) -> T:
        """Make a request, starting a supervisor if none runs. Errors: ConnectionError, or the supervisor's refusal.

        ``content``: a function where it holds numbers of apps or pools, for a new supervisor gives new ones.
        """
        return self.fetch(content, answer, buffers)[0]

    def fetch(self, content: Asked, answer: type[T], buffers: Sequence[Frame] = ()) -> tuple[T, list[Frame]]:
        """``ask``, with the buffers of the answer."""
        for _ in range(_TRIES):
            link = self.link()
            try:
                return link.ask(content() if callable(content) else content, answer, buffers)
            except LinkLost:
                link.wait_closed(1.0)  # else the next try may find the dead one
        raise ConnectionError(f"the supervisor ends again and again; {self._door.about}")

    def link(self, *, start: bool = True) -> Link:
        """The connection; made if there is none, and told of the apps that run. ConnectionError if none can be made.

        ``start``: start a supervisor if none runs.
        """
        with self._lock:
            if self._link is None and (self.apps or self.held):
                self._recover(start=start)
            return self._link or self._connect(start=start)

    def _connect(self, *, start: bool = True) -> Link:
        link = self._link = self._door.connect(self._result, self._ended, start=start)
        self.payload_bound, link.on_output = link.welcome.payload_bound, self.relay.take
        self._breaks.connected()
        return link

    def linked(self) -> Link | None:
        """The connection if there is one."""
        return self._link

    # -- calls --------------------------------------------------------------------------------------------------

    def enter(
        self,
        pool: Pool,
        method: str,
        frames: Sequence[Frame],
        count: int,
        sink: Sink,
        parent: int | None = None,
        screen: Screen | None = None,
    ) -> Call:
        """Take a message of inputs on and send it. ``sink`` gets its results; the rest as for ``Call``."""
        call = Call(self.next_number(), pool, method, frames, count, sink, parent, screen)
        self.again(call)
        return call

    def again(self, call: Call) -> None:
        """Send a call that has no outcome: a new one, or one that the supervisor would not take."""
        call.outstanding = call.count
        link = self._enter(call)
        try:
            link.sender.send(call.packet())
            if call.allowed:
                link.sender.send(call.more())
        except OSError:
            log.debug("link lost while sending; the call is sent again")

    def enter_later(
        self, pool: Pool, method: str, frames: Sequence[Frame], sink: Sink, screen: Screen | None
    ) -> Call:
        """``enter`` for one input, but written with the next ``flush``: an event loop sends once a turn."""
        call = Call(self.next_number(), pool, method, frames, 1, sink, screen=screen)
        self._enter(call).sender.push(call.packet())
        return call

    def flush(self) -> None:
        """Write what ``enter_later`` has gathered."""
        link = self._link
        if link is not None:
            try:
                link.sender.send(())
            except OSError:
                log.debug("link lost while sending; the calls are sent again")

    def allow(self, call: Call, total: int) -> None:
        """The reader of a generator has read: tell its container that so many items may have been sent in all."""
        with self._lock:  # a restart either tells it itself or is over
            call.allowed = total
            link = self._link
        if link is not None and call.number in self.held:
            try:
                link.sender.send(call.more())
            except OSError:
                log.debug("link lost while reading; a new supervisor is told with the call")

    def cancel(self, call: Call, *, terminate: bool = False) -> None:
        """Give a call up: nobody wants its outcome any more. ``terminate``: kill the containers that run it."""
        with self._lock:
            link = self._link if call.number in self.held else None
        # told first and forgotten then: an interrupt in between leaves a call that can be given up again
        if link is not None:
            try:
                link.sender.send(packet(Kind.CANCEL, number=call.number, flags=int(terminate)))
            except OSError:
                log.debug("link lost while cancelling; a new supervisor never hears of the call")
        self.held.pop(call.number)

    def lead(self, call: Call, waiter: Waiter) -> None:
        """Read the outcome of this one input here, if it comes soon. After an interrupt ``cancel_for`` must follow."""
        if (link := self._link) is not None:
            link.lead(call.number, waiter)

    def cancel_for(self, sink: Sink) -> None:
        """``cancel`` for whatever this sink waits for: an interrupt may come before the caller knows its call."""
        if (link := self._link) is not None:
            link.leave(sink)
        for call in self.held.all():
            if call.sink is sink:
                self.cancel(call)

    def _enter(self, call: Call) -> Link:
        with self._lock:
            link = self.link()
            self.held.add(call)
            return link

    # -- on the reading thread ----------------------------------------------------------------------------------

    def _result(self, result: Packet) -> None:
        self._breaks.result()
        call = self.held.get(result.number)
        if call is None:
            return  # cancelled
        if result.flags == Result.UNKNOWN_POOL:
            self._returned.take(call, result.extra)
            return
        call.outstanding -= result.count
        if call.outstanding <= 0:
            self.held.pop(call.number)
        call.sink.deliver(call, result)

    def _ended(self, link: Link) -> None:
        """The connection is gone, or the supervisor is. If anything of ours needs one, tell it, or a new one, all."""
        given_up: list[tuple[Call, Exception]] = []
        with self._lock:
            if link is self._link:
                self._link = None
                self._go_on(given_up)
        # not before the lock is free: who is told may want a lock whose holder wants ours, to send
        for call, error in given_up:
            call.sink.fail(call, error)

    def _go_on(self, given_up: list[tuple[Call, Exception]]) -> None:
        if not self._door.reopens:
            self._give_up(ConnectionError(f"the supervisor is gone; {self._door.about}"), given_up)
            return
        needed = self.apps or self.ephemerals
        if not self.held and (not needed or self._door.ended_in_order()):
            self.watching.away()
            return  # the next use opens another one
        log.warning("the connection to the supervisor ended; opening it again")
        if ends := self._breaks.too_many(waiting=bool(self.held)):
            self._give_up(ConnectionError(f"{ends}; {self._door.about}"), given_up)
        self.watching.lost()
        try:
            self._recover()
        except Exception as error:  # noqa: BLE001 - nobody above could catch it: tell the callers
            log.error("no new supervisor: %s", error)
            self.watching.ended(f"no new supervisor: {error}")
            self._give_up(error, given_up)

    def _give_up(self, error: Exception, given_up: list[tuple[Call, Exception]]) -> None:
        given_up += [
            (call, error) for call in self.held.pop_all()
        ]  # the oldest first: a ``.map`` ends with it

    def _recover(self, *, start: bool = True) -> None:
        for attempt in range(_TRIES):
            link = self._connect(start=start)
            try:
                for app in self.apps:
                    app.reopen(link)
            except LinkLost:
                self._link = None
                if attempt == _TRIES - 1:
                    raise ConnectionError("the new supervisor went away too") from None
                continue
            except BaseException:
                self._link = None
                link.close()
                raise
            break
        self.watching.renew(link)
        for call in self.held.all():
            call.outstanding = call.count
            call.push(link.sender)
        with contextlib.suppress(OSError):  # it ended too: this comes again
            link.sender.send(())

    def fail(self, call: Call, error: BaseException) -> None:
        """Its outcome is this error, unless it has one."""
        if self.held.pop(call.number) is not None:
            call.sink.fail(call, error)


_sessions: dict[object, Session] = {}
_sessions_lock = threading.Lock()


def current() -> Session:
    """The session of this process: of its container, or for the home that MODAL_NB_HOME names now."""
    return of(None)


def of(home: str | os.PathLike[str] | None) -> Session:
    """The session for this home; None: as ``current``."""
    inside = process.link
    where = inside or places(home)
    with _sessions_lock:
        if where not in _sessions:
            _sessions[where] = Session(ContainerDoor(inside) if inside else HomeDoor(places(home)))
        return _sessions[where]


def _forget_all() -> None:
    """A forked child must not speak on its parent's connections."""
    global _sessions, _sessions_lock  # noqa: PLW0603 - the lock may be held by a thread that the child lacks
    _sessions = {}
    _sessions_lock = threading.Lock()


os.register_at_fork(after_in_child=_forget_all)
