"""Packets on a stream socket: a fixed prefix to route by, then the frames of one message, which stay closed.

``Receiver`` cuts packets out of a socket, ``Sender`` writes them. Both are used by all three processes; only the
waiting differs. A packet's body (length table and frames) is passed on as it came.
"""

from __future__ import annotations

import collections
import itertools
import select
import socket
import struct
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from modal_nb.protocol.codec import Frame, MessageRefused
from modal_nb.protocol.kinds import OUTCOMES, Kind, Result

__all__ = [
    "BODY_LIMIT",
    "HELLO_LIMIT",
    "MAGIC",
    "OUTCOMES",
    "PREFIX",
    "WIRE_VERSION",
    "ConnectionEnded",
    "Kind",
    "Packet",
    "Receiver",
    "Result",
    "Sender",
    "body_of",
    "packet",
    "prefix",
    "size_of",
]

#: magic, version, kind, number, parent, extra, first, count, flags, frames, seconds, size of the body
PREFIX = struct.Struct("<2sBBQQIHHHHfQ")
MAGIC = b"MN"
WIRE_VERSION = 1
#: what a stranger may send before it has shown that it holds the key
HELLO_LIMIT = 64 * 1024
#: bytes of the arguments, or of the result, of one input, unless the supervisor is told otherwise
PAYLOAD_BOUND = 2 * 1024**3
#: what a message may hold beside the one input that is as large as may be: its small neighbours, a class, tracebacks
_BESIDE = 32 * 1024**2
_CHUNK = 256 * 1024
_LENGTHS = {n: struct.Struct(f"<{n}Q") for n in range(64)}
#: sendmsg takes at most IOV_MAX pieces
_MOST_PIECES = 512
#: below this one copy is cheaper than several pieces
_JOIN_UNDER = 64 * 1024
_FOLD_AT = 16
_DONTWAIT = (socket.MSG_DONTWAIT,)


@dataclass(slots=True)
class Packet:
    """One packet as it came; ``body`` holds the length table and the frames."""

    kind: int
    number: int
    #: the input whose code made this call (nested calls), 0: none; of an item: its place in the stream
    parent: int
    extra: int
    first: int
    count: int
    flags: int
    parts: int
    seconds: float
    body: Frame

    def frames(self) -> list[Frame]:
        """Cut the body into the frames of the message. Raises MessageRefused."""
        table = _lengths(self.parts)
        if len(self.body) < table.size:
            raise MessageRefused("the length table is cut short")
        view = memoryview(self.body)
        sizes = table.unpack_from(view)
        at = table.size
        frames: list[Frame] = []
        for size in sizes:
            frames.append(view[at : at + size])
            at += size
        if at != len(view):
            raise MessageRefused("the frames do not fill the body")
        return frames


def body_limit(payload_bound: int) -> int:
    """The bound on one message where ``payload_bound`` is the bound on what one input or result takes."""
    return payload_bound + _BESIDE


#: the bound on one message, unless the supervisor is told otherwise
BODY_LIMIT = body_limit(PAYLOAD_BOUND)


def _lengths(n: int) -> struct.Struct:
    return _LENGTHS.get(n) or struct.Struct(f"<{n}Q")


def body_of(frames: Sequence[Frame]) -> list[Frame]:
    """The pieces of a body: length table, then the frames."""
    sizes = [frame.nbytes if isinstance(frame, memoryview) else len(frame) for frame in frames]
    return [_lengths(len(frames)).pack(*sizes), *frames]


def size_of(body: Sequence[Frame]) -> int:
    """Bytes of a body given as pieces."""
    return sum(piece.nbytes if isinstance(piece, memoryview) else len(piece) for piece in body)


def prefix(
    kind: Kind,
    size: int,
    *,
    number: int = 0,
    parent: int = 0,
    extra: int = 0,
    first: int = 0,
    count: int = 1,
    flags: int = 0,
    parts: int = 0,
    seconds: float = 0.0,
) -> bytes:
    """The bytes in front of a body of ``size`` bytes."""
    return PREFIX.pack(
        MAGIC, WIRE_VERSION, kind, number, parent, extra, first, count, flags, parts, seconds, size
    )


def packet(kind: Kind, frames: Sequence[Frame] = (), **fields: float) -> list[Frame]:
    """The pieces of a whole packet made of ``frames``; ``fields`` as in ``prefix``."""
    body = body_of(frames)
    return [prefix(kind, size_of(body), parts=len(frames), **fields), *body]  # type: ignore[arg-type]


class ConnectionEnded(Exception):
    """The other side closed the stream."""


def _packet(fields: tuple[Any, ...], body: Frame) -> Packet:
    kind, number, parent, extra, first, count, flags, parts, seconds, _size = fields
    return Packet(kind, number, parent, extra, first, count, flags, parts, seconds, body)


