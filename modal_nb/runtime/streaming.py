"""Runs one generator: makes an item, sends it, waits until the reader has room; and closes it in any case."""

from __future__ import annotations

import asyncio
import inspect
import logging
from collections.abc import AsyncIterator, Iterator
from typing import Any

from modal_nb.exception import InvalidError
from modal_nb.runtime import reply
from modal_nb.runtime.arms import Arms
from modal_nb.runtime.attempt import check_size, guarded, refuse_unfinished
from modal_nb.runtime.outlet import Outlet
from modal_nb.runtime.payload import Frame, Inputs, dumps
from modal_nb.runtime.service import BoundMethod
from modal_nb.runtime.tickets import Ticket
from modal_nb.spec import checks

log = logging.getLogger("modal_nb.container")

_END = object()


async def stream(
    arms: Arms, ticket: Ticket, bound: BoundMethod, inputs: Inputs, outlet: Outlet
) -> tuple[str, Any]:
    """(outcome, None or exception) of a generator whose items went to ``outlet``. On the loop's thread.

    A plain generator runs here between two waits; the ticket is armed just while it does. Where inputs run side by side
    it has a thread of its own. An async one is a task.
    """
    ticket.wake = outlet.wake
    if arms.threaded:
        whole = _Whole(arms, ticket, outlet, asyncio.get_running_loop())
        outcome, source = await arms.in_place(whole.run, bound, inputs)
    else:
        outcome, source = await arms.in_place(arms.run_armed, ticket, _begin, bound, inputs)
    if outcome == reply.OK and inspect.iscoroutine(source):
        outcome, source = await _awaited(arms, ticket, bound, source)
    if outcome != reply.OK:
        return outcome, source
    if source is None:  # it ran on its thread to its end
        return outcome, None
    if isinstance(source, AsyncIterator):
        return await arms.run_task(ticket, _async_items(ticket, bound, source, outlet))
    return await _items(arms, ticket, bound, source, outlet)


def _begin(bound: BoundMethod, inputs: Inputs) -> Any:
    args, kwargs = inputs[0]
    made = bound.call(*args, **kwargs)
    return made if inspect.iscoroutine(made) else _iterator(bound, made)


def _iterator(bound: BoundMethod, made: Any) -> Any:
    if isinstance(made, Iterator | AsyncIterator):
        return made
    raise InvalidError(
        f"{bound.label} is declared with is_generator=True and returned {checks.an(type(made).__name__)}, which is no "
        f"iterator: yield the items, or return iter(...) of them."
    )


async def _awaited(arms: Arms, ticket: Ticket, bound: BoundMethod, made: Any) -> tuple[str, Any]:
    """An ``async def`` that returns its iterator."""

    async def found() -> Any:
        return _iterator(bound, await made)

    try:
        return await arms.run_task(ticket, guarded(found()))
    finally:
        made.close()  # else Python warns where the task was cancelled before it began


# --- plain generators ---


async def _items(
    arms: Arms, ticket: Ticket, bound: BoundMethod, iterator: Iterator[Any], outlet: Outlet
) -> tuple[str, Any]:
    try:
        while True:
            await outlet.room(lambda: ticket.cancelled)
            outcome, made = await arms.in_place(arms.run_armed, ticket, _next, bound, iterator, outlet.wanted)
            if outcome != reply.OK or made is _END:
                return outcome, None if made is _END else made
            outlet.put(made)
    finally:
        await arms.in_place(_close, bound, iterator)


class _Whole:
    """A plain generator on one thread from its first item to its end: its connections and locals may rely on that."""

    def __init__(self, arms: Arms, ticket: Ticket, outlet: Outlet, loop: asyncio.AbstractEventLoop) -> None:
        self._arms = arms
        self._ticket = ticket
        self._outlet = outlet
        self._loop = loop

    def run(self, bound: BoundMethod, inputs: Inputs) -> tuple[str, Any]:
        """(outcome, None or exception); or (OK, what is no plain generator) for the loop to go on with."""
        outcome, source = self._arms.run_armed(self._ticket, _begin, bound, inputs)
        if outcome != reply.OK or not isinstance(source, Iterator):
            return outcome, source
        try:
            return self._items(bound, source)
        finally:
            _close(bound, source)

    def _items(self, bound: BoundMethod, source: Iterator[Any]) -> tuple[str, Any]:
        while True:
            if not self._outlet.has_room():
                room = self._outlet.room(lambda: self._ticket.cancelled)
                asyncio.run_coroutine_threadsafe(room, self._loop).result()
            outcome, made = self._arms.run_armed(self._ticket, _next, bound, source, self._outlet.wanted)
            if outcome != reply.OK or made is _END:
                return outcome, None if made is _END else made
            self._outlet.put(made)


def _next(bound: BoundMethod, iterator: Iterator[Any], wanted: bool) -> Any:
    """All of an item that may run code of the user."""
    value = next(iterator, _END)
    return value if value is _END else _packed(bound, value, wanted=wanted)


def _packed(bound: BoundMethod, value: Any, *, wanted: bool) -> list[Frame] | None:
    if not wanted:
        return None
    refuse_unfinished(bound, value)
    frames = dumps(value, what=f"item of {bound.label}")
    check_size(bound, sum(memoryview(frame).nbytes for frame in frames), "item")
    return frames


def _close(bound: BoundMethod, iterator: Iterator[Any]) -> None:
    """Its ``finally`` blocks run, and no cancel hits them; nothing happens to one that has ended."""
    close = getattr(iterator, "close", None)
    if close is not None:
        try:
            close()
        except BaseException as error:  # noqa: BLE001 - the outcome is decided
            _log_close(bound, error)


# --- async generators ---


async def _async_items(
    ticket: Ticket, bound: BoundMethod, source: AsyncIterator[Any], outlet: Outlet
) -> tuple[str, Any]:
    """One task from the first item to the end: context variables and task groups of a generator rely on it."""
    try:
        return await guarded(_send_all(ticket, bound, source, outlet))
    finally:
        await _aclose(bound, source)


async def _send_all(ticket: Ticket, bound: BoundMethod, source: AsyncIterator[Any], outlet: Outlet) -> None:
    while True:
        await outlet.room(lambda: ticket.cancelled)
        if ticket.cancelled:
            raise asyncio.CancelledError
        value = await anext(source, _END)
        if value is _END:
            return
        outlet.put(_packed(bound, value, wanted=outlet.wanted))


async def _aclose(bound: BoundMethod, source: AsyncIterator[Any]) -> None:
    aclose = getattr(source, "aclose", None)
    if aclose is not None:
        try:
            await aclose()
        except asyncio.CancelledError:
            raise
        except BaseException as error:  # noqa: BLE001 - the outcome is decided
            _log_close(bound, error)


def _log_close(bound: BoundMethod, error: BaseException) -> None:
    log.warning("%s raised while it was closed", bound.label, exc_info=error)
