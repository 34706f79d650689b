"""One input: unpack its arguments, call the method, pack what it gives; and its outcome in a reply."""

from __future__ import annotations

import asyncio
import inspect
import types
from collections.abc import Awaitable, Sequence
from dataclasses import asdict
from typing import Any

from modal_nb.exception import InvalidError, RequestSizeError
from modal_nb.runtime import reply, whereabouts
from modal_nb.runtime.context import process
from modal_nb.runtime.failures import dump_failure
from modal_nb.runtime.payload import SCALARS, Frame, Inputs, Packed, dumps, weight
from modal_nb.runtime.reply import ChunkReply, Reply
from modal_nb.runtime.service import BoundMethod, Service
from modal_nb.runtime.tickets import Ticket
from modal_nb.spec import checks

_UNFINISHED = (types.CoroutineType, types.GeneratorType, types.AsyncGeneratorType)


class Told:
    """What becomes of what user code raised: how it travels, and whether it may be tried again."""

    def __init__(self, retried: tuple[type[BaseException], ...] = ()) -> None:
        """``retried``: the exceptions that the retry policy counts; none: there is no policy."""
        self._retried = retried
        #: of those that a cell defines; when it has run again they are other classes by the same names
        self._names = {kind.__qualname__ for kind in retried if kind.__module__ == "__main__"}

    def _counts(self, error: Any) -> bool:
        if isinstance(error, self._retried):
            return True
        of_cells = (kind for kind in type(error).__mro__ if kind.__module__ == "__main__")
        return any(kind.__qualname__ in self._names for kind in of_cells)

    def again(self, outcome: str, error: Any) -> bool:
        """A policy may want another attempt. Not after an interrupt: somebody is there who wanted it to end."""
        return outcome == reply.ERROR and self._counts(error)

    def outcome(self, outcome: str, error: Any) -> str:
        """The outcome as it travels."""
        final = bool(self._retried) and outcome == reply.ERROR and not self._counts(error)
        return reply.FINAL if final else outcome

    def whole(self, chunk: Reply) -> Reply:
        """A chunk as it travels: what may be tried again has left it. Where one input is left of it, that one's failure
        would be taken for one that may.
        """
        if self._retried and chunk.outcome == reply.ERROR:
            chunk.outcome = reply.FINAL
        return chunk

    def dump(
        self, error: BaseException, *, call: str | None = None, name: str | None = None
    ) -> tuple[dict[str, Any], list[Frame]]:
        """A failure of user code as it travels, with what the container knows about it. ``call`` and ``name``: of the
        input that is told, if it is not the one that is served.
        """
        if process.on_failure is not None:
            process.on_failure(error)
        content, frames = dump_failure(error)
        where = whereabouts.here(call, name)
        if where is not None:
            content["where"] = asdict(where)
        return content, frames


def open_message(
    service: Service, ticket: Ticket, method: str, frames: Sequence[Frame], *, streamed: bool = False
) -> tuple[Inputs, BoundMethod]:
    """Raises NotFoundError for the method, InvalidError where it is called in the wrong way or the range is wrong."""
    bound = service.method(method)
    _check_kind(bound, streamed=streamed)
    inputs = Inputs(frames)
    if ticket.stop_at > inputs.count or (streamed and inputs.many):
        message = f"inputs {ticket.first} to {ticket.stop_at} were asked of a message of {inputs.count}"
        raise InvalidError(message)
    return inputs, bound


def refuse(ticket: Ticket, error: Exception) -> Reply:
    """The reply when the message could not be opened: the same error for each input of it."""
    while ticket.begin_next() is not None:
        pass
    if ticket.begun:
        return Reply(reply.ERROR, *dump_failure(error), begun=ticket.begun)
    return not_begun(ticket)


def _check_kind(bound: BoundMethod, *, streamed: bool) -> None:
    if bound.shape.is_generator and not streamed:
        raise InvalidError(
            f"{bound.label} is a generator: its results are streamed, so call it with remote_gen."
        )
    if streamed and not bound.shape.is_generator:
        raise InvalidError(f"{bound.label} is not a generator: it has one result, so call it with remote.")


def call_user(bound: BoundMethod, inputs: Inputs, index: int) -> Any:
    """Unpack, call and pack: all that may run code of the user, so all that may be cancelled."""
    args, kwargs = inputs[index]
    return packed(bound, bound.call(*args, **kwargs))


