"""What packets there are, and what their fields mean for each."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from enum import IntEnum

from modal_nb.protocol.codec import Frame, MessageRefused


class Kind(IntEnum):
    """What a packet is; the number and extra fields mean what is said here."""

    HELLO = 1
    WELCOME = 2
    #: client asks the supervisor (number: request)
    REQUEST = 3
    ANSWER = 4
    #: client -> supervisor (number: call reference of the client, extra: pool; flags: which batched method of the pool
    #: it calls, by its place in ``PoolSpec.batching``, from 1 on)
    CALL = 5
    #: supervisor -> client (number: call reference; flags: see Result)
    RESULT = 6
    #: client -> supervisor (number: call reference; flags: 1 to kill the containers that run it)
    CANCEL = 7
    #: supervisor -> container: the class and its parameters
    LOAD = 8
    READY = 9
    START_FAILED = 10
    #: supervisor -> container (number: input, extra: attempt, first and count: range of the chunk; parent: 1 where the
    #: caller takes lent memory, else 0; flags: 0 it runs by itself, else it is of a batch and flags - 1 more follow)
    INPUT = 11
    #: container -> supervisor (flags: an index into OUTCOMES; count: how many of the range were begun)
    REPLY = 12
    #: control stream, supervisor -> container (number: input, extra: attempt)
    CANCEL_INPUT = 13
    RECALL_INPUT = 14
    #: container -> supervisor (first: how many were begun; flags: 1 where the next one was run and failed, so that it
    #: may be tried again)
    RETURNED = 15
    DRAIN = 16
    PING = 17
    PONG = 18
    #: container -> supervisor: the next item of a generator (parent: its index from 0); goes on as a RESULT
    ITEM = 19
    #: client -> supervisor (number: call), then on the control stream to the container (number: input, extra: attempt):
    #: how many items may have been sent in all; the largest holds, so it may come twice
    MORE = 20
    #: container -> supervisor (flags: 1 it begins, 0 it ends): a generator waits until its reader has read
    PAUSE = 21
    #: client -> supervisor: a CALL that the supervisor is to keep; its first frame is a SpawnHead
    SPAWN = 22
    #: client -> supervisor (number: call reference): wait for the outcome of a kept input; its one frame is a SpawnHead
    ATTACH = 23
    #: container -> supervisor (number: an input that runs or has run there, 0: the container itself): one Jupyter
    #: message that its code shows or asks; goes on as a RESULT
    OUTPUT = 24
    #: client -> supervisor (extra: container), then on the control stream (extra: 0): one Jupyter message for the code
    #: that runs or has run there: the answer to what it asked, or what a front end did to its widgets
    TELL = 25
    #: client -> supervisor, like CALL but for this very container (extra: its number; parent: its pool, whose app signs
    #: the answer if it is gone; flags: 1, it leaves its pool for as long as the input runs, else 0)
    PINNED = 26
    #: container -> supervisor: its class is loaded, the enter hooks begin
    LOADED = 27
    #: process of a snapshot -> supervisor: containers may be forked from it; or why not (its one frame is text, empty
    #: if they may)
    SNAPPED = 28
    #: container -> supervisor: like REPLY, of the first inputs of a chunk (count: how many of the range have results
    #: now, those of earlier PARTs among them), while another one of it runs
    PART = 29
    #: supervisor -> client: how a pool is that it watches, or what has changed
    REPORT = 30


class Result(IntEnum):
    """Whose words a RESULT carries."""

    #: the container's reply, as it came
    REPLY = 0
    #: the supervisor's own: content says which failure
    FAILURE = 1
    #: a container's START_FAILED message, as it came
    START_FAILED = 2
    #: the pool is gone from the supervisor's books, or a newer version has taken its place: open it again and send
    #: again (extra: its number)
    UNKNOWN_POOL = 3
    #: an item of a generator, as its container sent it (parent: its index, count: 0); never an outcome
    ITEM = 4
    #: of a SPAWN: it is on disk
    ACCEPTED = 5
    #: of an ATTACH: there is no outcome yet (count: 0), it follows
    PENDING = 6
    #: of both: the store would not; two frames, the name of a class in modal_nb.exception and the message
    REFUSED = 7
    #: what code in a container shows or asks, as it came (parent: its pool, extra: the container, count: 0); never an
    #: outcome. May follow the outcome. number 0: of no call
    OUTPUT = 8
    #: a TELL could not be delivered: the container (extra) is gone
    UNTOLD = 9


#: how an attempt ended, by the number that travels in flags; values are those of scheduler.events.Outcome
OUTCOMES = ("ok", "error", "cancelled", "refused", "final")

_TOTAL = struct.Struct("<Q")


def dump_total(total: int) -> bytes:
    """The one frame of a MORE."""
    return _TOTAL.pack(total)


def load_total(frames: Sequence[Frame]) -> int:
    """How many items a MORE allows. Raises MessageRefused."""
    if len(frames) != 1 or len(frames[0]) != _TOTAL.size:
        raise MessageRefused("an order for more items has one number and nothing else")
    return int(_TOTAL.unpack(frames[0])[0])
