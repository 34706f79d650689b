"""A message of inputs on its way: held here until its outcome is there, and sent again to a restarted supervisor."""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Protocol

from modal_nb.client.interrupts import acquire
from modal_nb.protocol.codec import Frame
from modal_nb.protocol.kinds import dump_total
from modal_nb.protocol.stream import Kind, Packet, Sender, joined, packet, prefix
from modal_nb.runtime.context import current_input_number

if TYPE_CHECKING:
    from modal_nb.client.pool import Pool
    from modal_nb.client.questions import Question
    from modal_nb.client.screens import Screen


class Sink(Protocol):
    """Who waits for results; called on the reading thread, must be quick and must not raise.

    One that can answer what the code asks also has ``ask(question)``.
    """

    def deliver(self, call: Call, result: Packet) -> None: ...

    def fail(self, call: Call, error: BaseException) -> None: ...


class Call:
    """One input, or a chunk of inputs, of one method."""

    __slots__ = (
        "allowed",
        "body",
        "count",
        "method",
        "number",
        "outstanding",
        "parent",
        "parts",
        "pool",
        "screen",
        "sink",
        "size",
    )

    def __init__(
        self,
        number: int,
        pool: Pool,
        method: str,
        frames: Sequence[Frame],
        count: int,
        sink: Sink,
        parent: int | None = None,
        screen: Screen | None = None,
    ) -> None:
        """``parent``: None finds it out, 0 says that no code waits for the call."""
        self.number = number
        self.method = method
        #: in a container: the input whose code waits for this call
        self.parent = current_input_number() if parent is None else parent
        self.pool = pool
        self.body, self.size = joined(frames)
        self.parts = len(frames)
        self.count = count
        #: inputs without an outcome
        self.outstanding = count
        self.sink = sink
        #: where what its code shows is read; None: nowhere
        self.screen = screen
        #: of a generator: how many items its reader allows in all; 0: nothing was said yet
        self.allowed = 0

    def packet(self) -> list[Frame]:
        """As it is sent now: the pool may be another one by now."""
        head = prefix(
            Kind.CALL,
            self.size,
            number=self.number,
            parent=self.parent,
            extra=self.pool.number,
            count=self.count,
            flags=self.pool.batches.get(self.method, 0),
            parts=self.parts,
        )
        return [head, *self.body]

    def push(self, sender: Sender) -> None:
        """Queue it, and what its reader has read."""
        sender.push(self.packet())
        if self.allowed:
            sender.push(self.more())

    def more(self) -> list[Frame]:
        """The reader's word to the generator, as it is now."""
        return packet(Kind.MORE, [dump_total(self.allowed)], number=self.number)


class Waiter:
    """The blocking face: one thread waits for one result. A raw lock, because it is interruptible and quick."""

    __slots__ = ("_lock", "_questions", "error", "result")

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._lock.acquire()
        self.result: Packet | None = None
        self.error: BaseException | None = None
        #: made with the first one; the reading thread only puts in, who waits only takes out
        self._questions: deque[Question] | None = None

    def deliver(self, call: Call, result: Packet) -> None:
        self.result = result
        self._wake()

    def fail(self, call: Call, error: BaseException) -> None:
        self.error = error
        self._wake()

    def ask(self, question: Question) -> None:
        if self._questions is None:
            self._questions = deque()
        self._questions.append(question)
        self._wake()

    @property
    def over(self) -> bool:
        return self.result is not None or self.error is not None

    def _wake(self) -> None:
        """Whoever is awake already looks at everything once more before it waits again."""
        with suppress(RuntimeError):  # it is being woken already
            self._lock.release()

    def wait(self) -> Packet:
        """The result; on the main thread an interrupt ends the wait."""
        __tracebackhide__ = True
        while not self.over:
            acquire(self._lock)
            while self._questions and not self.over:
                self._questions.popleft().answer()
        if self.error is not None:
            raise self.error
        assert self.result is not None
        return self.result


class Mailbox:
    """Takes results from the reading thread to one event loop; what gathers while the loop is busy goes in one go."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._letters: deque[tuple[asyncio.Future[Packet], Packet | None, BaseException | None]] = deque()
        self._rung = False

    def put(
        self, future: asyncio.Future[Packet], result: Packet | None, error: BaseException | None = None
    ) -> None:
        self._letters.append((future, result, error))
        if not self._rung:
            self._rung = True
            try:
                self._loop.call_soon_threadsafe(self._empty)
            except RuntimeError:  # the loop is closed: nobody waits any more
                self._letters.clear()

    def _empty(self) -> None:
        self._rung = False
        while self._letters:
            future, result, error = self._letters.popleft()
            if future.done():
                continue
            if error is not None:
                future.set_exception(error)
            else:
                future.set_result(result)  # type: ignore[arg-type]


class AsyncWaiter:
    """The awaitable face of one result."""

    __slots__ = ("_mailbox", "future")

    def __init__(self, mailbox: Mailbox, loop: asyncio.AbstractEventLoop) -> None:
        self._mailbox = mailbox
        self.future: asyncio.Future[Packet] = loop.create_future()

    def deliver(self, call: Call, result: Packet) -> None:
        self._mailbox.put(self.future, result)

    def fail(self, call: Call, error: BaseException) -> None:
        self._mailbox.put(self.future, None, error)

    def ask(self, question: Question) -> None:
        question.answer_soon(self.future.get_loop(), self.future)
