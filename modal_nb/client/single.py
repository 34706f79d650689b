"""One input of a method, from its arguments to its value: blocking, or awaited on an event loop."""

from __future__ import annotations

import asyncio
import weakref
from collections.abc import Mapping
from typing import Any

from modal_nb.client import classes, loops, outcome, references
from modal_nb.client.calls import AsyncWaiter, Mailbox, Waiter
from modal_nb.client.interrupts import or_undo
from modal_nb.client.pool import Pool
from modal_nb.client.session import Session
from modal_nb.protocol.stream import Packet
from modal_nb.runtime.payload import dumps_arguments


def call(pool: Pool, method: str, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Any:
    """The value, or the method's exception raised. An interrupt cancels the input."""
    __tracebackhide__ = True
    waiter = Waiter()
    frames = dumps_arguments(args, kwargs, method=method)
    if references.any_untold():
        classes.tell(pool.app)

    def answered() -> Packet:
        __tracebackhide__ = True
        pool.app.session.lead(pool.submit(method, frames, waiter), waiter)
        return waiter.wait()

    result = or_undo(answered, lambda: pool.app.session.cancel_for(waiter))
    return outcome.value_of(pool, method, result)


async def call_async(pool: Pool, method: str, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Any:
    """The same without blocking; cancelling the task cancels the input."""
    __tracebackhide__ = True
    loop = asyncio.get_running_loop()
    loops.hear_interrupts()
    desk = _desk(loop)
    waiter = AsyncWaiter(desk.mailbox, loop)
    frames = dumps_arguments(args, kwargs, method=method)
    if references.any_untold():
        await asyncio.to_thread(classes.tell, pool.app)
    sent = pool.submit_later(method, frames, waiter)
    desk.flush_soon(pool.app.session)
    try:
        result = await waiter.future
    except BaseException:
        pool.app.session.cancel(sent)
        raise
    return outcome.value_of(pool, method, result)


class _Desk:
    """What belongs to one event loop: its mailbox, and one write for all that a turn of it sends."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self.mailbox = Mailbox(loop)
        self._waiting: set[Session] = set()

    def flush_soon(self, session: Session) -> None:
        if not self._waiting:
            self._loop.call_soon(self._flush)
        self._waiting.add(session)

    def _flush(self) -> None:
        while self._waiting:
            self._waiting.pop().flush()


_desks: weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, _Desk] = weakref.WeakKeyDictionary()


def _desk(loop: asyncio.AbstractEventLoop) -> _Desk:
    desk = _desks.get(loop)
    if desk is None:
        desk = _desks[loop] = _Desk(loop)
    return desk
