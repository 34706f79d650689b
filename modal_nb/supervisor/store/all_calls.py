"""Operations on all stored calls together: listed, expired, forgotten. Each runs inside one transaction."""

from __future__ import annotations

from sqlalchemy import Connection, case, delete, func, select, update

from modal_nb.protocol import deployment as dp
from modal_nb.supervisor.store import schema as sc

_DAY = 86400.0
#: days for which an expired call is still known as such
_TOMBSTONE_DAYS = 30


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
