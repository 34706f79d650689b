"""Large buffers of messages beside the stream: in shared memory, lent to whoever reads the message.

The signed content says where they lie. A message has one segment; small buffers stay in its frames.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import msgspec

from modal_nb.protocol import segments
from modal_nb.protocol.codec import Frame, Message, MessageRefused
from modal_nb.protocol.leases import LOST, Lent
from modal_nb.protocol.packets import Packet

#: bytes of a message from which on its large buffers leave the stream: there both ways take as long
LEAST = 128 * 1024
#: bytes of a buffer that does
_LARGE = 4096
#: numpy and others are fastest where data begins at such a multiple
_ALIGNED = 64
#: bytes that are copied at a time: other threads, and interrupts, come in between
_STRIDE = 8 << 20
_FIELD = "lent"

#: (place among the buffers, offset, bytes)
_Places = list[tuple[int, int, int]]


def lend(content: dict[str, Any], buffers: Sequence[Frame]) -> Sequence[Frame]:
    """The buffers to be sent in place of these; ``content`` is told where the others are.

    They are copied now: later changes to them do not show. Without shared memory all stay as they are.
    """
    views = [memoryview(buffer).cast("B") for buffer in buffers]
    places, size = _places(views)
    loan = segments.ours().lend(size) if size >= LEAST else None
    if loan is None:
        return buffers
    memory, lease = loan
    for index, at, _ in places:
        _copy(views[index], memory[at:])
    content[_FIELD] = places
    away = {index for index, *_ in places}
    return [*(buffer for index, buffer in enumerate(buffers) if index not in away), Lent.with_lease(lease)]


def _places(views: Iterable[memoryview]) -> tuple[_Places, int]:
    """Where each large one is to lie, and the bytes of all."""
    places: _Places = []
    end = 0
    for index, view in enumerate(views):
        if view.nbytes >= _LARGE:
            places.append((index, end, view.nbytes))
            end += -(-view.nbytes // _ALIGNED) * _ALIGNED
    return places, end


def _copy(data: memoryview, memory: memoryview) -> None:
    for start in range(0, len(data), _STRIDE):
        piece = data[start : start + _STRIDE]
        memory[start : start + len(piece)] = piece


def restore(message: Message, packet: Packet) -> Message:
    """The message with all its buffers in their places. Raises MessageRefused."""
    if _FIELD not in message.content:
        return message
    body = packet.body
    if type(body) is not Lent or body.memory is None:
        why = body.trouble if type(body) is Lent else LOST
        raise MessageRefused(f"the large values of a message cannot be read: {why}")
    try:
        places = msgspec.convert(message.content[_FIELD], _Places)
    except msgspec.ValidationError:
        raise MessageRefused("a message does not say where its large values are") from None
    del message.buffers[-1:]  # it stood for the lease
    for index, at, size in places:
        if min(index, at, size) < 0 or at + size > len(body.memory) or index > len(message.buffers):
            raise MessageRefused(
                f"{size} bytes at {at} do not lie in the {len(body.memory)} bytes that were lent"
            )
        message.buffers.insert(index, body.memory[at : at + size])
    return message
