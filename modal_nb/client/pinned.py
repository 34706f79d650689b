"""Calls for one very container: cells and debuggers that people bring to it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from modal_nb.client import outcome, screens
from modal_nb.client.calls import Call, Waiter
from modal_nb.client.interrupts import or_undo
from modal_nb.protocol.codec import Frame
from modal_nb.protocol.output import Out
from modal_nb.protocol.stream import Kind, Packet, prefix
from modal_nb.runtime.payload import dumps_arguments

if TYPE_CHECKING:
    from modal_nb.client.calls import Sink
    from modal_nb.client.pool import Pool
    from modal_nb.client.screens import Screen


class PinnedCall(Call):
    """An input for this container and no other."""

    __slots__ = ("aside", "container")

    def __init__(
        self,
        number: int,
        pool: Pool,
        method: str,
        frames: Sequence[Frame],
        sink: Sink,
        screen: Screen | None,
        container: int,
        *,
        aside: bool,
    ) -> None:
        """``aside``: the container leaves its pool for as long as the input runs."""
        super().__init__(number, pool, method, frames, 1, sink, 0, screen)
        self.container, self.aside = container, aside

    def packet(self) -> list[Frame]:
        """Sent again to another supervisor it is for no container: the number would name another one there."""
        container, self.container = self.container, 0
        head = prefix(
            Kind.PINNED,
            self.size,
            number=self.number,
            parent=self.pool.number,
            extra=container,
            count=1,
            flags=int(self.aside),
            parts=self.parts,
        )
        return [head, *self.body]


def call(pool: Pool, container: int, method: str, args: tuple[Any, ...], *, aside: bool = False) -> Any:
    """What it returns, or what it raised, raised. An interrupt cancels it, and the container lives on."""
    __tracebackhide__ = True
    session, waiter, screen = pool.app.session, Waiter(), screens.here()
    content = {
        "method": method,
        "call": session.kept.next_id(),
        "first": 0,
        "out": screens.out_of(screen) or Out.TEXT,
    }
    frames = pool.app.codec.pack("call_request", content, dumps_arguments(args, {}, method=method))

    def answered() -> Packet:
        __tracebackhide__ = True
        number = session.next_number()
        session.again(PinnedCall(number, pool, method, frames, waiter, screen, container, aside=aside))
        return waiter.wait()

    result = or_undo(answered, lambda: session.cancel_for(waiter))
    return outcome.value_of(pool, method, result)
