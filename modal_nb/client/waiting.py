"""Waiting for outcomes of kept calls, blocking and awaited. An interrupt cancels what was waited for, if this process
keeps it; of a stored call, for which others may wait too, it only ends the wait.
"""

from __future__ import annotations

import asyncio
import queue
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial
from typing import Any

from modal_nb.client import loops
from modal_nb.client.interrupts import or_undo, take
from modal_nb.client.kept import KeptCall, Outcome
from modal_nb.client.questions import Question
from modal_nb.client.stored import StoredCall

#: kept by this process, or by the supervisor
AnyCall = KeptCall | StoredCall
Letters = queue.SimpleQueue[tuple[int, Outcome] | Question]


def wait(call: AnyCall, index: int, seconds: float | None) -> Outcome:
    """The outcome of one input; Python's TimeoutError when it is not there in time (0: now, None: no limit)."""
    call.check(index)
    letters: Letters = queue.SimpleQueue()
    tell = partial(_put, letters, index)

    def taken() -> Outcome:
        __tracebackhide__ = True
        found = call.watch(index, tell)
        if found is not None:
            return found
        return _answering(letters, seconds)[1]

    try:
        with _asked(call, index, letters.put):
            return or_undo(taken, lambda: _interrupted(call, [index]), KeyboardInterrupt)
    except queue.Empty:
        raise _too_late(call, seconds) from None
    finally:
        call.unwatch(index, tell)


async def wait_async(call: AnyCall, index: int, seconds: float | None) -> Outcome:
    """The same on an event loop; cancelling the task only ends the wait."""
    loop = asyncio.get_running_loop()
    loops.hear_interrupts()
    future: asyncio.Future[Outcome] = loop.create_future()
    tell = partial(_set_soon, loop, future)
    gone = threading.Event()

    def watched() -> Outcome | None:
        found = call.watch(index, tell)
        if gone.is_set():  # the task was cancelled before this began
            call.unwatch(index, tell)
        return found

    try:
        with _asked(call, index, lambda question: question.answer_soon(loop, future)):
            # of a stored call the supervisor is asked
            found = watched() if isinstance(call, KeptCall) else await asyncio.to_thread(watched)
            if found is not None:
                return found
            await asyncio.wait([future], timeout=seconds)
            if not future.done():
                raise _too_late(call, seconds)
            return future.result()
    finally:
        gone.set()
        call.unwatch(index, tell)


def iterate(call: AnyCall, indexes: range) -> Iterator[Any]:
    """The values in order, each when it is there."""
    __tracebackhide__ = True
    for index in indexes:
        rest = range(index, indexes.stop)
        found = or_undo(
            partial(wait, call, index, None), partial(_interrupted, call, rest), KeyboardInterrupt
        )
        yield call.value(found)


async def aiterate(call: AnyCall, indexes: range) -> AsyncIterator[Any]:
    __tracebackhide__ = True
    for index in indexes:
        yield call.value(await wait_async(call, index, None))


def gather(calls: Sequence[AnyCall]) -> list[Any]:
    """The value of each call, when all are there; the first failure is raised when it comes."""
    __tracebackhide__ = True
    for call in calls:
        call.check(0)
    letters: Letters = queue.SimpleQueue()
    tells = [partial(_put, letters, position) for position in range(len(calls))]
    results: list[Any] = [None] * len(calls)

    def collect() -> None:
        __tracebackhide__ = True
        for tell, call in zip(tells, calls, strict=True):
            found = call.watch(0, tell)
            if found is not None:
                tell(found)
        for _ in calls:
            position, found = _answering(letters, None)
            results[position] = calls[position].value(found)

    def cancel() -> None:
        for call in calls:
            _interrupted(call, [0])

    try:
        with ExitStack() as asked:
            for call in calls:
                asked.enter_context(_asked(call, 0, letters.put))
            or_undo(collect, cancel, KeyboardInterrupt)
    finally:
        for tell, call in zip(tells, calls, strict=True):
            call.unwatch(0, tell)
    return results


async def gather_async(calls: Sequence[AnyCall]) -> list[Any]:
    __tracebackhide__ = True
    waits = [asyncio.ensure_future(_value(call)) for call in calls]
    try:
        return list(await asyncio.gather(*waits))
    finally:
        for one in waits:
            one.cancel()


async def _value(call: AnyCall) -> Any:
    __tracebackhide__ = True
    return call.value(await wait_async(call, 0, None))


def _answering(letters: Letters, seconds: float | None) -> tuple[int, Outcome]:
    """The next outcome; what its code asks meanwhile is answered here. Raises queue.Empty."""
    __tracebackhide__ = True
    until = None if seconds is None else time.monotonic() + seconds
    while True:
        if until is None:
            letter = take(letters)
        elif seconds == 0:
            letter = letters.get_nowait()
        else:
            letter = take(letters, _bounded(max(0.0, until - time.monotonic())))
        if not isinstance(letter, Question):
            return letter
        letter.answer()


@contextmanager
def _asked(call: AnyCall, index: int, ask: Callable[[Question], None]) -> Iterator[None]:
    """While this lasts, what the code of this input asks goes to ``ask``. The code of stored calls cannot ask."""
    if not isinstance(call, KeptCall):
        yield
        return
    answerers = call.check(index).answerers
    answerers.append(ask)
    try:
        yield
    finally:
        answerers.remove(ask)


def _interrupted(call: AnyCall, indexes: Sequence[int]) -> None:
    if isinstance(call, KeptCall):
        call.cancel(indexes)


def _put(letters: Letters, position: int, found: Outcome) -> None:
    letters.put((position, found))


def _set_soon(loop: asyncio.AbstractEventLoop, future: asyncio.Future[Outcome], found: Outcome) -> None:
    try:
        loop.call_soon_threadsafe(_set, future, found)
    except RuntimeError:
        return  # the loop is closed: nobody waits any more


def _set(future: asyncio.Future[Outcome], found: Outcome) -> None:
    if not future.done():
        future.set_result(found)


def _bounded(seconds: float | None) -> float | None:
    return None if seconds is None else min(seconds, threading.TIMEOUT_MAX)


def _too_late(call: AnyCall, seconds: float | None) -> TimeoutError:
    waited = f" after {seconds:g} seconds" if seconds else ""
    return TimeoutError(
        f"{call.id} has no result yet{waited}; it goes on: ask again, or cancel it with .cancel()"
    )
