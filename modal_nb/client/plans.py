"""One request to the store with what becomes of its answer, carried out by blocking or by awaiting."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Generic, TypeVar

from modal_nb.client import interrupts, lanes, loops
from modal_nb.client.lanes import Lane
from modal_nb.client.link import Link, LinkLost
from modal_nb.client.session import Session
from modal_nb.exception import ConnectionError, Error, RequestSizeError
from modal_nb.protocol import messages as ms
from modal_nb.protocol.codec import Frame

R = TypeVar("R")

#: a wait that was longer than this many seconds is no part of a row of failures
_LONG = 30.0
_TRIES = 3
#: bytes that every supervisor takes, whatever its bound
_SURE = 16 * 1024**2


@dataclass(frozen=True, slots=True)
class Plan(Generic[R]):
    """A request; ``content`` is called anew for every try."""

    content: Callable[[Lane], ms.Content]
    answer: type[ms.Content]
    #: from the answer and its buffers
    finish: Callable[[Any, list[Frame]], R]
    buffers: Sequence[Frame] = ()
    #: the request that undoes it when nobody takes the answer
    undo: Callable[[Lane], ms.Content] | None = None


def do(session: Session, plan: Plan[R]) -> R:
    """Carry it out. An interrupt in its middle undoes it, where that can be."""
    __tracebackhide__ = True
    with lanes.lane() as lane:

        def act() -> R | Exception:
            try:
                _check_size(session, plan)
                return plan.finish(*_fetch(session, plan, lane))
            except Exception as error:  # noqa: BLE001 - an answer, too: there is nothing to undo
                return _Failed(error)

        found = interrupts.or_undo(act, lambda: _undo(session, plan, lane))
    if isinstance(found, _Failed):
        raise found.error.with_traceback(None)
    return found  # type: ignore[return-value]


async def do_async(session: Session, plan: Plan[R]) -> R:
    """``do``, awaited. Cancelling it undoes it, where that can be."""
    __tracebackhide__ = True
    with lanes.lane() as lane:
        try:
            if _is_large(plan):
                await asyncio.to_thread(_check_size, session, plan)
            return plan.finish(*await _fetch_async(session, plan, lane))
        except Exception:
            raise
        except BaseException:
            if plan.undo is not None and lane.made:
                await asyncio.shield(asyncio.ensure_future(_undo_async(session, plan, lane)))
            raise


class _Failed(Exception):
    """What an act ended with."""

    def __init__(self, error: Exception) -> None:
        self.error = error


def _fetch(session: Session, plan: Plan[R], lane: Lane) -> tuple[ms.Content, list[Frame]]:
    while True:
        began = time.monotonic()
        try:
            return session.fetch(lambda: plan.content(lane), plan.answer, plan.buffers)
        except ConnectionError:
            if time.monotonic() - began < _LONG:
                raise


async def _fetch_async(session: Session, plan: Plan[R], lane: Lane) -> tuple[ms.Content, list[Frame]]:
    loop = asyncio.get_running_loop()
    loops.hear_interrupts()
    tries = _TRIES
    while tries:
        began = time.monotonic()
        link = await _link(session)
        told = loop.create_future()
        request = link.request(partial(loops.call_soon, loop, _settle, told))
        try:
            link.begin(request, plan.content(lane), plan.buffers)
            await asyncio.wait((told,))
            return link.end(request, plan.answer)
        except LinkLost:
            await asyncio.to_thread(link.wait_closed, 1.0)
        finally:
            link.forget(request)
        tries = _TRIES if time.monotonic() - began > _LONG else tries - 1
    # once more as everybody does it, who knows what to say
    return await asyncio.to_thread(_fetch, session, plan, lane)


async def _link(session: Session) -> Link:
    link = session.linked()
    return await asyncio.to_thread(session.link) if link is None else link


def _settle(told: asyncio.Future[None]) -> None:
    if not told.done():
        told.set_result(None)


def _undo(session: Session, plan: Plan[R], lane: Lane) -> None:
    if plan.undo is not None and lane.made:
        with contextlib.suppress(Error):
            session.ask(plan.undo(lane), ms.Done)


async def _undo_async(session: Session, plan: Plan[R], lane: Lane) -> None:
    assert plan.undo is not None
    undoing: Plan[Any] = Plan(plan.undo, ms.Done, lambda done, _: done)
    with contextlib.suppress(Error):
        await _fetch_async(session, undoing, lane)


def _is_large(plan: Plan[R]) -> bool:
    return sum(map(len, plan.buffers)) > _SURE


def _check_size(session: Session, plan: Plan[R]) -> None:
    """RequestSizeError for what the supervisor would not even read."""
    if _is_large(plan):
        session.link()  # tells the bound
        size, bound = sum(map(len, plan.buffers)), session.payload_bound
        if size > bound:
            raise RequestSizeError(
                f"this takes {size:,} bytes at once, and the bound is {bound:,}: send it in parts, or raise "
                "MODAL_NB_MAX_PAYLOAD (MiB) and start the supervisor again"
            )
