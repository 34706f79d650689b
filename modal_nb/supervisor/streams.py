"""Items of generators on their way to their readers, and the readers' words on their way back."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from modal_nb.protocol.kinds import Kind, Result, dump_total
from modal_nb.protocol.stream import Packet, packet, prefix
from modal_nb.supervisor.records import Client, Container, Held


class Streams:
    """Passes on and keeps nothing but the newest word of each reader: containers may die, and a stream begins again."""

    def __init__(self, inputs: Mapping[int, Held], container: Callable[[int], Container | None]) -> None:
        """``inputs``: the reactor's own; ``container``: one that is not gone, by number."""
        self._inputs = inputs
        self._container = container

    def item(self, item: Packet) -> None:
        """An ITEM packet of a container; of an attempt that is over it goes nowhere."""
        held = self._inputs.get(item.number)
        if held is None or held.attempt != item.extra:
            return
        head = prefix(
            Kind.RESULT,
            len(item.body),
            number=held.call,
            parent=item.parent,
            first=held.first,
            count=0,
            flags=Result.ITEM,
            parts=item.parts,
        )
        held.client.link.send([head, item.body])

    def more(self, client: Client, call: int, total: int) -> None:
        """A MORE packet of a client; about a call that is over it means nothing."""
        for number in client.calls.get(call, ()):
            held = self._inputs[number]
            held.allowed = max(held.allowed, total)
            self.remind(number, held)

    def remind(self, number: int, held: Held) -> None:
        """Tell the container that has the input how far its reader is, if that was ever said."""
        container = self._container(held.container)
        if held.allowed and container is not None and container.control is not None:
            order = packet(Kind.MORE, [dump_total(held.allowed)], number=number, extra=held.attempt)
            container.control.send(order)
