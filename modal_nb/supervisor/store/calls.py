"""Operations on stored calls: accepted, settled, asked for, expired. Each runs inside one transaction."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any

from sqlalchemy import Connection, Row, func, select, update

from modal_nb.exception import NotFoundError, OutputExpiredError
from modal_nb.protocol.codec import Frame
from modal_nb.supervisor.store import schema as sc
from modal_nb.supervisor.store.blobs import Blobs

#: values in one statement, at most
_MOST = 500


@dataclass(frozen=True, slots=True)
class Accepted:
    """An input whose call has been accepted."""

    call: str
    index: int
    #: row of its app, and key of its pool
    app: int
    pool: str
    method: str
    #: class and method, for people
    label: str
    batch: int
    parts: int
    #: None: the file that held it is gone
    body: Frame | None


@dataclass(frozen=True, slots=True)
class Settled:
    """How an input ended: the fields of its RESULT packet."""

    flags: int
    parts: int
    seconds: float
    body: Frame
    ok: bool


class Entry(Enum):
    """What became of an input that was to be taken in."""

    NEW = 1
    #: it was there already: its caller says it again after a break
    KNOWN = 2
    #: its pool is not there any more: a newer version is deployed, or the app was stopped
    GONE = 3


def accept(connection: Connection, blobs: Blobs, new: Accepted, now: float) -> Entry:
    """Take an input in."""
    at = (sc.inputs.c.call == new.call, sc.inputs.c.position == new.index)
    if connection.scalar(select(sc.inputs.c.position).where(*at)) is not None:
        return Entry.KNOWN
    if (
        connection.scalar(select(sc.pools.c.key).where(sc.pools.c.app == new.app, sc.pools.c.key == new.pool))
        is None
    ):
        return Entry.GONE
    values = {"id": new.call, "created": now}
    values |= {name: getattr(new, name) for name in ("app", "pool", "method", "label")}
    connection.execute(sc.calls.insert().prefix_with("OR IGNORE").values(**values))
    assert new.body is not None
    file = blobs.put(f"{new.call}-{new.index}.in", new.body)
    connection.execute(
        sc.inputs.insert().values(
            call=new.call,
            position=new.index,
            state="pending",
            batch=new.batch,
            parts=new.parts,
            body=None if file else bytes(new.body),
            file=file,
            size=len(new.body),
        )
    )
    return Entry.NEW


def settle(
    connection: Connection, blobs: Blobs, call: str, index: int, end: Settled, now: float
) -> tuple[Settled | None, str | None]:
    """Record the outcome of a pending input; the first one counts.

    The outcome that counts, None if that is not kept any more; and the file of its arguments, which may go now.
    """
    at = (sc.inputs.c.call == call, sc.inputs.c.position == index, sc.inputs.c.state == "pending")
    row = connection.execute(select(sc.inputs.c.file).where(*at)).first()
    if row is None:
        try:
            return outcome(connection, blobs, call, index), None
        except (NotFoundError, OutputExpiredError):
            return None, None
    file = blobs.put(f"{call}-{index}.out", end.body)
    connection.execute(
        update(sc.inputs)
        .where(*at)
        .values(
            state="done",
            flags=end.flags,
            parts=end.parts,
            seconds=end.seconds,
            ok=int(end.ok),
            body=None if file else bytes(end.body),
            file=file,
            size=len(end.body),
            settled=now,
        )
    )
    return end, row.file


def outcome(connection: Connection, blobs: Blobs, call: str, index: int) -> Settled | None:
    """The outcome of an input; None while it has none. NotFoundError, OutputExpiredError."""
    at = (sc.inputs.c.call == call, sc.inputs.c.position == index)
    row = connection.execute(select(sc.inputs).where(*at)).first()
    if row is None:
        raise NotFoundError(f"{call} has no input {index}")
    if row.state == "pending":
        return None
    if row.state == "expired":
        raise expired(call)
    try:
        body = row.body if row.file is None else blobs.get(row.file)
    except OSError:
        raise expired(call) from None
    return Settled(row.flags, row.parts, row.seconds, body, bool(row.ok))


def expired(call: str) -> OutputExpiredError:
    return OutputExpiredError(
        f"the result of {call} is not kept any more: results go after `results_keep_days`, and the oldest go when all "
        "together are over `results_bound` (see `modal-nb config show`); ask for them earlier"
    )


def find(connection: Connection, call: str) -> Row[Any]:
    """(app, method, label, inputs) of a call. NotFoundError, OutputExpiredError when nothing of it is left."""
    row = connection.execute(
        select(
            sc.calls.c.app,
            sc.calls.c.method,
            sc.calls.c.label,
            func.count(sc.inputs.c.position).label("inputs"),
        )
        .join(sc.inputs, sc.inputs.c.call == sc.calls.c.id)
        .where(sc.calls.c.id == call)
        .group_by(sc.calls.c.id)
    ).first()
    if row is None:
        raise NotFoundError(
            f"no function call {call!r} is known here: calls of deployed apps are known to every process of this home, "
            "others to the process that spawned them only"
        )
    return row


def pending(connection: Connection, blobs: Blobs) -> list[Accepted]:
    """What a supervisor that has just started must run, in the order in which it was accepted."""
    rows = connection.execute(
        select(sc.inputs, sc.calls.c.app, sc.calls.c.pool, sc.calls.c.method, sc.calls.c.label)
        .join(sc.calls, sc.calls.c.id == sc.inputs.c.call)
        .where(sc.inputs.c.state == "pending")
        .order_by(sc.calls.c.created, sc.inputs.c.call, sc.inputs.c.position)
    )
    return [
        Accepted(
            row.call,
            row.position,
            row.app,
            row.pool,
            row.method,
            row.label,
            row.batch,
            row.parts,
            row.body if row.file is None else _read(blobs, row.file),
        )
        for row in rows
    ]


def _read(blobs: Blobs, file: str) -> bytes | None:
    try:
        return blobs.get(file)
    except OSError:
        return None


def move(connection: Connection, call: str, pool: str) -> None:
    """The inputs of a call run in another pool from now on."""
    connection.execute(update(sc.calls).where(sc.calls.c.id == call).values(pool=pool))


def settle_many(
    connection: Connection, call: str, indexes: Sequence[int], end: Settled, now: float
) -> tuple[set[int], list[str]]:
    """``settle`` for many inputs of a call that end alike: those that had no outcome, and files that may go now."""
    settled: set[int] = set()
    files: list[str] = []
    for at in range(0, len(indexes), _MOST):
        some = indexes[at : at + _MOST]
        waits = (sc.inputs.c.call == call, sc.inputs.c.position.in_(some), sc.inputs.c.state == "pending")
        for row in connection.execute(select(sc.inputs.c.position, sc.inputs.c.file).where(*waits)):
            settled.add(row.position)
            files += [row.file] if row.file else []
        _end(connection, waits, end, now)
    return settled, files


def settle_all(connection: Connection, app: int, end: Settled, now: float) -> list[str]:
    """The app is stopped: whatever has no outcome gets this one. The files of arguments, which may go now."""
    waits = (
        sc.inputs.c.call.in_(select(sc.calls.c.id).where(sc.calls.c.app == app)),
        sc.inputs.c.state == "pending",
    )
    files = connection.scalars(select(sc.inputs.c.file).where(*waits, sc.inputs.c.file.is_not(None))).all()
    _end(connection, waits, end, now)
    return list(files)


def _end(connection: Connection, waits: Sequence[Any], end: Settled, now: float) -> None:
    told = {"flags": end.flags, "parts": end.parts, "seconds": end.seconds, "ok": int(end.ok)}
    body = bytes(end.body)
    connection.execute(
        update(sc.inputs)
        .where(*waits)
        .values(state="done", body=body, file=None, size=len(body), settled=now, **told)
    )


def pending_indexes(connection: Connection, call: str) -> list[int]:
    at = (sc.inputs.c.call == call, sc.inputs.c.state == "pending")
    return list(connection.scalars(select(sc.inputs.c.position).where(*at).order_by(sc.inputs.c.position)))
