"""Outcomes of kept inputs, as rows have them and as RESULT packets carry them."""

from __future__ import annotations

from typing import Any

from modal_nb.exception import Error
from modal_nb.protocol import messages as ms
from modal_nb.protocol.codec import Codec, Frame, MessageRefused
from modal_nb.protocol.stream import PREFIX, Kind, Packet, Result, body_of, packet, prefix
from modal_nb.supervisor.store.calls import Settled


def failed(codec: Codec, word: ms.Failure) -> Settled:
    """The supervisor's own word on an input, signed with the key of its app."""
    frames = codec.pack("call_reply", word.content())
    return Settled(
        Result.FAILURE, len(frames), 0.0, b"".join(bytes(piece) for piece in body_of(frames)), ok=False
    )


def told(codec: Codec, pieces: list[Frame]) -> Settled:
    """What a RESULT packet says. Whether the method returned is read; its values stay closed."""
    fields: tuple[Any, ...] = PREFIX.unpack(pieces[0])
    *_, flags, parts, seconds, _size = fields
    body = b"".join(bytes(piece) for piece in pieces[1:])
    ok = flags == Result.REPLY and said(codec, flags, parts, body).get("status") == "ok"
    return Settled(flags, parts, seconds, body, ok=ok)


def said(codec: Codec, flags: int, parts: int, body: Frame) -> dict[str, Any]:
    """The content of a RESULT's message; nothing where it is damaged."""
    try:
        content: dict[str, Any] = codec.open(
            Packet(Kind.RESULT, 0, 0, 0, 0, 1, flags, parts, 0.0, body).frames()
        ).content
    except MessageRefused:
        return {}
    return content


def result(end: Settled, number: int) -> list[Frame]:
    """The RESULT packet of an outcome."""
    head = prefix(
        Kind.RESULT, len(end.body), number=number, flags=end.flags, parts=end.parts, seconds=end.seconds
    )
    return [head, end.body]


def refused(error: Error, number: int) -> list[Frame]:
    """The store would not."""
    frames = [type(error).__name__.encode(), str(error).encode()]
    return packet(Kind.RESULT, frames, number=number, flags=Result.REFUSED)