async def await_user(bound: BoundMethod, inputs: Inputs, index: int) -> Any:
    """``call_user`` for an async method."""
    args, kwargs = inputs[index]
    return packed(bound, await bound.call(*args, **kwargs))


async def guarded(code: Awaitable[Any]) -> tuple[str, Any]:
    """(outcome, what ``code`` gave or raised). Nothing may leave a task but its result: asyncio ends the whole loop for
    SystemExit.
    """
    try:
        return reply.OK, await code
    except asyncio.CancelledError:
        raise
    except KeyboardInterrupt as error:
        return reply.INTERRUPTED, error
    except BaseException as error:  # noqa: BLE001 - sys.exit in user code is a failure of this input
        return reply.ERROR, error


def packed(bound: BoundMethod, value: Any) -> Any:
    """A result as it travels. InvalidError or SerializationError where it cannot, RequestSizeError where it may not."""
    if type(value) in SCALARS:
        check_size(bound, weight(value))
        return value
    refuse_unfinished(bound, value)
    result = Packed(dumps(value, what=f"result of {bound.label}"))
    check_size(bound, weight(result))
    return result


def refuse_unfinished(bound: BoundMethod, value: Any) -> None:
    """Raises InvalidError for a coroutine or generator, which is no result yet."""
    if isinstance(value, _UNFINISHED):
        _throw_away(value)
        raise InvalidError(
            f"{bound.label} returned {checks.an(type(value).__name__)}, which cannot travel. Declare the method as "
            f"`async def`, or as a generator with @method(is_generator=True) and call it with remote_gen."
        )


def check_size(bound: BoundMethod, size: int, what: str = "result") -> None:
    """Raises RequestSizeError for what is too large to be sent."""
    limit = process.payload_bound
    if limit is not None and size > limit:
        raise RequestSizeError(
            f"the {what} of {bound.label} takes {size / 2**20:.1f} MiB, over the limit of {limit / 2**20:.1f} MiB for "
            "one input: return less, or write it to a file and return its path; or start the supervisor with a "
            "higher MODAL_NB_MAX_PAYLOAD"
        )


def _throw_away(value: Any) -> None:
    if not inspect.isasyncgen(value):
        value.close()  # else Python warns that it was never awaited


#: outcomes that end a chunk
LAST = frozenset({reply.CANCELLED, reply.INTERRUPTED})


#: bytes of results after which the rest of a chunk is given back: they travel apart, and a message stays bounded
_HEAVIEST = 4 << 20


def collect(ticket: Ticket, chunk: ChunkReply, outcome: str, value: Any, told: Told) -> None:
    if outcome == reply.OK:
        chunk.add(value)
    elif outcome != reply.CANCELLED:
        chunk.add_failure(*told.dump(value))
    if chunk.weight > _HEAVIEST:
        ticket.give_back()


def tried_again(ticket: Ticket, chunk: ChunkReply, told: Told) -> Reply:
    """The reply of a chunk whose newest input has failed and may be tried again: it goes back with all behind it."""
    ticket.take_back()
    return told.whole(chunk.finish(failed=True))


def single(
    outcome: str, value: Any, *, told: Told, call: str | None = None, name: str | None = None
) -> Reply:
    if outcome == reply.OK:
        return Reply(outcome, {}, value.frames if isinstance(value, Packed) else dumps(value))
    if outcome == reply.CANCELLED:
        return Reply(outcome, {}, [])
    return Reply(told.outcome(outcome, value), *told.dump(value, call=call, name=name))


def end_of_stream(outcome: str, error: Any, *, items: int, told: Told) -> Reply:
    """The reply behind the items of a generator; on success it tells their number."""
    if outcome == reply.OK:
        return Reply(outcome, {"items": items}, dumps(None))
    return single(outcome, error, told=told)


def end_of_chunk(ticket: Ticket, chunk: ChunkReply, told: Told) -> Reply:
    """The reply when no further input is to be begun: all were, or the rest was recalled or cancelled."""
    if not ticket.unanswered:
        return not_begun(ticket)
    cancelled = ticket.cancelled and ticket.next < ticket.stop_at
    return told.whole(chunk.finish(reply.CANCELLED if cancelled else reply.OK))


def not_begun(ticket: Ticket) -> Reply:
    return Reply(reply.RETURNED if ticket.returned else reply.CANCELLED, {}, [], begun=0)
