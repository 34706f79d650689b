"""Packets on a stream socket: a fixed prefix to route by, then the frames of one message, which stay closed.

``Receiver`` cuts packets out of a socket, ``Sender`` writes them. Both are used by all three processes; only the
waiting differs. A packet's body (length table and frames) is passed on as it came. A body that is ``Lent`` takes the
lease on its shared memory along, as a descriptor beside the first byte of its packet.
"""

from __future__ import annotations

import collections
import socket
from typing import Any

from modal_nb.protocol.codec import MessageRefused
from modal_nb.protocol.kinds import OUTCOMES, Kind, Result
from modal_nb.protocol.leases import CAN_RECEIVE, Lease, Lent
from modal_nb.protocol.packets import (
    BODY_LIMIT,
    HELLO_LIMIT,
    MAGIC,
    MAGIC_LENT,
    PAYLOAD_BOUND,
    PREFIX,
    WIRE_VERSION,
    Packet,
    body_limit,
    body_of,
    joined,
    packet,
    prefix,
    size_of,
)
from modal_nb.protocol.sender import CROWDED_WAIT, DESCRIPTOR, Sender

__all__ = [
    "BODY_LIMIT",
    "CROWDED_WAIT",
    "HELLO_LIMIT",
    "MAGIC",
    "OUTCOMES",
    "PAYLOAD_BOUND",
    "PREFIX",
    "WIRE_VERSION",
    "ConnectionEnded",
    "Kind",
    "Packet",
    "Receiver",
    "Result",
    "Sender",
    "body_limit",
    "body_of",
    "joined",
    "packet",
    "prefix",
    "size_of",
]

_HEAD = PREFIX.size
_CHUNK = 256 * 1024
_MAGICS = (MAGIC, MAGIC_LENT)
#: room for what comes beside a receive
_ROOM = (socket.CMSG_SPACE(DESCRIPTOR.size),)
# plain numbers: enums of flags are worked out in Python
_CLOEXEC = (int(getattr(socket, "MSG_CMSG_CLOEXEC", 0)),)
_CUT_SHORT = int(socket.MSG_CTRUNC)
#: leases that may have come before their packets
_MOST_EARLY = 64


class ConnectionEnded(Exception):
    """The other side closed the stream."""


