"""Operations on Dicts and Queues as such: made, found, listed, gone. Each runs inside one transaction."""

from __future__ import annotations

from collections.abc import Collection

from sqlalchemy import Connection, Table, bindparam, delete, select

from modal_nb.exception import AlreadyExistsError, NotFoundError
from modal_nb.protocol import objects as ob
from modal_nb.supervisor.store import schema as sc
from modal_nb.supervisor.store.deployments import check_environment

TABLES: dict[ob.Kind, Table] = {"dict": sc.dicts, "queue": sc.queues}
# built once: to build a statement takes longer than to run it
_FIND = {
    kind: select(table.c.id).where(
        table.c.environment == bindparam("environment"), table.c.name == bindparam("name")
    )
    for kind, table in TABLES.items()
}


def find(connection: Connection, kind: ob.Kind, named: ob.Named, now: float) -> int:
    """Its row; made where the request says so. NotFoundError."""
    found = connection.scalar(_FIND[kind], {"environment": named.environment, "name": named.name})
    if found is not None:
        return int(found)
    check_environment(connection, named.environment)
    if not named.create:
        raise _missing(kind, named)
    return _insert(connection, TABLES[kind], named, now, "")


def create(connection: Connection, asked: ob.ObjectCreate, owner: str, now: float) -> None:
    """AlreadyExistsError, NotFoundError for its environment."""
    table = TABLES[asked.kind]
    check_environment(connection, asked.environment)
    known = select(table.c.id).where(table.c.environment == asked.environment, table.c.name == asked.name)
    if connection.scalar(known) is None:
        _insert(connection, table, asked, now, owner)
    elif not asked.allow_existing:
        raise AlreadyExistsError(
            f"there is a {asked.kind.title()} {asked.name!r} already: pass allow_existing=True"
        )


def remove(connection: Connection, asked: ob.ObjectDelete, now: float) -> None:
    """With all that is in it. NotFoundError."""
    try:
        row = find(connection, asked.kind, asked, now)
    except NotFoundError:
        if not asked.allow_missing:
            raise
        return
    table = TABLES[asked.kind]
    connection.execute(delete(table).where(table.c.id == row))


def listed(connection: Connection, asked: ob.ObjectsAsk) -> list[str]:
    """Names, the newest first. NotFoundError for the environment."""
    check_environment(connection, asked.environment)
    table = TABLES[asked.kind]
    query = select(table.c.name).where(table.c.environment == asked.environment, table.c.owner == "")
    if asked.created_before is not None:
        query = query.where(table.c.created < asked.created_before)
    query = query.order_by(table.c.created.desc(), table.c.id.desc()).limit(asked.limit)
    return list(connection.scalars(query))


def remove_of(connection: Connection, owner: str) -> None:
    """The ephemeral ones of this owner."""
    for table in TABLES.values():
        connection.execute(delete(table).where(table.c.owner == owner))


def remove_orphans(connection: Connection, owners: Collection[str]) -> None:
    """The ephemeral ones of all others."""
    for table in TABLES.values():
        connection.execute(delete(table).where(table.c.owner.not_in(["", *owners])))


def _insert(connection: Connection, table: Table, named: ob.Named, now: float, owner: str) -> int:
    values = {"environment": named.environment, "name": named.name, "created": now, "owner": owner}
    return int(connection.execute(table.insert().values(**values)).inserted_primary_key[0])  # type: ignore[index]


def _missing(kind: ob.Kind, named: ob.Named) -> NotFoundError:
    noun = kind.title()
    if named.name.startswith(ob.EPHEMERAL):
        return NotFoundError(
            f"this ephemeral {noun} is gone: it lives as long as its `with` block and the process that runs that; "
            f"for one that stays use `{noun}.from_name(..., create_if_missing=True)`"
        )
    return NotFoundError(
        f"there is no {noun} {named.name!r} in the environment {named.environment!r}: make it by "
        f"`{noun}.from_name({named.name!r}, create_if_missing=True)`, or check the name"
    )
