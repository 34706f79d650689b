"""Where user code runs, and how exactly the input that is cancelled is hit.

The main thread arms a ticket just around user code. The control thread marks the ticket and signals the main thread;
the handler runs there between two bytecodes and raises only while that very ticket is armed. A raise may be swallowed
by user code, so the signal is repeated for as long as the ticket is armed. Nothing can end code on another thread,
unless it waits for an answer: whoever asked kills the container then.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import signal
import threading
import types
from collections.abc import Callable, Coroutine, Sequence
from typing import Any

from modal_nb.exception import InputCancellation
from modal_nb.runtime import context, loops, reply
from modal_nb.runtime.canceller import Canceller
from modal_nb.runtime.context import process
from modal_nb.runtime.payload import LONG, WEIGHTLESS
from modal_nb.runtime.reply import ChunkReply
from modal_nb.runtime.threads import Threads
from modal_nb.runtime.tickets import Endable, Ticket

#: bytes of results that a chunk may be full of and stay small
_SHORT = 4096


class Arms:
    """One per Runner."""

    def __init__(self, *, threaded: bool) -> None:
        """``threaded``: plain methods run side by side on threads, not on the main thread."""
        self._threads = Threads() if threaded else None
        self._armed: Endable | None = None
        self._main = threading.main_thread().ident or 0
        self._canceller = Canceller(self._is_armed, self._poke)

    @property
    def threaded(self) -> bool:
        return self._threads is not None

    # --- signals ---

    def install(self) -> None:
        """Take SIGUSR1 for cancels. On the main thread only; elsewhere RuntimeError."""
        if threading.current_thread() is not threading.main_thread():
            message = "Runner.install() must be called on the main thread: only it may set signal handlers."
            raise RuntimeError(message)
        signal.signal(signal.SIGUSR1, self._on_cancel_signal)

    def on_interrupt(self, signum: int, frame: types.FrameType | None) -> None:
        """A handler for SIGINT: KeyboardInterrupt in the method that runs; nothing while none does."""
        del signum
        if self._armed is not None and _may_raise_in(frame):
            raise KeyboardInterrupt

    def _on_cancel_signal(self, signum: int, frame: types.FrameType | None) -> None:
        del signum
        armed = self._armed
        if armed is not None and armed.cancelled and _may_raise_in(frame):
            raise InputCancellation(f"input {armed.input_id} was cancelled")

    def _is_armed(self, ticket: Endable) -> bool:
        return self._armed is ticket

    def _poke(self) -> None:
        signal.pthread_kill(self._main, signal.SIGUSR1)

    @property
    def busy(self) -> bool:
        """Whether user code of a sync input runs on the main thread."""
        return self._armed is not None

    def end(self, ticket: Endable) -> None:
        """It is cancelled: end its code wherever it runs. Any thread may call it; it returns at once."""
        process.at_cancel(ticket.numbers)
        task = ticket.task
        if task is not None:
            with contextlib.suppress(RuntimeError):  # the loop has ended, and the task with it
                task.get_loop().call_soon_threadsafe(task.cancel)
            return
        self._canceller.hunt(ticket)
        wake = ticket.wake
        if wake is not None:
            wake()

    # --- running ---

    def run_armed(self, ticket: Endable, call: Callable[..., Any], *args: Any) -> tuple[str, Any]:
        """(outcome, what ``call(*args)`` gave or raised), where a cancel of this ticket hits. This frame is never the
        top one while user code runs.
        """
        on_main = threading.get_ident() == self._main
        try:
            try:
                if on_main:
                    self._armed = ticket
                if ticket.cancelled:
                    return reply.CANCELLED, None
                return reply.OK, call(*args)
            finally:
                if on_main:
                    self._armed = None  # from here on the outcome is decided
        except InputCancellation as error:
            return (reply.CANCELLED, None) if ticket.cancelled else (reply.ERROR, error)
        except KeyboardInterrupt as error:
            return reply.INTERRUPTED, error
        except BaseException as error:  # noqa: BLE001 - sys.exit in user code is a failure of this input
            return reply.ERROR, error

    def run_rows(
        self,
        ticket: Ticket,
        call: Callable[..., Any],
        rows: Sequence[tuple[Any, ...]],
        chunk: ChunkReply,
    ) -> tuple[str, Any] | None:
        """``run_armed`` for the inputs that are left of a chunk, one after the other; their results go into ``chunk``.

        None: all are begun, or what is left was given back or cancelled. Else what the newest input came to, which the
        caller must see to: a failure, or a result that is not plain and small.
        """
        armed = ticket if threading.get_ident() == self._main else None
        add, name, name_input = chunk.entries.append, ticket.chunk_name, context.name_input
        short = _SHORT if process.payload_bound is None else min(_SHORT, process.payload_bound)
        try:
            for index in ticket.rest:
                ticket.next = index + 1
                (context.serve_next if process.follows else name_input)((name, index))
                try:
                    if armed is not None:
                        self._armed = armed
                    if ticket.cancelled:
                        ticket.next = index
                        return None
                    value = call(*rows[index])
                finally:
                    if armed is not None:
                        self._armed = None  # from here on the outcome is decided
                kind = type(value)
                if kind in WEIGHTLESS:
                    add(value)
                elif kind not in LONG or len(value) > short:
                    return reply.OK, value
                else:
                    chunk.add(value)
        except InputCancellation as error:
            return (reply.CANCELLED, None) if ticket.cancelled else (reply.ERROR, error)
        except KeyboardInterrupt as error:
            return reply.INTERRUPTED, error
        except BaseException as error:  # noqa: BLE001 - as in run_armed
            return reply.ERROR, error
        return None

    async def run_task(self, ticket: Endable, code: Coroutine[Any, Any, tuple[str, Any]]) -> tuple[str, Any]:
        """``run_armed`` for a coroutine, which gives (outcome, value) itself."""
        task = asyncio.get_running_loop().create_task(code)
        ticket.task = task
        if ticket.cancelled:  # it came before the task could be seen
            task.cancel()
        try:
            outcome, value = await task
        except asyncio.CancelledError as error:
            this = asyncio.current_task()
            if this is not None and this.cancelling():  # not the input, this run itself is being ended
                raise
            return (reply.CANCELLED, None) if ticket.cancelled else (reply.ERROR, error)
        finally:
            ticket.task = None
        if ticket.cancelled and isinstance(value, InputCancellation):  # it waited for an answer
            return reply.CANCELLED, None
        return outcome, value

    async def in_place(self, call: Callable[..., Any], *args: Any) -> Any:
        """What ``call(*args)`` gives, run where plain code belongs: on this thread, or where inputs run side by side on
        one of its own. It must not raise.
        """
        if self._threads is None:
            with loops.out_of_sight():
                return call(*args)
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Any] = loop.create_future()

        def there() -> None:
            result = call(*args)
            with contextlib.suppress(RuntimeError):  # the loop has ended, and who waits with it
                loop.call_soon_threadsafe(_settle, future, result)

        self._threads.run(there)
        return await future


def _settle(future: asyncio.Future[Any], result: Any) -> None:
    if not future.done():
        future.set_result(result)


#: where nothing may be raised, as it would escape
_OWN_FRAMES = frozenset({Arms.run_armed.__code__, Arms.run_rows.__code__})


def _may_raise_in(frame: types.FrameType | None) -> bool:
    """Not in our own frame, where it would escape, nor inside the debugger, nor in a destructor or what else the
    garbage collector calls: there Python ignores what is raised, and says so in the user's cell.
    """
    if frame is None or frame.f_code in _OWN_FRAMES or "pydevd" in frame.f_code.co_filename:
        return False
    collecting = {getattr(callback, "__code__", None) for callback in gc.callbacks}
    while frame is not None and frame.f_code not in _OWN_FRAMES:
        if frame.f_code.co_name == "__del__" or frame.f_code in collecting:
            return False
        frame = frame.f_back
    return True
