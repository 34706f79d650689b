"""What a container says of its inputs: replies, and what goes back unserved."""

from __future__ import annotations

from typing import Any

from modal_nb.exception import RequestSizeError
from modal_nb.protocol.codec import Codec, Frame
from modal_nb.protocol.lending import LEAST, lend
from modal_nb.protocol.stream import (
    OUTCOMES,
    PAYLOAD_BOUND,
    Kind,
    Packet,
    Sender,
    body_limit,
    joined,
    packet,
    prefix,
)
from modal_nb.runtime import reply
from modal_nb.runtime.context import process
from modal_nb.runtime.failures import dump_failure
from modal_nb.runtime.reply import Reply

_TOO_LARGE = (
    "a reply of {:.1f} MiB is more than can be sent: let the exception hold less, or start the supervisor with a "
    "higher MODAL_NB_MAX_PAYLOAD"
)
_OK, _ERROR, _CANCELLED, _REFUSED, _FINAL = range(len(OUTCOMES))
_FLAGS = {
    reply.OK: _OK,
    reply.ERROR: _ERROR,
    reply.FINAL: _FINAL,
    reply.INTERRUPTED: _FINAL,
    reply.CANCELLED: _CANCELLED,
}
#: what callers read: whether an error was to be tried again is between container and scheduler
_SAID = (*OUTCOMES[:_FINAL], OUTCOMES[_ERROR])


def body_bound() -> int:
    """Bytes of one message."""
    return body_limit(PAYLOAD_BOUND if process.payload_bound is None else process.payload_bound)


class Answers:
    """Writes them on the call stream; any thread may."""

    def __init__(self, codec: Codec, sender: Sender, container_id: str) -> None:
        self._codec = codec
        self._sender = sender
        self._container_id = container_id
        self._limit = body_bound()

    def said(self, outcome: Reply) -> dict[str, Any]:
        """The content of a reply message."""
        return self._content(_FLAGS[outcome.outcome], outcome.content)

    def _content(self, flags: int, content: dict[str, Any]) -> dict[str, Any]:
        return {"status": _SAID[flags], "container": self._container_id, **content}

    def answer(self, asked: Packet, parent: Frame, outcome: Reply) -> None:
        """All that is to be said of an input after its attempt. ``parent``: the header of its message."""
        if outcome.failed:
            self.give_back(asked.number, asked.extra, outcome.begun, failed=True)
            if not outcome.content["count"]:
                return
        if outcome.outcome != reply.RETURNED:
            flags = _FLAGS[outcome.outcome]
            self._reply(asked, parent, flags, outcome.content, outcome.frames, outcome.seconds, outcome.begun)

    def part(self, asked: Packet, parent: Frame, outcome: Reply) -> None:
        """What is through of a chunk that runs on."""
        flags = _FLAGS[outcome.outcome]
        self._reply(
            asked, parent, flags, outcome.content, outcome.frames, begun=outcome.begun, kind=Kind.PART
        )

    def refuse(self, asked: Packet, error: Exception) -> None:
        """The message could not be opened."""
        self._reply(asked, b"{}", _REFUSED, *dump_failure(error))

    def give_back(self, number: int, attempt: int, begun: int, *, failed: bool = False) -> None:
        """From index ``begun`` on nothing runs here; ``failed``: that one did, and may be tried again."""
        said = packet(Kind.RETURNED, number=number, extra=attempt, first=begun, flags=int(failed))
        self._sender.send(said)

    def _reply(
        self,
        asked: Packet,
        parent: Frame,
        flags: int,
        content: dict[str, Any],
        frames: list[Frame],
        seconds: float = 0.0,
        begun: int = 1,
        kind: Kind = Kind.REPLY,
    ) -> None:
        """A REPLY or a PART; its count says how many inputs of the range it is about (fewer: the rest was recalled)."""
        said = self._content(flags, content)
        message = self._codec.pack("call_reply", said, frames, parent)
        body, size = joined(message)
        if size > self._limit:
            flags, error = _ERROR, RequestSizeError(_TOO_LARGE.format(size / 2**20))
            content, frames = dump_failure(error)
            message = self._codec.pack("call_reply", self._content(flags, content), frames, parent)
            body, size = joined(message)
        elif size >= LEAST and asked.parent:
            message = self._codec.pack("call_reply", said, lend(said, frames), parent)
            body, size = joined(message)
        head = prefix(
            kind,
            size,
            number=asked.number,
            extra=asked.extra,
            first=asked.first,
            count=begun,
            flags=flags,
            parts=len(message),
            seconds=seconds,
        )
        self._sender.send([head, *body])
