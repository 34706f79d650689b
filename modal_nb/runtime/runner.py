"""Runs what a container is sent: single inputs, chunks, batches, generators; on the main thread, on threads or as
coroutines. ``arms`` says how exactly the one that is cancelled is ended.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from modal_nb.runtime import context, loops, reply
from modal_nb.runtime.arms import Arms
from modal_nb.runtime.attempt import (
    LAST,
    Told,
    await_user,
    call_user,
    collect,
    end_of_chunk,
    end_of_stream,
    guarded,
    not_begun,
    open_message,
    packed,
    refuse,
    single,
    tried_again,
)
from modal_nb.runtime.batch import Batch
from modal_nb.runtime.outlet import Outlet
from modal_nb.runtime.payload import Frame, Inputs
from modal_nb.runtime.reply import ChunkReply, Reply
from modal_nb.runtime.service import BoundMethod, Service
from modal_nb.runtime.streaming import stream
from modal_nb.runtime.tickets import Ticket

#: the messages of a batch, with their tickets
Messages = Sequence[tuple[Ticket, Sequence[Frame]]]


class Runner:
    """Runs the inputs of one container, or of one local instance.

    ``run_sync`` and ``run_batch`` belong on the main thread, or on a thread of their own where inputs run side by
    side (there nothing can cancel them); what is async belongs on the loop of the service. ``cancel`` and ``recall``
    may be called by any thread.
    """

    def __init__(self, service: Service, *, threaded: bool = False, told: Told | None = None) -> None:
        """``threaded``: plain methods run side by side."""
        self.service = service
        self.arms = Arms(threaded=threaded)
        self._told = told or Told()
        self._tickets: dict[int | str, Ticket] = {}
        #: of the chunks that run
        self._chunks: dict[int | str, ChunkReply] = {}
        self.install, self.on_interrupt = self.arms.install, self.arms.on_interrupt

    @property
    def busy(self) -> bool:
        """Whether user code of a sync input runs on the main thread."""
        return self.arms.busy

    # --- what others ask for ---

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
        its reader is closed. On another thread: only the inputs behind it. In a batch: once all are cancelled.
        """
        ticket = self._tickets.get(input_id)
        if ticket is None:
            return False
        ticket.cancelled = True
        whole = ticket.batch or ticket
        if whole.cancelled:
            self.arms.end(whole)
        return True

    def is_cancelled(self, input_id: int | str) -> bool:
        """Whether its code is to end, if it is here."""
        ticket = self._tickets.get(input_id)
        return ticket is not None and (ticket.batch or ticket).cancelled

    def recall(self, input_id: int | str) -> int | None:
        """Give back what is not begun: how many inputs stay and will be answered. None if there is nothing to
        give back.

        0: nothing was begun, and the run of this ticket will give the outcome returned, which is not to be
        sent.
        """
        ticket = self._tickets.get(input_id)
        return None if ticket is None else ticket.give_back()

    def send_part(self, input_id: int | str, send: Callable[[Reply], None]) -> None:
        """Have ``send`` answer those inputs of a chunk that are through, if another one of it runs on."""
        chunk = self._chunks.get(input_id)
        if chunk is not None:
            chunk.send_part(send)

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
        context.serve_next((ticket.single_name, index))
        return single(*self.arms.run_armed(ticket, call_user, bound, inputs, index), told=self._told)

    def _chunk(self, ticket: Ticket) -> ChunkReply:
        chunk = self._chunks[ticket.input_id] = ChunkReply(ticket)
        return chunk

    def _run_chunk(self, ticket: Ticket, bound: BoundMethod, inputs: Inputs) -> Reply:
        chunk = self._chunk(ticket)
        if (rows := inputs.rows) is not None:
            return self._run_rows(ticket, bound, rows, chunk)
        while (index := ticket.begin_next()) is not None:
            context.serve_next((ticket.chunk_name, index))
            outcome, value = self.arms.run_armed(ticket, call_user, bound, inputs, index)
            if (last := self._collected(ticket, chunk, outcome, value)) is not None:
                return last
        return end_of_chunk(ticket, chunk, self._told)

    def _run_rows(
        self, ticket: Ticket, bound: BoundMethod, rows: Sequence[tuple[Any, ...]], chunk: ChunkReply
    ) -> Reply:
        """Plain arguments, and as long as they are plain the results, too: the quick way of most chunks."""
        while (ended := self.arms.run_rows(ticket, bound.call, rows, chunk)) is not None:
            outcome, value = ended
            if outcome == reply.OK:
                outcome, value = self.arms.run_armed(ticket, packed, bound, value)
            if (last := self._collected(ticket, chunk, outcome, value)) is not None:
                return last
        return end_of_chunk(ticket, chunk, self._told)

    def _collected(self, ticket: Ticket, chunk: ChunkReply, outcome: str, value: object) -> Reply | None:
        """The reply of the chunk, if this input ends it. One that is alone in its message is told as others are."""
        if ticket.count > 1 and self._told.again(outcome, value):
            return tried_again(ticket, chunk, self._told)
        collect(ticket, chunk, outcome, value, self._told)
        if outcome in LAST or (ticket.count == 1 and outcome != reply.OK):
            return chunk.finish(self._told.outcome(outcome, value))
        return None

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
        chunk = self._chunk(ticket) if inputs.many else ChunkReply()
        while (index := ticket.begin_next()) is not None:
            context.serve_next(ticket.name_of(index, many=inputs.many))
            outcome, value = await self.arms.run_task(ticket, guarded(await_user(bound, inputs, index)))
            if not inputs.many:
                return single(outcome, value, told=self._told)
            if (last := self._collected(ticket, chunk, outcome, value)) is not None:
                return last
        return end_of_chunk(ticket, chunk, self._told)

    # --- batches ---

    def run_batch(self, messages: Messages, method: str) -> list[Reply]:
        """Run all inputs of these messages in one call of a plain method; ends their tickets. One reply for each."""
        with self._batch(messages, method) as batch, loops.out_of_sight():
            if not batch.size:
                return batch.replies(reply.OK, [])
            context.serve_next(batch.name())
            return batch.replies(*self.arms.run_armed(batch.ticket, batch.run))

    async def run_batch_async(self, messages: Messages, method: str) -> list[Reply]:
        """``run_batch`` for an async method."""
        with self._batch(messages, method) as batch:
            if not batch.size:
                return batch.replies(reply.OK, [])
            context.serve_next(batch.name())
            return batch.replies(*await self.arms.run_task(batch.ticket, guarded(batch.arun())))

    @contextmanager
    def _batch(self, messages: Messages, method: str) -> Iterator[Batch]:
        try:
            batch = Batch(self.service, method, messages, self._told)
            with (
                context.together(batch.calls, batch.numbers),
                context.serving(None, batch.first.call_id, batch.first.number),
            ):
                yield batch
        finally:
            for ticket, _ in messages:
                self._end(ticket)

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
        ended = await stream(self.arms, ticket, bound, inputs, outlet)
        return end_of_stream(*ended, items=outlet.sent, told=self._told)

    # --- all ---

    def _end(self, ticket: Ticket) -> None:
        ticket.finish()
        if self._tickets.get(ticket.input_id) is ticket:
            del self._tickets[ticket.input_id]
            self._chunks.pop(ticket.input_id, None)