class Receiver:
    """Cuts packets out of a socket. One reader only.

    ``limit`` bounds a body before anything is allocated for it; raise it once the other side is known.
    """

    def __init__(self, sock: socket.socket, limit: int = BODY_LIMIT, *, last: bool = False) -> None:
        """``last``: no packet goes on from here, so leases are exchanged for their memory."""
        self._sock = sock
        self.limit = limit
        self._last = last
        self._rest = b""
        #: received into again and again: a fresh buffer of this size for each receive would cost more than the receive
        self._space = memoryview(bytearray(_CHUNK))
        #: what the last receive gave, until it is cut
        self._kept: list[tuple[int, list[tuple[int, int, bytes]], int, Any]] = []
        self._large: tuple[list[Any], bytearray, int] | None = None
        #: they come with the first byte of their packets, in the order of these
        self._leases: collections.deque[Lease] = collections.deque()

    def read(self) -> list[Packet]:
        """One receive: the packets that are complete now, perhaps none.

        Raises ConnectionEnded, MessageRefused, OSError; BlockingIOError when a non-blocking socket has nothing.
        """
        if self._large is not None:
            return self._read_large(*self._large)
        if not self._kept:
            self.receive()
        n, beside, flags, _ = self._kept.pop()
        if beside or flags & _CUT_SHORT:
            self._keep(beside)
        if not n:
            raise ConnectionEnded
        data = self._space[:n].tobytes()
        return self.cut(self._rest + data if self._rest else data)

    def forget(self) -> None:
        """The connection has ended: let go of packets that came in part, and of leases."""
        for _, beside, _, _ in self._kept:
            self._leases.append(_lease(beside))
        self._kept.clear()
        self._rest, self._large = b"", None
        self._leases.clear()

    def receive(self) -> None:
        """One receive, for ``read`` or ``only`` to look at. The C call that receives also stores how much it was:
        whatever a signal handler raises, nothing is lost.
        """
        if CAN_RECEIVE:
            self._kept.extend(map(self._sock.recvmsg_into, ((self._space,),), _ROOM, _CLOEXEC))
        else:
            self._kept.append((self._sock.recv_into(self._space), [], 0, None))

    @property
    def idle(self) -> bool:
        """Nothing came that has not been read, not even in part."""
        return not (self._kept or self._rest or self._large or self._leases)

    @property
    def received(self) -> bool:
        """Whether there is something for ``read`` without a receive."""
        return bool(self._kept)

    def only(self) -> Packet | None:
        """What was received, if that is one small packet and nothing else; ``drop`` takes it out."""
        n, beside, flags, _ = self._kept[0]
        if n < _HEAD or beside or flags & _CUT_SHORT:
            return None
        magic, version, *fields, size = PREFIX.unpack_from(self._space)
        if magic != MAGIC or version != WIRE_VERSION or size != n - _HEAD:
            return None
        return Packet(*fields, self._space[_HEAD:n].tobytes())  # type: ignore[call-arg]

    def drop(self) -> None:
        self._kept.clear()

    def _keep(self, beside: list[tuple[int, int, bytes]]) -> None:
        """Descriptors that came. Where one is missing, this process may open no more: only its packet suffers."""
        self._leases.append(_lease(beside))
        if len(self._leases) > _MOST_EARLY:
            raise MessageRefused("descriptors came without their packets")

    def cut(self, data: bytes) -> list[Packet]:
        """Cut what is complete; keep the rest."""
        packets: list[Packet] = []
        at, end = 0, len(data)
        self._rest = b""
        while end - at >= _HEAD:
            magic, version, *fields, size = PREFIX.unpack_from(data, at)
            if magic != MAGIC or version != WIRE_VERSION or size > self.limit:
                self._check(magic, version, size)
            lent = magic == MAGIC_LENT
            start = at + _HEAD
            if end - start < size:
                if size > _CHUNK:
                    self._begin_large(fields, size, data[start:], lent=lent)
                    return packets
                break
            at = start + size
            body = data[start:at]
            packets.append(Packet(*fields, self._lent(body) if lent else body))  # type: ignore[call-arg]
        self._rest = data[at:]
        return packets

    def _check(self, magic: bytes, version: int, size: int) -> None:
        if magic not in _MAGICS:
            raise MessageRefused("not a packet: wrong first bytes")
        if version != WIRE_VERSION:
            raise MessageRefused(f"wire version {version}, this side speaks {WIRE_VERSION}")
        if size > self.limit:
            raise MessageRefused(f"a message of {size} bytes is over the limit of {self.limit}")

    def _lent(self, begun: bytes, size: int = 0) -> Lent:
        """The body of a packet whose lease is here, as far as it came."""
        if not self._leases:
            raise MessageRefused("a packet came without its lease")
        body = Lent.with_lease(self._leases.popleft(), size)
        body[: len(begun)] = begun
        if self._last:
            body.arrive()
        return body

    def _begin_large(self, fields: list[Any], size: int, begun: bytes, *, lent: bool) -> None:
        if lent:
            body: bytearray = self._lent(begun, size)
        else:
            body = bytearray(size)
            body[: len(begun)] = begun
        self._large = (fields, body, len(begun))

    def _read_large(self, fields: list[Any], body: bytearray, at: int) -> list[Packet]:
        n = self._sock.recv_into(memoryview(body)[at:])
        if not n:
            raise ConnectionEnded
        if at + n < len(body):
            self._large = (fields, body, at + n)
            return []
        self._large = None
        return [Packet(*fields, body)]  # type: ignore[call-arg]


def _lease(beside: list[tuple[int, int, bytes]]) -> Lease:
    """Of the descriptors beside a receive."""
    return Lease(
        number
        for level, kind, data in beside
        if (level, kind) == (socket.SOL_SOCKET, socket.SCM_RIGHTS)
        for (number,) in DESCRIPTOR.iter_unpack(data)
    )
