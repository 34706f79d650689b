"""Runs inputs, one message at a time on the main thread or as coroutines, and ends exactly the one that is
cancelled.

How a cancel hits the right input: the main thread arms a ticket just around user code. The control thread
marks the ticket and signals the main thread; the handler runs there between two bytecodes and raises only
while that very ticket is armed. A raise may be swallowed by user code, so the signal is repeated for as long
as the ticket is armed.
"""

from __future__ import annotations

import asyncio
import contextlib
import signal
import threading
import time
import types
from collections.abc import Callable, Coroutine, Sequence
from typing import Any

from modal_nb.exception import InputCancellation
from modal_nb.runtime import context, loops, reply
from modal_nb.runtime.attempt import (
    LAST,
    await_user,
    call_user,
    collect,
    end_of_chunk,
    end_of_stream,
    not_begun,
    open_message,
    refuse,
    single,
)
from modal_nb.runtime.canceller import Canceller
from modal_nb.runtime.outlet import Outlet
from modal_nb.runtime.payload import Frame, Inputs
from modal_nb.runtime.reply import ChunkReply, Reply
from modal_nb.runtime.service import BoundMethod, Service
from modal_nb.runtime.streaming import stream
from modal_nb.runtime.tickets import Ticket


class Runner:
    """Runs the inputs of one container, or of one local instance.

    ``run_sync`` belongs on the main thread (elsewhere it runs, but nothing can cancel it); ``run_async`` on
    the loop of the service. ``cancel`` and ``recall`` may be called by any thread.
    """

    def __init__(self, service: Service) -> None:
        self.service = service
        self._tickets: dict[int | str, Ticket] = {}
        self._armed: Ticket | None = None
        self._main = threading.main_thread().ident or 0
        self._canceller = Canceller(self._is_armed, self._poke)

    # --- signals ---

    def install(self) -> None:
        """Take SIGUSR1 for cancels. The container's main calls it once, on the main thread; elsewhere
        RuntimeError.
        """
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
        ticket = self._armed
        if ticket is not None and ticket.cancelled and _may_raise_in(frame):
            raise InputCancellation(f"input {ticket.input_id} was cancelled")

    def _is_armed(self, ticket: Ticket) -> bool:
        return self._armed is ticket

    def _poke(self) -> None:
        signal.pthread_kill(self._main, signal.SIGUSR1)

    # --- what others ask for ---

    @property
    def busy(self) -> bool:
        """Whether user code of a sync input runs on the main thread."""
        return self._armed is not None

    def expect(
        self,
        input_id: int | str,
        *,
        first: int = 0,
        count: int = 1,
        call_id: str | None = None,
        base: int | None = None,
    ) -> Ticket:
        """Take on inputs [first, first + count) of a message when it is read, so that it can be cancelled and
        recalled from then on. The ticket goes to ``run_sync`` or ``run_async``, which ends it.
        """
        ticket = Ticket(input_id, first, count, call_id, base)
        self._tickets[input_id] = ticket
        return ticket

    def cancel(self, input_id: int | str) -> bool:
        """End the input wherever it is; False if it is not here (any more). Returns at once, never waits for
        user code.

        Not begun: its run gives the outcome cancelled. Running sync: InputCancellation in the method,
        repeated while it is swallowed. Running async: its coroutine is cancelled. A generator that waits for
        its reader is closed. On another thread: only the inputs behind it.
        """
        ticket = self._tickets.get(input_id)
        if ticket is None:
            return False
        ticket.cancelled = True
        task = ticket.task
        if task is not None:
            with contextlib.suppress(RuntimeError):  # the loop has ended, and the task with it
                task.get_loop().call_soon_threadsafe(task.cancel)
        else:
            self._canceller.hunt(ticket)
            wake = ticket.wake
            if wake is not None:
                wake()
        return True

    def recall(self, input_id: int | str) -> int | None:
        """Give back what is not begun: how many inputs stay and will be answered. None if there is nothing to
        give back.

        0: nothing was begun, and the run of this ticket will give the outcome returned, which is not to be
        sent.
        """
        ticket = self._tickets.get(input_id)
        return None if ticket is None else ticket.give_back()

    # --- sync ---

    def run_sync(self, ticket: Ticket, method: str, frames: Sequence[Frame]) -> Reply:
        """Run the ticket's inputs in order on this thread; ends the ticket. Never raises for what user code
        does.
        """
        began = time.perf_counter()
        with context.serving(None, ticket.call_id, ticket.number), loops.out_of_sight():
            try:
                result = self._run_message(ticket, method, frames)
            finally:
                self._end(ticket)
        result.seconds = time.perf_counter() - began
        return result

    def _run_message(self, ticket: Ticket, method: str, frames: Sequence[Frame]) -> Reply:
        try:
            inputs, bound = open_message(self.service, ticket, method, frames)
        except Exception as error:  # noqa: BLE001 - unreadable: the outcome of every input in it
            return refuse(ticket, error)
        if inputs.many:
            return self._run_chunk(ticket, bound, inputs)
        index = ticket.begin_next()
        if index is None:
            return not_begun(ticket)
        context.serve_next(ticket.name_of(index, many=False))
        return single(*self.run_armed(ticket, call_user, bound, inputs, index))

    def _run_chunk(self, ticket: Ticket, bound: BoundMethod, inputs: Inputs) -> Reply:
        chunk = ChunkReply()
        while (index := ticket.begin_next()) is not None:
            context.serve_next(ticket.name_of(index, many=True))
            outcome, value = self.run_armed(ticket, call_user, bound, inputs, index)
            collect(ticket, chunk, outcome, value)
            if outcome in LAST:
                return chunk.finish(outcome, begun=ticket.begun)
        return end_of_chunk(ticket, chunk)

    def run_armed(self, ticket: Ticket, call: Callable[..., Any], *args: Any) -> tuple[str, Any]:
        """(outcome, what ``call(*args)`` gave or raised), where a cancel of this ticket hits. For this package only:
        this frame is never the top one while user code runs.
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

    # --- async ---

    async def run_async(self, ticket: Ticket, method: str, frames: Sequence[Frame]) -> Reply:
        """``run_sync`` for an async method: each input is a task of its own, so that a cancel ends just that
        one.
        """
        began = time.perf_counter()
        with context.serving(None, ticket.call_id, ticket.number):
            try:
                result = await self._await_message(ticket, method, frames)
            finally:
                self._end(ticket)
        result.seconds = time.perf_counter() - began
        return result

    async def _await_message(self, ticket: Ticket, method: str, frames: Sequence[Frame]) -> Reply:
        try:
            inputs, bound = open_message(self.service, ticket, method, frames)
        except Exception as error:  # noqa: BLE001 - as in _run_message
            return refuse(ticket, error)
        chunk = ChunkReply()
        while (index := ticket.begin_next()) is not None:
            context.serve_next(ticket.name_of(index, many=inputs.many))
            outcome, value = await self.run_task(ticket, await_user(bound, inputs, index))
            if not inputs.many:
                return single(outcome, value)
            collect(ticket, chunk, outcome, value)
            if outcome in LAST:
                return chunk.finish(outcome, begun=ticket.begun)
        return end_of_chunk(ticket, chunk)

    async def run_task(self, ticket: Ticket, code: Coroutine[Any, Any, tuple[str, Any]]) -> tuple[str, Any]:
        """``run_armed`` for a coroutine, which gives (outcome, value) itself; for this package only."""
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
        return outcome, value

    # --- generators ---

    async def run_stream(self, ticket: Ticket, method: str, frames: Sequence[Frame], outlet: Outlet) -> Reply:
        """Run a generator, plain or async, on the main thread's loop; its items go to ``outlet`` one by one.

        The reply comes behind them; its run time leaves out the waits for the reader. A cancel ends the
        generator where it runs, and closes it where it waits.
        """
        began = time.perf_counter()
        with context.serving(None, ticket.call_id, ticket.number):
            try:
                result = await self._stream_message(ticket, method, frames, outlet)
            finally:
                self._end(ticket)
        result.seconds = time.perf_counter() - began - outlet.waited
        return result

    async def _stream_message(
        self, ticket: Ticket, method: str, frames: Sequence[Frame], outlet: Outlet
    ) -> Reply:
        try:
            inputs, bound = open_message(self.service, ticket, method, frames, streamed=True)
        except Exception as error:  # noqa: BLE001 - as in _run_message
            return refuse(ticket, error)
        index = ticket.begin_next()
        if index is None:
            return not_begun(ticket)
        context.serve_next(ticket.name_of(index, many=False))
        return end_of_stream(*await stream(self, ticket, bound, inputs, outlet), items=outlet.sent)

    # --- all ---

    def _end(self, ticket: Ticket) -> None:
        ticket.finish()
        if self._tickets.get(ticket.input_id) is ticket:
            del self._tickets[ticket.input_id]


#: where nothing may be raised, as it would escape
_OWN_FRAME = Runner.run_armed.__code__


def _may_raise_in(frame: types.FrameType | None) -> bool:
    """Not in the runner's own frame, where it would escape, and not inside the debugger."""
    return frame is not None and frame.f_code is not _OWN_FRAME and "pydevd" not in frame.f_code.co_filename
