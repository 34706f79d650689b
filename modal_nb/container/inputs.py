"""The call stream: inputs come in, one runs per turn of the main loop, replies leave in order with what they caused.

One input per turn, so that a burst cannot starve a console's cells. The first of a batch runs at once.
"""

from __future__ import annotations

import asyncio
import itertools
import logging
import socket
import threading
from collections import deque
from collections.abc import Callable, Coroutine
from typing import Any, NamedTuple

from modal_nb.container.streams import Streams
from modal_nb.exception import RequestSizeError
from modal_nb.protocol.codec import Codec, Frame, Message, MessageRefused
from modal_nb.protocol.stream import (
    OUTCOMES,
    PAYLOAD_BOUND,
    ConnectionEnded,
    Kind,
    Packet,
    Receiver,
    Sender,
    body_limit,
    packet,
    size_of,
)
from modal_nb.runtime import reply
from modal_nb.runtime.context import process
from modal_nb.runtime.failures import dump_failure
from modal_nb.runtime.reply import Reply
from modal_nb.runtime.runner import Runner
from modal_nb.runtime.tickets import Ticket

log = logging.getLogger("modal_nb.container")

_TOO_LARGE = (
    "a reply of {:.1f} MiB is more than can be sent: let the exception hold less, or start the supervisor with a "
    "higher MODAL_NB_MAX_PAYLOAD"
)
_OK, _ERROR, _CANCELLED, _REFUSED = range(len(OUTCOMES))
_FLAGS = {reply.OK: _OK, reply.ERROR: _ERROR, reply.INTERRUPTED: _ERROR, reply.CANCELLED: _CANCELLED}


class Waiting(NamedTuple):
    """An input that has come and is not begun."""

    packet: Packet
    message: Message
    ticket: Ticket


