"""Operations on stored calls: accepted, settled, asked for, expired. Each runs inside one transaction."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Any

from sqlalchemy import Connection, Row, case, delete, func, select, update

from modal_nb.exception import NotFoundError, OutputExpiredError
from modal_nb.protocol import deployment as dp
from modal_nb.protocol.codec import Frame
from modal_nb.supervisor.store import schema as sc
from modal_nb.supervisor.store.blobs import Blobs

_DAY = 86400.0
#: days for which an expired call is still known as such
_TOMBSTONE_DAYS = 30


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
    if new.index == 0 or not connection.scalar(select(func.count()).where(sc.calls.c.id == new.call)):
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


def settle_all(connection: Connection, app: int, end: Settled, now: float) -> list[str]:
    """The app is stopped: whatever has no outcome gets this one. The files of arguments, which may go now."""
    waits = (
        sc.inputs.c.call.in_(select(sc.calls.c.id).where(sc.calls.c.app == app)),
        sc.inputs.c.state == "pending",
    )
    files = connection.scalars(select(sc.inputs.c.file).where(*waits, sc.inputs.c.file.is_not(None))).all()
    told = {"flags": end.flags, "parts": end.parts, "seconds": end.seconds, "ok": int(end.ok)}
    body = bytes(end.body)
    connection.execute(
        update(sc.inputs)
        .where(*waits)
        .values(state="done", body=body, file=None, size=len(body), settled=now, **told)
    )
    return list(files)


def pending_indexes(connection: Connection, call: str) -> list[int]:
    at = (sc.inputs.c.call == call, sc.inputs.c.state == "pending")
    return list(connection.scalars(select(sc.inputs.c.position).where(*at).order_by(sc.inputs.c.position)))


def listed(connection: Connection, limit: int) -> list[dp.StoredCall]:
    """The newest calls."""

    def count(condition: object) -> object:
        return func.sum(case((condition, 1), else_=0))  # type: ignore[arg-type]

    done = sc.inputs.c.state != "pending"
    rows = connection.execute(
        select(
            sc.calls,
            sc.apps.c.name,
            sc.apps.c.environment,
            func.count(sc.inputs.c.position).label("inputs"),
            count(sc.inputs.c.state == "pending").label("pending"),  # type: ignore[attr-defined]
            count(done & (sc.inputs.c.ok == 1)).label("succeeded"),  # type: ignore[attr-defined]
        )
        .join(sc.apps, sc.apps.c.id == sc.calls.c.app)
        .join(sc.inputs, sc.inputs.c.call == sc.calls.c.id)
        .group_by(sc.calls.c.id)
        .order_by(sc.calls.c.created.desc())
        .limit(limit)
    )
    return [
        dp.StoredCall(
            id=row.id,
            app_name=row.name,
            environment=row.environment,
            function=row.label,
            created=row.created,
            inputs=row.inputs,
            pending=row.pending,
            succeeded=row.succeeded,
            failed=row.inputs - row.pending - row.succeeded,
        )
        for row in rows
    ]


def expire(connection: Connection, keep_days: float, bound: int, now: float) -> list[str]:
    """Results that are too old go, then the oldest beyond ``bound`` bytes; the files that may be removed now."""
    done = sc.inputs.c.state == "done"
    rows = connection.execute(
        select(
            sc.inputs.c.call, sc.inputs.c.position, sc.inputs.c.file, sc.inputs.c.size, sc.inputs.c.settled
        )
        .where(done)
        .order_by(sc.inputs.c.settled.desc())
    )
    kept, files, gone = 0, [], []
    for row in rows:
        kept += row.size
        if row.settled < now - keep_days * _DAY or kept > bound:
            gone.append((row.call, row.position))
            files += [row.file] if row.file else []
    for call, index in gone:
        at = (sc.inputs.c.call == call, sc.inputs.c.position == index)
        connection.execute(update(sc.inputs).where(*at).values(state="expired", body=None, file=None, size=0))
    _forget(connection, now - (keep_days + _TOMBSTONE_DAYS) * _DAY)
    return files


def _forget(connection: Connection, before: float) -> None:
    old = select(sc.calls.c.id).where(sc.calls.c.created < before)
    connection.execute(delete(sc.inputs).where(sc.inputs.c.call.in_(old), sc.inputs.c.state == "expired"))
    left = select(sc.inputs.c.call)
    connection.execute(delete(sc.calls).where(sc.calls.c.created < before, sc.calls.c.id.not_in(left)))


def files(connection: Connection) -> set[str]:
    """Every file that a row names."""
    return set(connection.scalars(select(sc.inputs.c.file).where(sc.inputs.c.file.is_not(None))))
