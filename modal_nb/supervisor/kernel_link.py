"""What a container says on its two streams, turned into events."""

from __future__ import annotations

import logging
from collections.abc import Callable
from functools import partial

from modal_nb.protocol.codec import MessageRefused
from modal_nb.protocol.messages import Hello
from modal_nb.protocol.stream import OUTCOMES, Kind, Packet, prefix
from modal_nb.scheduler import events as ev
from modal_nb.supervisor.gateway import Link
from modal_nb.supervisor.records import Container, Way

log = logging.getLogger("modal_nb.supervisor")

_OUTCOMES = tuple(ev.Outcome(name) for name in OUTCOMES)


class KernelLink:
    """Gives the streams of containers their meaning; one object for all of them."""

    def __init__(
        self,
        feed: Callable[[ev.Event], None],
        finish: Callable[[int, Packet, ev.Outcome], None],
        finish_part: Callable[[int, Packet], None],
        item: Callable[[Packet], None],
        output: Callable[[Container, Packet], None],
        broke: Callable[[Container], None],
        changed: Callable[[int], None],
        snapped: Callable[[Container, Packet], None],
        now: Callable[[], float],
    ) -> None:
        """``changed``: people could see a difference in this pool; ``snapped``: what the process of a snapshot says."""
        self._feed = feed
        self._finish = finish
        self._finish_part = finish_part
        self._item = item
        self._output = output
        self._broke = broke
        self._changed = changed
        self._snapped = snapped
        self._now = now

    def greet(self, container: Container, hello: Hello, link: Link) -> None:
        """A container has shown its token on one of its streams."""
        link.on_end = partial(self._broke, container)
        if hello.role == "control":
            container.control = link
            link.on_packet = partial(self._control, container)
            self._consider_ready(container)
            return
        container.call = link
        container.greeted_at = self._now()
        self._changed(container.pool.number)
        if container.template:
            link.on_packet = partial(self._template, container)
        else:
            link.on_packet = partial(self._call, container)
        if container.way == Way.SNAPSHOT:
            return  # the class came along
        head = prefix(Kind.LOAD, len(container.pool.load), parts=container.pool.load_parts)
        link.send([head, container.pool.load])

    def _call(self, container: Container, packet: Packet) -> None:
        kind = packet.kind
        if kind == Kind.REPLY:
            if packet.flags >= len(_OUTCOMES):
                raise MessageRefused(f"outcome {packet.flags} does not exist")
            container.served += packet.count
            self._finish(container.number, packet, _OUTCOMES[packet.flags])
        elif kind == Kind.PART:
            self._finish_part(container.number, packet)
        elif kind == Kind.ITEM:
            self._item(packet)
        elif kind == Kind.OUTPUT:
            self._output(container, packet)
        elif kind == Kind.PAUSE:
            paused = bool(packet.flags)
            self._feed(ev.InputPaused(container.number, packet.number, packet.extra, paused))
        elif kind == Kind.RETURNED:
            failed = bool(packet.flags)
            self._feed(ev.InputReturned(container.number, packet.number, packet.extra, packet.first, failed))
        else:
            self._start(container, packet)

    def _start(self, container: Container, packet: Packet) -> None:
        kind = packet.kind
        if kind == Kind.LOADED:
            container.loaded_at = self._now()
            self._changed(container.pool.number)
        elif kind == Kind.READY:
            container.ready, container.ready_at = True, self._now()
            self._consider_ready(container)
        elif kind == Kind.START_FAILED:
            container.pool.start_failure = packet
            container.start_failed = True
            self._feed(ev.ContainerStartFailed(container.number))
        else:
            raise MessageRefused(f"a container may not send packets of kind {kind}")

    def _template(self, container: Container, packet: Packet) -> None:
        """It has the class and runs no inputs."""
        if packet.kind == Kind.OUTPUT:
            self._output(container, packet)
        elif packet.kind in (Kind.SNAPPED, Kind.START_FAILED):
            self._snapped(container, packet)
        elif packet.kind == Kind.LOADED:
            container.loaded_at = self._now()
        else:
            raise MessageRefused(f"a snapshot may not send packets of kind {packet.kind}")

    def _consider_ready(self, container: Container) -> None:
        """It serves once it has said so and can be told to stop: two streams, in whichever order they are read."""
        if container.ready and container.control is not None:
            container.pool.start_failure = None
            self._feed(ev.ContainerReady(container.number))

    def _control(self, container: Container, packet: Packet) -> None:
        if packet.kind != Kind.PONG:
            raise MessageRefused(
                f"a container may not send packets of kind {packet.kind} on its control stream"
            )
