"""Answers that are kept until the next request of their lane, so that nothing is done twice and nothing gets lost.

A supervisor may end between a commit and its answer. The client then asks again and gets the answer of the first time.
"""

from __future__ import annotations

from sqlalchemy import Connection, delete, select, update
from sqlalchemy.dialects.sqlite import insert

from modal_nb.protocol import objects as ob
from modal_nb.supervisor.store import schema as sc

#: seconds for which a client may be expected to ask again
_KEPT = 86400.0
_insert = insert(sc.receipts)
_changed = {name: _insert.excluded[name] for name in ("number", "holder", "answer", "made")}
_keep = _insert.on_conflict_do_update(index_elements=["lane"], set_=_changed)


def keep(connection: Connection, asked: ob.Once, holder: int, answer: bytes, now: float) -> None:
    """The answer to this request, in place of the lane's one before it. ``holder``: the client's number."""
    connection.execute(
        _keep,
        {"lane": asked.lane, "number": asked.number, "holder": holder, "answer": answer, "made": now},
    )


def repeated(connection: Connection, asked: ob.Once, holder: int) -> bytes | None:
    """The answer of the first time; None: this is the first time. It is the new holder's from now on."""
    if not asked.again:
        return None
    at = (sc.receipts.c.lane == asked.lane, sc.receipts.c.number == asked.number)
    answer = connection.scalar(select(sc.receipts.c.answer).where(*at))
    if answer is not None:
        connection.execute(update(sc.receipts).where(*at).values(holder=holder))
    return answer


def revoke(connection: Connection, lane: str, number: int, holder: int | None) -> bytes | None:
    """Forget this answer and return it. ``holder``: only if it is still that one's, None: in any case."""
    at = [sc.receipts.c.lane == lane, sc.receipts.c.number == number]
    if holder is not None:
        at.append(sc.receipts.c.holder == holder)
    answer = connection.scalar(select(sc.receipts.c.answer).where(*at))
    if answer is not None:
        connection.execute(delete(sc.receipts).where(*at))
    return answer


def expire(connection: Connection, now: float) -> None:
    connection.execute(delete(sc.receipts).where(sc.receipts.c.made < now - _KEPT))