class InputStream:
    """Serves the call stream of one container on the main thread's loop."""

    def __init__(self, sock: socket.socket, codec: Codec, container_id: str) -> None:
        self._loop = asyncio.get_running_loop()
        self._sock = sock
        self._codec = codec
        self._container_id = container_id
        self._limit = body_limit(PAYLOAD_BOUND if process.payload_bound is None else process.payload_bound)
        self._receiver = Receiver(sock, self._limit)
        self.sender = Sender(sock)
        self.streams = Streams(codec, self.sender)
        self._waiting: deque[Waiting] = deque()
        self._running = 0
        #: held, because the loop holds its tasks weakly
        self._tasks: set[asyncio.Task[None]] = set()
        self._scheduled = False
        self._runner: Runner | None = None
        self._shell_calls = itertools.count(1)
        #: (input, attempt) of what was read lately; far more than can be on its way here
        self._read: deque[tuple[int, int]] = deque(maxlen=64)
        #: recalled or cancelled while the main thread was busy and had not read them yet
        self._returned: set[tuple[int, int]] = set()
        self._cancelled: set[tuple[int, int]] = set()
        self._order = threading.Lock()
        #: called when nothing runs and nothing waits, once ``drain`` was asked
        self._on_empty: Callable[[], None] | None = None
        #: the LOAD message, once it is here
        self.loaded: asyncio.Future[Any] = self._loop.create_future()
        #: done when the supervisor is gone
        self.ended: asyncio.Future[Any] = self._loop.create_future()
        sock.setblocking(False)
        self._loop.add_reader(sock, self._readable)

    def serve(self, runner: Runner) -> None:
        """From now on inputs run."""
        self._runner = runner

    def say(self, kind: Kind, frames: list[Frame] | None = None) -> None:
        """Tell the supervisor something that is not a reply."""
        self.sender.send(packet(kind, frames or ()))

    def drain(self, on_empty: Callable[[], None]) -> None:
        """Call ``on_empty`` once all inputs that came are answered."""
        self._on_empty = on_empty
        self._schedule()

    def give_back(self, number: int, attempt: int) -> None:
        """Called by the control thread: return what is not begun of an input, also of one that is still unread."""
        if self._runner is None:
            return
        with self._order:
            begun = self._runner.recall(number)
            if begun is None and (number, attempt) not in self._read:
                self._returned.add((number, attempt))
                begun = 0
        if begun is not None:
            self.sender.send(packet(Kind.RETURNED, number=number, extra=attempt, first=begun))

    def cancel(self, number: int, attempt: int) -> None:
        """Called by the control thread: end an input, or do not begin it once it is read."""
        if self._runner is None:
            return
        with self._order:
            if not self._runner.cancel(number) and (number, attempt) not in self._read:
                self._cancelled.add((number, attempt))

    async def serve_jupyter(
        self, content: dict[str, Any], buffers: list[memoryview]
    ) -> tuple[dict[str, Any], list[Any]]:
        """A call_request on the stock shell channel: the same contents and buffers as on the call stream, so that any
        jupyter_client can call a container.
        """
        if self._runner is None:
            raise RuntimeError("the container is still starting")
        number = f"{self._container_id}-{next(self._shell_calls)}"
        ticket = self._runner.expect(number, call_id=content.get("call"))
        method = str(content.get("method"))
        if self._is_async(method):
            outcome = await self._runner.run_async(ticket, method, buffers)
        else:
            outcome = self._runner.run_sync(ticket, method, buffers)
        flags = _FLAGS[outcome.outcome]
        return {"status": OUTCOMES[flags], "container": self._container_id, **outcome.content}, outcome.frames

    # -- reading ------------------------------------------------------------------------------------------------

    def _readable(self) -> None:
        try:
            packets = self._receiver.read()
        except BlockingIOError:
            return
        except (ConnectionEnded, MessageRefused, OSError):
            self._loop.remove_reader(self._sock)
            if not self.ended.done():
                self.ended.set_result(None)
            return
        for one in packets:
            self._take(one)
        if self._waiting and not self._running and not self._scheduled:
            self._turn()

    def _take(self, one: Packet) -> None:
        try:
            message = self._codec.open(one.frames())
        except MessageRefused as error:
            log.warning("message refused: %s", error)
            self._answer(one, b"{}", _REFUSED, *dump_failure(error))
            return
        if one.kind == Kind.LOAD:
            self.loaded.set_result(message)
        elif one.kind == Kind.INPUT and self._runner is not None:
            ticket = self._expect(self._runner, one, message)
            if ticket is not None:
                self._waiting.append(Waiting(one, message, ticket))

    def _expect(self, runner: Runner, one: Packet, message: Message) -> Ticket | None:
        """The ticket of an input; None if it was given back before it was read."""
        key = (one.number, one.extra)
        with self._order:
            self._read.append(key)
            if key in self._returned:
                self._returned.remove(key)
                return None
            said = message.content
            ticket = runner.expect(
                one.number, first=one.first, count=one.count, call_id=said.get("call"), base=said.get("first")
            )
            if key in self._cancelled:
                self._cancelled.remove(key)
                runner.cancel(one.number)
            return ticket

    # -- running ------------------------------------------------------------------------------------------------

    def _schedule(self) -> None:
        if self._scheduled or self._running:
            return
        if self._waiting:
            self._scheduled = True
            self._loop.call_soon(self._turn)
        elif self._on_empty is not None:
            self._on_empty()
            self._on_empty = None

    def _turn(self) -> None:
        """Run the next input: sync here and now, async as a task."""
        self._scheduled = False
        if not self._waiting or self._running:
            return
        waiting = self._waiting.popleft()
        assert self._runner is not None
        method = str(waiting.message.content.get("method"))
        self._running = 1
        coroutine = self._coroutine(self._runner, method, waiting)
        if coroutine is not None:
            task = self._loop.create_task(self._run_async(coroutine, waiting))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
            return
        try:
            outcome = self._runner.run_sync(waiting.ticket, method, waiting.message.buffers)
        finally:
            self._running = 0
        self._finish(waiting, outcome)

    def _is_async(self, method: str) -> bool:
        shape = self._runner.service.shape.methods.get(method) if self._runner else None
        return shape is not None and shape.is_async

    def _coroutine(self, runner: Runner, method: str, waiting: Waiting) -> Coroutine[Any, Any, Reply] | None:
        """What runs an input on the loop; None for a plain method."""
        if waiting.message.content.get("stream"):
            return self._stream(runner, method, waiting)
        if self._is_async(method):
            return runner.run_async(waiting.ticket, method, waiting.message.buffers)
        return None

    async def _stream(self, runner: Runner, method: str, waiting: Waiting) -> Reply:
        with self.streams.outlet(waiting.packet, waiting.message.header) as outlet:
            return await runner.run_stream(waiting.ticket, method, waiting.message.buffers, outlet)

    async def _run_async(self, coroutine: Coroutine[Any, Any, Reply], waiting: Waiting) -> None:
        try:
            outcome = await coroutine
        finally:
            self._running = 0
        self._finish(waiting, outcome)

    def _finish(self, waiting: Waiting, outcome: Reply) -> None:
        if outcome.outcome != reply.RETURNED:
            flags = _FLAGS[outcome.outcome]
            self._answer(
                waiting.packet,
                waiting.message.header,
                flags,
                outcome.content,
                outcome.frames,
                outcome.seconds,
                outcome.begun,
            )
        self._schedule()

    def _answer(
        self,
        asked: Packet,
        parent: Frame,
        flags: int,
        content: dict[str, object],
        frames: list[Frame],
        seconds: float = 0.0,
        begun: int = 1,
    ) -> None:
        """A REPLY; its count says how many inputs of the range it is about (fewer: the rest was recalled)."""
        said = {"status": OUTCOMES[flags], "container": self._container_id, **content}
        message = self._codec.pack("call_reply", said, frames, parent)
        if size_of(message) > self._limit:
            flags, error = _ERROR, RequestSizeError(_TOO_LARGE.format(size_of(message) / 2**20))
            content, frames = dump_failure(error)
            said = {"status": OUTCOMES[flags], "container": self._container_id, **content}
            message = self._codec.pack("call_reply", said, frames, parent)
        self.sender.send(
            packet(
                Kind.REPLY,
                message,
                number=asked.number,
                extra=asked.extra,
                first=asked.first,
                count=begun,
                flags=flags,
                seconds=seconds,
            )
        )
