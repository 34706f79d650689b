"""What has come and is not begun: inputs, and what takes one slot together."""

from __future__ import annotations

from typing import NamedTuple

from modal_nb.protocol.codec import Frame, Message
from modal_nb.protocol.stream import Packet
from modal_nb.runtime.tickets import Ticket


class Waiting(NamedTuple):
    """An input that has come and is not begun."""

    packet: Packet
    message: Message
    ticket: Ticket

    @property
    def call(self) -> str:
        return str(self.message.content.get("call"))


class Unit:
    """What takes one slot: one message, or the messages of a batch."""

    __slots__ = ("batched", "members", "method", "streamed")

    def __init__(self, members: list[Waiting], *, batched: bool) -> None:
        self.members = members
        self.batched = batched
        said = members[0].message.content
        self.method = str(said.get("method"))
        self.streamed = bool(said.get("stream"))

    def messages(self) -> list[tuple[Ticket, list[Frame]]]:
        return [(one.ticket, one.message.buffers) for one in self.members]
