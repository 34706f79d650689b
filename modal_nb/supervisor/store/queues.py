"""Operations on the items of Queues, which are closed bytes. Each runs inside one transaction.

Those that may have to wait take a ``Want`` and answer None when its time has not come; ``serve`` does many at once.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec
from sqlalchemy import Connection, bindparam, delete, func, select

from modal_nb.exception import Error
from modal_nb.protocol import objects as ob
from modal_nb.protocol.messages import Content
from modal_nb.supervisor.store import receipts
from modal_nb.supervisor.store import schema as sc
from modal_nb.supervisor.store.objects import find

_items = sc.queue_items
#: items of a page, at most
_PAGE = 1000
#: an item that was taken: its row, so that it can be put back
_Row = tuple[int, int, str, bytes, float]
_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(list[_Row]).decode
_NAMES = ("id", "queue", "partition", "value", "expires")

_here = (_items.c.queue == bindparam("at"), _items.c.partition == bindparam("of"))
_newest = select(_items.c.expires).where(*_here).order_by(_items.c.id.desc()).limit(1)
_after = (
    select(_items)
    .where(*_here, _items.c.id > bindparam("after"))
    .order_by(_items.c.id)
    .limit(bindparam("most"))
)
_count = select(func.count()).where(*_here)
_through = delete(_items).where(*_here, _items.c.id <= bindparam("last"))
_insert = _items.insert()

#: content and buffers of an answer, or why there is none; None: not yet
Outcome = tuple[Content, list[bytes]] | Error | None


@dataclass(slots=True)
class Want:
    """A request that may have to wait."""

    asked: Any
    values: list[bytes]
    #: the client's number
    holder: int


Serve = Callable[[Connection, Want, float], Outcome]


def serve(
    connection: Connection, one: Serve, wants: Sequence[Want], now: float, *, all_alike: bool
) -> list[Outcome]:
    """What each of them gets, in order. ``all_alike``: when one must wait, all behind it must."""
    outcomes: list[Outcome] = []
    for want in wants:
        try:
            outcomes.append(one(connection, want, now))
        except Error as error:
            outcomes.append(error)
        if outcomes[-1] is None and all_alike:
            break
    return outcomes + [None] * (len(wants) - len(outcomes))


def take(connection: Connection, want: Want, now: float) -> Outcome:
    """The oldest items of a partition, removed."""
    asked: ob.QueueGet = want.asked
    if (known := receipts.repeated(connection, asked, want.holder)) is not None:
        return ob.QueueTaken(), [row[3] for row in _decode(known)]
    queue = find(connection, "queue", asked, now)
    rows: list[_Row] = []
    if _is_alive(connection, queue, asked.partition, now):
        rows = _some(connection, queue, asked.partition, asked.most)
    if not rows:
        return None
    connection.execute(_through, {"at": queue, "of": asked.partition, "last": rows[-1][0]})
    receipts.keep(connection, asked, want.holder, _encode(rows), now)
    return ob.QueueTaken(), [row[3] for row in rows]


def put(connection: Connection, want: Want, now: float) -> Outcome:
    """Items at the end of a partition: all or none."""
    asked: ob.QueuePut = want.asked
    if receipts.repeated(connection, asked, want.holder) is not None:
        return ob.QueuePutDone(), []
    queue = find(connection, "queue", asked, now)
    at = {"at": queue, "of": asked.partition}
    if _is_alive(connection, queue, asked.partition, now):
        there = connection.scalar(_count, at) or 0
        if there + len(want.values) > ob.PARTITION_BOUND:
            return None
    row = {"queue": queue, "partition": asked.partition, "expires": now + asked.ttl}
    connection.execute(_insert, [{**row, "value": value} for value in want.values])
    receipts.keep(connection, asked, want.holder, b"", now)
    return ob.QueuePutDone(), []


def page(connection: Connection, want: Want, now: float) -> Outcome:
    """Items behind a place; they stay."""
    asked: ob.QueuePageAsk = want.asked
    queue = find(connection, "queue", asked, now)
    if not _is_alive(connection, queue, asked.partition, now):
        return None
    rows = _some(connection, queue, asked.partition, _PAGE, asked.after)
    return (ob.Page(after=rows[-1][0]), [row[3] for row in rows]) if rows else None


def undo(connection: Connection, lane: str, number: int, holder: int | None) -> bool:
    """Put back what was taken; False: nothing was. ``holder`` as of ``receipts.revoke``."""
    answer = receipts.revoke(connection, lane, number, holder)
    if not answer:
        return False
    rows = [dict(zip(_NAMES, row, strict=True)) for row in _decode(answer)]
    if connection.scalar(select(sc.queues.c.id).where(sc.queues.c.id == rows[0]["queue"])) is None:
        return False
    connection.execute(_insert, rows)
    return True


def length(connection: Connection, asked: ob.QueueLen, now: float) -> int:
    queue = find(connection, "queue", asked, now)
    if asked.partition is None:
        expire(connection, now)
        return int(connection.scalar(select(func.count()).where(_items.c.queue == queue)) or 0)
    if not _is_alive(connection, queue, asked.partition, now):
        return 0
    return int(connection.scalar(_count, {"at": queue, "of": asked.partition}) or 0)


def clear(connection: Connection, asked: ob.QueueClear, now: float) -> None:
    at = [_items.c.queue == find(connection, "queue", asked, now)]
    if asked.partition is not None:
        at.append(_items.c.partition == asked.partition)
    connection.execute(delete(_items).where(*at))


def expire(connection: Connection, now: float) -> None:
    """Partitions without a put for too long go."""
    newest = select(func.max(_items.c.id)).group_by(_items.c.queue, _items.c.partition)
    over = select(_items.c.queue, _items.c.partition).where(_items.c.id.in_(newest), _items.c.expires < now)
    for queue, partition in connection.execute(over).all():
        connection.execute(delete(_items).where(_items.c.queue == queue, _items.c.partition == partition))


def _is_alive(connection: Connection, queue: int, partition: str, now: float) -> bool:
    """Whether anything is in this partition; what is too old goes now."""
    at = {"at": queue, "of": partition}
    expires = connection.scalar(_newest, at)
    if expires is not None and expires < now:
        connection.execute(delete(_items).where(*_here), at)
    return expires is not None and expires >= now


def _some(connection: Connection, queue: int, partition: str, most: int, after: int = 0) -> list[_Row]:
    found = connection.execute(_after, {"at": queue, "of": partition, "after": after, "most": most})
    rows: list[_Row] = []
    size = 0
    for row in found:
        rows.append((row.id, row.queue, row.partition, bytes(row.value), row.expires))
        size += len(row.value)
        if size >= ob.ANSWER_BYTES:
            found.close()
            break
    return rows
