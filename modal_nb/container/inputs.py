"""The call stream: inputs come in, run as far as there are slots, and replies leave in order with what they caused.

On the main thread one input runs per turn of the loop, so that a burst cannot starve a console's cells. The first of
what was read together runs at once.
"""

from __future__ import annotations

import asyncio
import itertools
import logging
import socket
import threading
from collections import deque
from collections.abc import Callable, Collection
from functools import partial
from typing import Any

from modal_nb.container.answers import Answers, body_bound
from modal_nb.container.output import Output, looks
from modal_nb.container.streams import Streams
from modal_nb.container.units import Unit, Waiting
from modal_nb.protocol.codec import Codec, Frame, Message, MessageRefused
from modal_nb.protocol.lending import restore
from modal_nb.protocol.stream import ConnectionEnded, Kind, Packet, Receiver, Sender, packet
from modal_nb.runtime.reply import Reply
from modal_nb.runtime.runner import Messages, Runner
from modal_nb.runtime.tickets import Ticket

log = logging.getLogger("modal_nb.container")


class InputStream:
    """Serves the call stream of one container on the main thread's loop."""

    def __init__(
        self, sock: socket.socket, codec: Codec, container_id: str, output: Output | None = None
    ) -> None:
        """``output``: where words of inputs leave; told whose callers look."""
        self._loop = asyncio.get_running_loop()
        self._sock = sock
        self._codec = codec
        self._container_id = container_id
        self._receiver = Receiver(sock, body_bound(), last=True)
        self.sender = Sender(sock)
        self.answers = Answers(codec, self.sender, container_id)
        self.output = output or Output(codec, container_id)
        self.output.sender = self.sender
        self.streams = Streams(codec, self.sender, self.output)
        self._waiting: deque[Unit] = deque()
        #: of a batch that is still being read
        self._gathered: list[Waiting] = []
        self._batched: Collection[str] = ()
        #: how many units may run at a time, and do
        self._slots = 1
        self._running = 0
        #: held, because the loop holds its tasks weakly
        self._tasks: set[asyncio.Task[None]] = set()
        self._scheduled = False
        self._runner: Runner | None = None
        self._shell_calls = itertools.count(1)
        #: (input, attempt) of what was read and has no reply yet, with its message; and of what had one lately
        self._here: dict[tuple[int, int], tuple[Packet, Message]] = {}
        self._answered: deque[tuple[int, int]] = deque(maxlen=64)
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

    def serve(self, runner: Runner, slots: int = 1, batched: Collection[str] = ()) -> None:
        """From now on inputs run, up to ``slots`` side by side; ``batched``: the methods that get lists.

        What enter hooks left in context variables (the precision of decimals, numpy's handling of errors) counts for
        them: this is called where the hooks ran, and a reader runs in the context that it was added in.
        """
        self._runner, self._slots, self._batched = runner, slots, batched
        self._loop.add_reader(self._sock, self._readable)

    def say(self, kind: Kind, frames: list[Frame] | None = None) -> None:
        """Tell the supervisor something that is not a reply."""
        self.sender.send(packet(kind, frames or ()))

    def drain(self, on_empty: Callable[[], None]) -> None:
        """Call ``on_empty`` once all inputs that came are answered."""
        self._on_empty = on_empty
        self._schedule()

    def give_back(self, number: int, attempt: int) -> None:
        """Called by the control thread: answer what is through of a chunk, and return what is not begun of an input,
        also of one that is still unread.
        """
        if self._runner is None:
            return
        with self._order:
            here = self._here.get((number, attempt))
        if here is not None:
            self._runner.send_part(number, partial(self._send_part, *here))
        with self._order:
            begun = self._runner.recall(number)
            if begun is None and self._is_unread((number, attempt)):
                self._returned.add((number, attempt))
                begun = 0
        if begun is not None:
            self.answers.give_back(number, attempt, begun)

    def _send_part(self, asked: Packet, message: Message, part: Reply) -> None:
        self.output.settle(str(message.content.get("call")))
        self.answers.part(asked, message.header, part)

    def cancel(self, number: int, attempt: int) -> None:
        """Called by the control thread: end an input, or do not begin it once it is read."""
        if self._runner is None:
            return
        with self._order:
            if not self._runner.cancel(number) and self._is_unread((number, attempt)):
                self._cancelled.add((number, attempt))

    def attempt_of(self, number: int) -> int | None:
        """Of an input that is here, by its number."""
        with self._order:
            return next((attempt for here, attempt in self._here if here == number), None)

    def _is_unread(self, key: tuple[int, int]) -> bool:
        """An order about an input may come before the input. Behind its reply it may be taken for one: then the
        supervisor hears no more than it knows.
        """
        return key not in self._here and key not in self._answered

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
        if not self._is_async(method):
            (outcome,) = _run(self._runner, [(ticket, buffers)], method, batched=method in self._batched)
        elif method in self._batched:
            (outcome,) = await self._runner.run_batch_async([(ticket, buffers)], method)
        else:
            outcome = await self._runner.run_async(ticket, method, buffers)
        return self.answers.said(outcome), outcome.frames

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
        if self._waiting and not self._scheduled:
            self._turn()

    def _take(self, one: Packet) -> None:
        try:
            message = restore(self._codec.open(one.frames()), one)
        except MessageRefused as error:
            log.warning("message refused: %s", error)
            self.answers.refuse(one, error)
            self._gather(one, None)
            return
        if one.kind == Kind.LOAD:
            self.loaded.set_result(message)
        elif one.kind == Kind.INPUT and self._runner is not None:
            ticket = self._expect(self._runner, one, message)
            self._gather(one, None if ticket is None else Waiting(one, message, ticket))

    def _gather(self, one: Packet, waiting: Waiting | None) -> None:
        """One more message to run; None: it is not to be run, but may be the last one of a batch."""
        if not one.flags:
            if waiting is not None:
                self._waiting.append(Unit([waiting], batched=False))
            return
        if waiting is not None:
            self._gathered.append(waiting)
        if one.flags == 1 and self._gathered:
            self._waiting.append(Unit(self._gathered, batched=True))
            self._gathered = []

    def _expect(self, runner: Runner, one: Packet, message: Message) -> Ticket | None:
        """The ticket of an input; None if it was given back before it was read."""
        key = (one.number, one.extra)
        with self._order:
            if key in self._returned:
                self._returned.remove(key)
                self._answered.append(key)
                return None
            self._here[key] = one, message
            said = message.content
            if said.get("out"):
                self.output.expect(str(said.get("call")), one.number, looks(said["out"]), message.header)
            ticket = runner.expect(
                one.number, first=one.first, count=one.count, call_id=said.get("call"), base=said.get("first")
            )
            if key in self._cancelled:
                self._cancelled.remove(key)
                runner.cancel(one.number)
            return ticket

    # -- running ------------------------------------------------------------------------------------------------

    def _schedule(self) -> None:
        if self._scheduled or self._running >= self._slots:
            return
        if self._waiting:
            self._scheduled = True
            self._loop.call_soon(self._turn)
        elif self._on_empty is not None and not self._running:
            self._on_empty()
            self._on_empty = None

    def _turn(self) -> None:
        """Begin what waits and has a slot: async as a task, plain here and now, or on a thread where others run too."""
        self._scheduled = False
        while self._waiting and self._running < self._slots:
            unit = self._waiting.popleft()
            assert self._runner is not None
            self._running += 1
            if self._slots == 1 and not unit.streamed and not self._is_async(unit.method):
                try:
                    replies = _run(self._runner, unit.messages(), unit.method, batched=unit.batched)
                finally:
                    self._running -= 1
                self._finish(unit, replies)
                return
            task = self._loop.create_task(self._run_beside(self._runner, unit))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    def _is_async(self, method: str) -> bool:
        return self._runner is not None and self._runner.service.is_async(method)

    async def _run_beside(self, runner: Runner, unit: Unit) -> None:
        try:
            if unit.streamed:
                replies = [await self._stream(runner, unit)]
            elif not self._is_async(unit.method):
                run = partial(_run, batched=unit.batched)
                replies = await runner.arms.in_place(run, runner, unit.messages(), unit.method)
            elif unit.batched:
                replies = await runner.run_batch_async(unit.messages(), unit.method)
            else:
                ticket, frames = unit.messages()[0]
                replies = [await runner.run_async(ticket, unit.method, frames)]
        finally:
            self._running -= 1
        self._finish(unit, replies)

    async def _stream(self, runner: Runner, unit: Unit) -> Reply:
        one = unit.members[0]
        with self.streams.outlet(one.packet, one.message.header, one.call) as outlet:
            return await runner.run_stream(one.ticket, unit.method, one.message.buffers, outlet)

    def _finish(self, unit: Unit, replies: list[Reply]) -> None:
        if self.output.held:  # what an input has printed comes before its result
            for one in unit.members:
                self.output.settle(one.call)
        for one, outcome in zip(unit.members, replies, strict=True):
            self.answers.answer(one.packet, one.message.header, outcome)
        with self._order:  # not before the replies have left
            for one in unit.members:
                key = one.packet.number, one.packet.extra
                self._here.pop(key, None)
                self._answered.append(key)
        if self._waiting or self._on_empty is not None:
            self._schedule()


def _run(runner: Runner, messages: Messages, method: str, *, batched: bool) -> list[Reply]:
    """A plain method, on this thread."""
    if batched:
        return runner.run_batch(messages, method)
    ((ticket, frames),) = messages
    return [runner.run_sync(ticket, method, frames)]
