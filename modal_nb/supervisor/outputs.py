"""What code in containers shows people on its way to who called it, and what these say to it on its way back."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Mapping

from modal_nb.protocol.kinds import Kind, Result
from modal_nb.protocol.stream import Packet, packet, prefix
from modal_nb.supervisor.records import Client, Container, Held

#: inputs with an outcome whose callers are remembered: threads and widgets of theirs go on to show things
_MOST_OVER = 4096
#: bytes that wait for a client to read; beyond them what is shown is left out for it
_MOST_BEHIND = 64 << 20


class Outputs:
    """Routes and keeps nothing: who calls decides what is shown, containers keep their logs."""

    def __init__(self, inputs: Mapping[int, Held], container: Callable[[int], Container | None]) -> None:
        """``inputs``: the reactor's own; ``container``: one that is not gone, by number."""
        self._inputs = inputs
        self._container = container
        self._over: OrderedDict[int, tuple[Client, int]] = OrderedDict()

    def over(self, number: int, held: Held) -> None:
        """The input has its outcome."""
        self._over[number] = held.client, held.call
        if len(self._over) > _MOST_OVER:
            self._over.popitem(last=False)

    def shown(self, container: Container, output: Packet) -> None:
        """An OUTPUT packet; what nobody can see goes nowhere."""
        caller, call = self._caller(container, output.number)
        if caller is None or caller.link.sender.queued() > _MOST_BEHIND:
            return
        head = prefix(
            Kind.RESULT,
            len(output.body),
            number=call,
            parent=container.pool.number,
            extra=container.number,
            count=0,
            flags=Result.OUTPUT,
            parts=output.parts,
        )
        caller.link.send([head, output.body])

    def _caller(self, container: Container, number: int) -> tuple[Client | None, int]:
        if number == 0:
            return container.pool.app.owner, 0
        held = self._inputs.get(number)
        if held is not None:
            return held.client, held.call
        return self._over.get(number, (None, 0))

    def tell(self, client: Client, said: Packet) -> None:
        """A TELL packet: the container checks who signed it."""
        container = self._container(said.extra)
        if container is None or container.control is None or not client.may_use(container.pool.app):
            client.link.send(packet(Kind.RESULT, count=0, flags=Result.UNTOLD, extra=said.extra))
            return
        head = prefix(Kind.TELL, len(said.body), parts=said.parts)
        container.control.send([head, said.body])