class Receiver:
    """Cuts packets out of a socket. One reader only.

    ``limit`` bounds a body before anything is allocated for it; raise it once the other side is known.
    """

    def __init__(self, sock: socket.socket, limit: int = BODY_LIMIT) -> None:
        self._sock = sock
        self.limit = limit
        self._rest = b""
        #: received into again and again: a fresh buffer of this size for each receive would cost more than the receive
        self._space = memoryview(bytearray(_CHUNK))
        self._large: tuple[tuple[Any, ...], bytearray, int] | None = None

    def read(self) -> list[Packet]:
        """One receive: the packets that are complete now, perhaps none.

        Raises ConnectionEnded, MessageRefused, OSError; BlockingIOError when a non-blocking socket has nothing.
        """
        if self._large is not None:
            return self._read_large(*self._large)
        n = self._sock.recv_into(self._space)
        if not n:
            raise ConnectionEnded
        data = self._space[:n].tobytes()
        return self.cut(self._rest + data if self._rest else data)

    def cut(self, data: bytes) -> list[Packet]:
        """Cut what is complete; keep the rest."""
        packets: list[Packet] = []
        at, end = 0, len(data)
        self._rest = b""
        while end - at >= PREFIX.size:
            fields = self._checked(PREFIX.unpack_from(data, at))
            start, size = at + PREFIX.size, fields[-1]
            if end - start < size:
                if size > _CHUNK:
                    self._begin_large(fields, data[start:])
                    return packets
                break
            at = start + size
            packets.append(_packet(fields, data[start:at]))
        self._rest = data[at:]
        return packets

    def _checked(self, fields: tuple[Any, ...]) -> tuple[Any, ...]:
        """The fields of Packet and the size, if they may be believed."""
        magic, version, *_, size = fields
        if magic != MAGIC:
            raise MessageRefused("not a packet: wrong first bytes")
        if version != WIRE_VERSION:
            raise MessageRefused(f"wire version {version}, this side speaks {WIRE_VERSION}")
        if size > self.limit:
            raise MessageRefused(f"a message of {size} bytes is over the limit of {self.limit}")
        return fields[2:]

    def _begin_large(self, fields: tuple[Any, ...], begun: bytes) -> None:
        body = bytearray(fields[-1])
        body[: len(begun)] = begun
        self._large = (fields, body, len(begun))

    def _read_large(self, fields: tuple[Any, ...], body: bytearray, at: int) -> list[Packet]:
        n = self._sock.recv_into(memoryview(body)[at:])
        if not n:
            raise ConnectionEnded
        if at + n < len(body):
            self._large = (fields, body, at + n)
            return []
        self._large = None
        return [_packet(fields, body)]


class Sender:
    """Writes packets in whole and in order; any thread may send.

    What cannot be written at once stays in the outbox. Everything here survives an exception that a signal handler
    raises in its middle (KeyboardInterrupt): the C call that writes also stores how much it wrote, and all else is
    derived from that, so a packet is never torn.
    """

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock
        self._lock = threading.Lock()
        #: (end, piece): the piece ends at this offset of all bytes ever pushed
        self._outbox: collections.deque[tuple[int, memoryview]] = collections.deque()
        #: sizes of the writes so far; their sum is how far the stream got
        self._writes: list[int] = []

    def push(self, pieces: Sequence[Frame]) -> None:
        """Queue a whole packet; ``flush`` writes it."""
        if size_of(pieces) <= _JOIN_UNDER:
            pieces = (b"".join(pieces),)
        with self._lock:
            end = self._outbox[-1][0] if self._outbox else sum(self._writes)
            queued = []
            for piece in pieces:
                view = memoryview(piece).cast("B")
                end += view.nbytes
                queued.append((end, view))
            self._outbox.extend(queued)

    def flush(self) -> bool:
        """Write what the socket takes now. False: it would block, something is left."""
        with self._lock:
            while self._left():
                done, batch = sum(self._writes), []
                for end, view in itertools.islice(self._outbox, _MOST_PIECES):
                    batch.append(view[done - end :] if end - view.nbytes < done else view)
                try:
                    if len(batch) == 1:
                        self._writes.extend(map(self._sock.send, batch, _DONTWAIT))
                    else:
                        self._writes.extend(map(self._sock.sendmsg, (batch,), ((),), _DONTWAIT))
                except (BlockingIOError, InterruptedError):
                    return False
            return True

    def queued(self) -> int:
        """Bytes that wait for the other side to read."""
        with self._lock:
            return self._outbox[-1][0] - sum(self._writes) if self._outbox else 0

    def send(self, pieces: Sequence[Frame]) -> None:
        """Queue a packet and write until nothing is left, waiting for the socket where needed."""
        self.push(pieces)
        while not self.flush():
            select.select([], [self._sock], [])

    def _left(self) -> bool:
        """Forget what is written; is anything left?"""
        done = sum(self._writes)
        outbox = self._outbox
        while outbox and outbox[0][0] <= done:
            outbox.popleft()
        if len(self._writes) > _FOLD_AT:
            self._writes[:] = [done]
        return bool(outbox)
