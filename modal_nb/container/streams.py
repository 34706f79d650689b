"""The generators that run here: sends their items, and takes their readers' words to them."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from modal_nb.container.output import Output
from modal_nb.protocol.codec import Codec, Frame
from modal_nb.protocol.lending import LEAST, lend
from modal_nb.protocol.stream import Kind, Packet, Sender, packet, size_of
from modal_nb.runtime.outlet import Outlet

#: words for generators that have not begun here, or have ended; more than can be on their way
_MOST_EARLY = 64


class Streams:
    """One per container. ``allow`` is called by the control thread, ``outlet`` on the main thread's loop."""

    def __init__(self, codec: Codec, sender: Sender, output: Output) -> None:
        self._output = output
        self._codec = codec
        self._sender = sender
        self._lock = threading.Lock()
        #: (input, attempt) -> its outlet while it runs
        self._outlets: dict[tuple[int, int], Outlet] = {}
        #: (input, attempt) -> the total that was allowed before it ran
        self._early: dict[tuple[int, int], int] = {}

    def allow(self, number: int, attempt: int, total: int) -> None:
        """The reader has read: so many items may have been sent in all."""
        key = number, attempt
        with self._lock:
            outlet = self._outlets.get(key)
            if outlet is None:
                self._early[key] = max(total, self._early.pop(key, 0))
                if len(self._early) > _MOST_EARLY:
                    del self._early[next(iter(self._early))]
                return
        outlet.allow(total)

    @contextmanager
    def outlet(self, asked: Packet, parent: Frame, call: str) -> Iterator[Outlet]:
        """For the generator that this INPUT packet asks for, while it runs; ``parent``: the header of its message."""
        key = asked.number, asked.extra

        def send(index: int, frames: list[Frame]) -> int:
            if self._output.held:
                self._output.settle(call)
            content, size = {"index": index}, size_of(frames)
            sent = lend(content, frames) if size >= LEAST and asked.parent else frames
            message = self._codec.pack("call_item", content, sent, parent)
            pieces = packet(Kind.ITEM, message, number=asked.number, extra=asked.extra, parent=index)
            self._sender.send(pieces)
            return max(size, size_of(pieces[1:]))

        def pause(begins: bool) -> None:
            said = packet(Kind.PAUSE, number=asked.number, extra=asked.extra, flags=int(begins))
            self._sender.send(said)

        outlet = Outlet(send, pause)
        with self._lock:
            self._outlets[key] = outlet
            early = self._early.pop(key, 0)
        if early:
            outlet.allow(early)
        try:
            yield outlet
        finally:
            with self._lock:
                del self._outlets[key]
