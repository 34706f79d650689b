"""What a packet is: a fixed prefix to route by, then a body, the length table and the frames of one message."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass

from modal_nb.protocol.codec import Frame, MessageRefused
from modal_nb.protocol.kinds import Kind
from modal_nb.protocol.leases import Lent

#: magic, version, kind, number, parent, extra, first, count, flags, frames, seconds, size of the body
PREFIX = struct.Struct("<2sBBQQIHHHHfQ")
MAGIC = b"MN"
#: of a packet with a lease
MAGIC_LENT = b"ML"
WIRE_VERSION = 1
#: what a stranger may send before it has shown that it holds the key
HELLO_LIMIT = 64 * 1024
#: bytes of the arguments, or of the result, of one input, unless the supervisor is told otherwise
PAYLOAD_BOUND = 2 * 1024**3
#: what a message may hold beside the one input that is as large as may be: its small neighbours, a class, tracebacks
_BESIDE = 32 * 1024**2
#: bytes of a body that is cheaply copied
_SMALL = 16 * 1024
_LENGTHS = {n: struct.Struct(f"<{n}Q") for n in range(64)}


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
        table, body = _lengths(self.parts), self.body
        if len(body) < table.size:
            raise MessageRefused("the length table is cut short")
        # to cut a copy out of few bytes takes less time than to make a view
        whole = body if type(body) is bytes and len(body) < _SMALL else memoryview(body)
        at = table.size
        frames: list[Frame] = []
        for size in table.unpack_from(body):
            frames.append(whole[at : at + size])
            at += size
        if at != len(whole):
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
    return [_lengths(len(frames)).pack(*_sizes(frames)), *frames]


def joined(frames: Sequence[Frame]) -> tuple[list[Frame], int]:
    """The pieces of a body and its bytes; a small one is one piece."""
    sizes = _sizes(frames)
    table = _lengths(len(sizes)).pack(*sizes)
    size = len(table) + sum(sizes)
    if size < _SMALL and type(frames[-1]) is not Lent:
        return [b"".join((table, *frames))], size
    return [table, *frames], size


def size_of(body: Sequence[Frame]) -> int:
    """Bytes of a body given as pieces."""
    return sum(_sizes(body))


def _sizes(pieces: Sequence[Frame]) -> list[int]:
    return [piece.nbytes if type(piece) is memoryview else len(piece) for piece in pieces]


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
    sizes = _sizes(frames)
    table = _lengths(len(sizes)).pack(*sizes)
    return [prefix(kind, len(table) + sum(sizes), parts=len(sizes), **fields), table, *frames]  # type: ignore[arg-type]
