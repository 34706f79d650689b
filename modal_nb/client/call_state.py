"""How far a function call is, as far as that is known here without waiting and without opening bytes of the user."""

from __future__ import annotations

import datetime as dt
import time
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import msgspec

from modal_nb.client import outcome
from modal_nb.client.cards import Card, Row
from modal_nb.client.kept import KeptCall, Outcome
from modal_nb.client.link import LinkLost
from modal_nb.exception import Error, InputCancelledError, OutputExpiredError
from modal_nb.protocol import deployment as dp
from modal_nb.protocol.codec import MessageRefused
from modal_nb.protocol.messages import Failure
from modal_nb.protocol.stream import Packet, Result
from modal_nb.spec.cls_spec import label_of

if TYPE_CHECKING:
    from modal_nb.client.session import Session

#: of the calls that the supervisor keeps: the newest, among which one is sought
_NEWEST = 100
_DONE, _CANCELLED, _OPEN = "done", "cancelled", "no result yet"
_GET = ".get() gives the result, .logs() what it printed"


def card(call_id: str, session: Session) -> Card:
    """What a call shows of itself in a notebook. Starts nothing; of a kept call the supervisor is asked, if the
    connection to it is open.
    """
    rows: list[Row]
    try:
        kept = session.kept.of_id(call_id)
    except OutputExpiredError:
        rows = [Row("state", ("its result is not kept any more",), code=False)]
    else:
        rows = list(_of_kept(kept) if kept is not None else _of_stored(call_id, session))
        gets = (
            _GET if kept is None or len(kept.places) == 1 else f"{_GET.replace('.get()', '.iter()')} in order"
        )
        rows.append(Row("get it", (gets,), code=False))
    return Card("FunctionCall", call_id, tuple(rows))


def _of_kept(call: KeptCall) -> Iterator[Row]:
    yield Row("method", (label_of(call.pool.spec.service, call.method),))
    words = [_words(call, place.outcome, expired=place.expired) for place in list(call.places)]
    yield Row("state", tuple(_together(words)), code=False)
    yield Row("age", (_age(time.monotonic() - call.begun),), code=False)


def _of_stored(call_id: str, session: Session) -> Iterator[Row]:
    found = _listed(call_id, session)
    if found is None:
        yield Row("state", ("not known here: .get() asks the supervisor",), code=False)
        return
    yield Row("method", (found.function,))
    if found.inputs == 1:
        words = [_OPEN if found.pending else _DONE if found.succeeded else "failed"]
    else:
        words = _counted(found.inputs, found.succeeded, found.failed)
    yield Row("state", tuple(words), code=False)
    made = dt.datetime.fromtimestamp(found.created).astimezone()
    yield Row("made", (f"{made:%Y-%m-%d %H:%M:%S}, kept by the supervisor",), code=False)


def _listed(call_id: str, session: Session) -> dp.StoredCall | None:
    link = session.linked()
    if link is None:
        return None
    try:
        answer, _ = link.ask(dp.CallListAsk(limit=_NEWEST), dp.CallList)
    except (Error, LinkLost):  # of a container, or it ends in this moment
        return None
    return next((one for one in answer.calls if one.id == call_id), None)


def _together(words: Sequence[str]) -> list[str]:
    """Of all inputs; the first failure with its words."""
    if len(words) == 1:
        return list(words)
    failed = [word for word in words if word not in {_DONE, _OPEN}]
    return [
        *_counted(len(words), words.count(_DONE), len(failed)),
        *(f"first: {word}" for word in failed[:1]),
    ]


def _counted(inputs: int, done: int, failed: int) -> list[str]:
    return [f"{done + failed:,} of {inputs:,} results{f', {failed:,} of them failed' if failed else ''}"]


def _words(call: KeptCall, found: Outcome | None, *, expired: bool) -> str:
    """One input."""
    if expired:
        return "its result is not kept any more"
    if found is None:
        return _OPEN
    if not isinstance(found, Packet):
        return (
            _CANCELLED
            if isinstance(found, InputCancelledError)
            else _failed(type(found).__name__, str(found))
        )
    try:
        content = call.pool.app.codec.open(found.frames()).content
        if found.flags in {Result.REPLY, Result.START_FAILED}:
            status = content["status"]
            if status in {"ok", "cancelled"}:
                return _DONE if status == "ok" else _CANCELLED
            return _failed(str(content.get("type")), str(content.get("message")))
        failure = msgspec.convert(content, Failure)
    except (MessageRefused, KeyError, msgspec.ValidationError):
        return _failed("ConnectionError", "its result came damaged")
    if failure.kind == "cancelled":
        return _CANCELLED
    error = outcome.failed(label_of(call.pool.spec.service, call.method), failure, call.pool.spec.resources)
    return _failed(type(error).__name__, str(error))


def _failed(name: str, message: str) -> str:
    first = message.strip().partition("\n")[0]
    return f"failed: {name}: {first}" if first else f"failed: {name}"


def _age(seconds: float) -> str:
    for size, unit in ((86_400, "days"), (3_600, "hours"), (60, "minutes")):
        if seconds >= 2 * size:
            return f"spawned {seconds / size:.0f} {unit} ago"
    return f"spawned {seconds:.0f} seconds ago"
