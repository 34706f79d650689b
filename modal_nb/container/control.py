"""The control stream: a thread of its own, so that a cancel, a recall or a drain is heard while user code runs."""

from __future__ import annotations

import logging
import socket
import threading
from collections.abc import Callable

from modal_nb.protocol.codec import MessageRefused
from modal_nb.protocol.kinds import load_total
from modal_nb.protocol.stream import ConnectionEnded, Kind, Packet, Receiver, Sender, packet

log = logging.getLogger("modal_nb.container")


class ControlStream(threading.Thread):
    """Reads orders until the supervisor is gone. The callables are called on this thread."""

    def __init__(
        self,
        sock: socket.socket,
        *,
        cancel: Callable[[int, int], None],
        recall: Callable[[int, int], None],
        more: Callable[[int, int, int], None],
        drain: Callable[[], None],
        tell: Callable[[Packet], None],
    ) -> None:
        """``cancel(input, attempt)``, ``recall(input, attempt)``, ``more(input, attempt, items)``, ``drain()``,
        ``tell(packet)``, which raises nothing.
        """
        super().__init__(name="modal_nb-control", daemon=True)
        self._receiver = Receiver(sock)
        self._sender = Sender(sock)
        self._cancel = cancel
        self._recall = recall
        self._more = more
        self._drain = drain
        self._tell = tell

    def run(self) -> None:
        try:
            while True:
                for order in self._receiver.read():
                    self._obey(order)
        except (ConnectionEnded, MessageRefused, OSError) as error:
            log.info("control stream ended: %r", error)  # the guard ends the container

    def _obey(self, order: Packet) -> None:
        if order.kind == Kind.CANCEL_INPUT:
            self._cancel(order.number, order.extra)
        elif order.kind == Kind.RECALL_INPUT:
            self._recall(order.number, order.extra)
        elif order.kind == Kind.MORE:
            self._more(order.number, order.extra, load_total(order.frames()))
        elif order.kind == Kind.TELL:
            self._tell(order)
        elif order.kind == Kind.DRAIN:
            self._drain()
        elif order.kind == Kind.PING:
            self._sender.send(packet(Kind.PONG, number=order.number))
