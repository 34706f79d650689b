"""The tables of the store, and how an older file becomes a newer one.

The number of a file's schema is its ``user_version``. Each migration is one transaction together with its number, so
that a kill in its middle leaves the file as it was. Never change a migration that was released: add one.
"""

from __future__ import annotations

from collections.abc import Callable

from sqlalchemy import (
    BLOB,
    Column,
    Connection,
    Float,
    ForeignKeyConstraint,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    UniqueConstraint,
)

metadata = MetaData()

environments = Table("environments", metadata, Column("name", String, primary_key=True))

apps = Table(
    "apps",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("environment", String, nullable=False),
    Column("name", String, nullable=False),
    #: signs what its clients and containers send each other, in all versions
    Column("key", BLOB, nullable=False),
    UniqueConstraint("environment", "name"),
)

versions = Table(
    "versions",
    metadata,
    Column("app", Integer, primary_key=True),
    Column("version", Integer, primary_key=True),
    #: "live" (one per app, the newest), "old" or "stopped"
    Column("state", String, nullable=False),
    Column("tag", String, nullable=False),
    Column("python", String, nullable=False),
    #: seconds since the epoch, as all times here
    Column("created", Float, nullable=False),
    ForeignKeyConstraint(["app"], ["apps.id"]),
)

classes = Table(
    "classes",
    metadata,
    Column("app", Integer, primary_key=True),
    Column("version", Integer, primary_key=True),
    Column("name", String, primary_key=True),
    Column("digest", String, primary_key=True),
    #: 0: found by no name, only referred to
    Column("named", Integer, nullable=False),
    #: names the private file with what its containers are launched with
    Column("launch", String, nullable=False),
    Column("record", BLOB, nullable=False),
    ForeignKeyConstraint(["app", "version"], ["versions.app", "versions.version"]),
)

pools = Table(
    "pools",
    metadata,
    Column("app", Integer, primary_key=True),
    Column("key", String, primary_key=True),
    Column("version", Integer, nullable=False),
    #: the PoolOpen that opened it, without its launch
    Column("request", BLOB, nullable=False),
    Column("launch", String, nullable=False),
    Column("load", BLOB, nullable=False),
    #: what ``update_autoscaler`` made of it; none: as declared
    Column("autoscaler", BLOB),
    ForeignKeyConstraint(["app", "version"], ["versions.app", "versions.version"]),
)

calls = Table(
    "calls",
    metadata,
    #: "fc-..."
    Column("id", String, primary_key=True),
    Column("app", Integer, nullable=False),
    Column("pool", String, nullable=False),
    Column("method", String, nullable=False),
    #: class and method, for people
    Column("label", String, nullable=False),
    Column("created", Float, nullable=False),
    Index("calls_by_time", "created"),
)

inputs = Table(
    "inputs",
    metadata,
    Column("call", String, primary_key=True),
    Column("position", Integer, primary_key=True),
    #: "pending", "done" or "expired"
    Column("state", String, nullable=False),
    #: which batched method of the pool it calls, and frames in the message
    Column("batch", Integer, nullable=False),
    Column("parts", Integer, nullable=False),
    #: arguments while it is pending, its result then; or the name of the file that holds them
    Column("body", BLOB),
    Column("file", String),
    Column("size", Integer, nullable=False),
    #: of the RESULT packet
    Column("flags", Integer, nullable=False, default=0),
    Column("ok", Integer, nullable=False, default=0),
    Column("seconds", Float, nullable=False, default=0.0),
    Column("settled", Float),
    Index("inputs_by_state", "state", "settled"),
)

dicts = Table(
    "dicts",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("environment", String, nullable=False),
    Column("name", String, nullable=False),
    Column("created", Float, nullable=False),
    #: of an ephemeral one: with whose connection it goes; else ""
    Column("owner", String, nullable=False, default=""),
    UniqueConstraint("environment", "name"),
)

dict_items = Table(
    "dict_items",
    metadata,
    Column("dict", Integer, primary_key=True),
    Column("key", BLOB, primary_key=True),
    Column("value", BLOB, nullable=False),
    #: read or written last
    Column("touched", Float, nullable=False),
    #: insertion order
    Column("place", Integer, nullable=False),
    ForeignKeyConstraint(["dict"], ["dicts.id"], ondelete="CASCADE"),
    Index("dict_items_in_order", "dict", "place"),
    Index("dict_items_by_time", "touched"),
)

queues = Table(
    "queues",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("environment", String, nullable=False),
    Column("name", String, nullable=False),
    Column("created", Float, nullable=False),
    #: as of ``dicts``
    Column("owner", String, nullable=False, default=""),
    UniqueConstraint("environment", "name"),
)

queue_items = Table(
    "queue_items",
    metadata,
    #: the order of the queue; never given twice, so that what was taken can be put back where it was
    Column("id", Integer, primary_key=True),
    Column("queue", Integer, nullable=False),
    Column("partition", String, nullable=False),
    Column("value", BLOB, nullable=False),
    #: seconds since the epoch; when the newest item of a partition expires, all of it does
    Column("expires", Float, nullable=False),
    ForeignKeyConstraint(["queue"], ["queues.id"], ondelete="CASCADE"),
    Index("queue_items_in_order", "queue", "partition", "id"),
    sqlite_autoincrement=True,
)

#: the answer to the last request of each lane of a client, for one that asks again after a break
receipts = Table(
    "receipts",
    metadata,
    Column("lane", String, primary_key=True),
    Column("number", Integer, nullable=False),
    #: the client's number to which it was answered
    Column("holder", Integer, nullable=False),
    Column("answer", BLOB, nullable=False),
    Column("made", Float, nullable=False),
)


def _first(connection: Connection) -> None:
    metadata.create_all(connection)
    connection.execute(environments.insert().values(name="main"))


#: the n-th one makes schema n of schema n - 1
MIGRATIONS: list[Callable[[Connection], None]] = [_first]
