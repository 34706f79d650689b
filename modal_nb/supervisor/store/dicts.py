"""Operations on the entries of Dicts; keys and values are closed bytes. Each runs inside one transaction."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Connection, bindparam, delete, func, select, update
from sqlalchemy.dialects.sqlite import insert

from modal_nb.protocol import objects as ob
from modal_nb.supervisor.store import receipts
from modal_nb.supervisor.store import schema as sc
from modal_nb.supervisor.store.objects import find

_items = sc.dict_items
_DAY = 86400.0
#: seconds after the last read or write; and how stale the note of that may be, so that not every read is a write
KEPT = 7 * _DAY
STALE = 3600.0
#: entries of a page, at most
_PAGE = 1000

_last = select(func.coalesce(func.max(_items.c.place), 0) + 1).where(_items.c.dict == bindparam("of"))
_insert = insert(_items).values(place=_last.scalar_subquery())
_write = _insert.on_conflict_do_update(
    index_elements=["dict", "key"],
    set_={"value": _insert.excluded.value, "touched": _insert.excluded.touched},
)
_at = (_items.c.dict == bindparam("of"), _items.c.key == bindparam("at"))
_get = select(_items.c.value, _items.c.touched).where(*_at)
_has = select(_items.c.place).where(*_at)
_touch = update(_items).where(*_at)
_remove = delete(_items).where(*_at)
_add = _insert.on_conflict_do_nothing(index_elements=["dict", "key"])


def get(connection: Connection, asked: ob.DictGet, key: bytes, now: float) -> bytes | None:
    """The value, None: there is none."""
    at = {"of": find(connection, "dict", asked, now), "at": key}
    row = connection.execute(_get, at).first()
    if row is None:
        return None
    if row.touched < now - STALE:
        connection.execute(_touch.values(touched=now), at)
    return bytes(row.value)


def has(connection: Connection, asked: ob.DictHas, key: bytes, now: float) -> bool:
    return connection.scalar(_has, {"of": find(connection, "dict", asked, now), "at": key}) is not None


def pop(connection: Connection, asked: ob.DictPop, key: bytes, holder: int, now: float) -> bytes | None:
    """Remove it; its value, None: there was none."""
    if (known := receipts.repeated(connection, asked, holder)) is not None:
        return known
    at = {"of": find(connection, "dict", asked, now), "at": key}
    value: bytes | None = connection.scalar(_get, at)
    if value is not None:
        connection.execute(_remove, at)
        receipts.keep(connection, asked, holder, value, now)
    return value


def put(connection: Connection, asked: ob.DictPut, entries: Sequence[bytes], holder: int, now: float) -> bool:
    """Write keys and values, given in turn. False: the key is there and was to be left alone."""
    if receipts.repeated(connection, asked, holder) is not None:
        return True
    place = find(connection, "dict", asked, now)
    rows = [
        {"of": place, "dict": place, "key": key, "value": value, "touched": now}
        for key, value in zip(entries[::2], entries[1::2], strict=True)
    ]
    if not asked.skip_if_exists:
        for row in rows:
            connection.execute(_write, row)
        return True
    if not connection.execute(_add, rows[0]).rowcount:
        return False
    receipts.keep(connection, asked, holder, b"", now)
    return True


def length(connection: Connection, asked: ob.DictLen, now: float) -> int:
    place = find(connection, "dict", asked, now)
    return int(connection.scalar(select(func.count()).where(_items.c.dict == place)) or 0)


def clear(connection: Connection, asked: ob.DictClear, now: float) -> None:
    connection.execute(delete(_items).where(_items.c.dict == find(connection, "dict", asked, now)))


def page(connection: Connection, asked: ob.DictPageAsk, now: float) -> tuple[ob.Page, list[bytes]]:
    """Entries behind a place."""
    wanted = [
        column
        for column, is_asked in ((_items.c.key, asked.keys), (_items.c.value, asked.values))
        if is_asked
    ]
    rows = connection.execute(
        select(_items.c.place, *wanted)
        .where(_items.c.dict == find(connection, "dict", asked, now), _items.c.place > asked.after)
        .order_by(_items.c.place)
        .limit(_PAGE)
    )
    found: list[bytes] = []
    after, size = asked.after, 0
    for row in rows:
        found += row[1:]
        after = row.place
        size += sum(map(len, row[1:]))
        if size >= ob.ANSWER_BYTES:
            rows.close()
            break
    return ob.Page(after=after), found


def expire(connection: Connection, now: float) -> None:
    """What nobody has read or written for seven days goes."""
    connection.execute(delete(_items).where(_items.c.touched < now - KEPT - STALE))
