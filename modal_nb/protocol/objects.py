"""The contents of messages about Dicts and Queues; a floor with ``messages``, which has the others.

Keys and values travel in the buffers and stay closed here and in the supervisor.
"""

from __future__ import annotations

from typing import Literal

from modal_nb.protocol.messages import Content

Kind = Literal["dict", "queue"]
#: how the names of ephemeral ones begin: no name that a user gives may hold such a sign
EPHEMERAL = "~"
#: bytes of one item of a Queue, and items of one partition
ITEM_BOUND = 1024**2
PARTITION_BOUND = 5000
#: bytes of a key and its value in a Dict, and entries of one ``update``
ENTRY_BOUND = 100 * 1024**2
UPDATE_BOUND = 10_000
#: bytes that one answer holds, unless a single item is larger
ANSWER_BYTES = 8 * 1024**2


class Named(Content, frozen=True, kw_only=True):
    """A request to one object; the name means the one that has it now."""

    environment: str
    name: str
    #: make it if there is none
    create: bool = False


class Once(Named, frozen=True, kw_only=True):
    """A request that changes something and must not do so twice: a client makes it again after a break.

    A client has as many lanes as requests at a time; the supervisor keeps the answer to the last one of each.
    """

    lane: str
    number: int
    #: it may have been made before
    again: bool = False


# -- objects as such ------------------------------------------------------------------------------------------------


class ObjectFind(Named, frozen=True, kw_only=True):
    """Answered if there is one."""

    kind: Kind


class ObjectCreate(Named, frozen=True, kw_only=True):
    """Make one; ``create`` means nothing here."""

    kind: Kind
    allow_existing: bool = False
    #: it goes when the one who asks has no connection any more
    ephemeral: bool = False


class ObjectDelete(Named, frozen=True, kw_only=True):
    """Remove it and all that is in it."""

    kind: Kind
    allow_missing: bool = False


class ObjectsAsk(Content, frozen=True, kw_only=True):
    """All that are not ephemeral, the newest first."""

    kind: Kind
    environment: str
    limit: int | None = None
    #: seconds since the epoch
    created_before: float | None = None


class Objects(Content, frozen=True, kw_only=True):
    """Names."""

    names: list[str]


# -- Dict -----------------------------------------------------------------------------------------------------------


class DictGet(Named, frozen=True, kw_only=True):
    """The buffer is the key; answered with a DictFound."""


class DictHas(Named, frozen=True, kw_only=True):
    """The buffer is the key; answered with a DictFound without its value."""


class DictPop(Once, frozen=True, kw_only=True):
    """The buffer is the key; answered with a DictFound."""


class DictFound(Content, frozen=True, kw_only=True):
    """The buffer is the value, if there is one."""

    found: bool


class DictPut(Once, frozen=True, kw_only=True):
    """The buffers are keys and values in turn; all of them are there afterwards, or none."""

    skip_if_exists: bool = False


class DictChanged(Content, frozen=True, kw_only=True):
    """Answers a DictPut."""

    #: False: it was there and was to be left alone
    created: bool


class DictLen(Named, frozen=True, kw_only=True):
    """How many entries there are; answered with a Count."""


class DictClear(Named, frozen=True, kw_only=True):
    """Remove all entries."""


class DictPageAsk(Named, frozen=True, kw_only=True):
    """Entries behind a place, in the order in which their keys came."""

    after: int = 0
    keys: bool = True
    values: bool = True


class Page(Content, frozen=True, kw_only=True):
    """The buffers are what was asked for; none: there is no more."""

    #: where the next page begins
    after: int


class Count(Content, frozen=True, kw_only=True):
    """How many."""

    count: int


# -- Queue ----------------------------------------------------------------------------------------------------------


class QueuePut(Once, frozen=True, kw_only=True):
    """The buffers are the items; all of them get in, or none."""

    partition: str
    #: seconds after this put at which the partition is cleared, unless another put follows
    ttl: float
    #: seconds to wait for room; None: as long as it takes
    wait: float | None


class QueuePutDone(Content, frozen=True, kw_only=True):
    """Answers a QueuePut."""

    #: there was no room in time
    full: bool = False


class QueueGet(Once, frozen=True, kw_only=True):
    """Answered with a QueueTaken when there is something, or when the time is over."""

    partition: str
    #: so many items at most
    most: int
    #: seconds to wait for the first one; None: as long as it takes
    wait: float | None


class QueueTaken(Content, frozen=True, kw_only=True):
    """The buffers are the items; none: there was none in time."""


class QueueCancel(Named, frozen=True, kw_only=True):
    """Undo a QueueGet, or give up a QueuePut that waits: nobody takes the answer. Items go back where they were."""

    partition: str
    lane: str
    number: int


class QueueLen(Named, frozen=True, kw_only=True):
    """How many items there are; answered with a Count."""

    #: None: of all partitions
    partition: str | None


class QueueClear(Named, frozen=True, kw_only=True):
    """Remove all items."""

    #: None: all partitions
    partition: str | None


class QueuePageAsk(Named, frozen=True, kw_only=True):
    """Items behind a place, which stay; answered with a Page."""

    partition: str
    after: int = 0
    #: seconds to wait for the first one
    wait: float = 0.0
