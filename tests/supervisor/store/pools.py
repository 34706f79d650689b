"""An app with one pool, for calls to belong to."""

from __future__ import annotations

from modal_nb.supervisor.store import schema as sc


def one_pool(connection) -> None:
    """App 1 with the pool "pool", unless it is there."""
    if connection.execute(sc.apps.select()).first() is not None:
        return
    connection.execute(sc.apps.insert().values(id=1, environment="main", name="app", key=b"key"))
    version = {"app": 1, "version": 1, "state": "live", "tag": "", "python": "3", "created": 0.0}
    connection.execute(sc.versions.insert().values(**version))
    pool = {"app": 1, "key": "pool", "version": 1, "request": b"", "launch": "", "load": b""}
    connection.execute(sc.pools.insert().values(**pool))
