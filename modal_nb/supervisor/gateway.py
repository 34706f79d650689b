"""The door: one listening Unix socket, and the links that come in by it.

A connection is a stranger until its first message shows that it holds the key of its role. Whatever is not signed, cut
wrong or not allowed is refused, counted and logged, and costs only that one connection.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import socket
import struct
from collections.abc import Callable

from modal_nb.protocol.codec import Frame, MessageRefused
from modal_nb.protocol.stream import (
    CROWDED_WAIT,
    HELLO_LIMIT,
    ConnectionEnded,
    Packet,
    Receiver,
    Sender,
)
from modal_nb.supervisor.settings import Settings

log = logging.getLogger("modal_nb.supervisor")

_PEERCRED = struct.Struct("3i")


class Link:
    """One connection in the supervisor's loop. ``send`` gathers; the gateway writes once per turn.

    ``on_packet`` and ``on_end`` are given by whoever the link turns out to belong to.
    """

    def __init__(self, gateway: Gateway, sock: socket.socket) -> None:
        self._gateway = gateway
        self.sock = sock
        self.receiver = Receiver(sock, HELLO_LIMIT)
        self.sender = Sender(sock)
        self.on_packet: Callable[[Packet], None] = lambda packet: gateway.introduce(self, packet)
        self.on_end: Callable[[], None] = lambda: None
        #: until it has said hello: the timer that closes it
        self.patience: asyncio.TimerHandle | None = None
        self.open = True
        #: the loop is to tell when the socket takes more
        self._waits = False

    def send(self, pieces: list[Frame]) -> None:
        """Queue a packet for this turn's write."""
        if self.open:
            self.sender.push(pieces)
            self._gateway.dirty.add(self)

    def readable(self) -> None:
        """Called by the loop: read once, handle what is complete, then write what that caused."""
        self._read_once()
        self._gateway.flush()

    def drain(self) -> None:
        """Read all that the other side had sent before it died."""
        while self.open and self._read_once():
            pass

    def _read_once(self) -> bool:
        try:
            packets = self.receiver.read()
            for packet in packets:
                self.on_packet(packet)
        except BlockingIOError:
            return False
        except MessageRefused as error:
            self._gateway.refuse(self, str(error))
            return False
        except (ConnectionEnded, OSError):
            self.close()
            return False
        return True

    def write(self) -> None:
        """Write what is queued; go on when the socket takes more."""
        if not self.open:
            return
        loop = self._gateway.loop
        try:
            done = self.sender.flush()
        except OSError:
            self.close()
            return
        waits = not (done or self.sender.crowded)
        if waits:
            loop.add_writer(self.sock, self.write)
        elif self._waits:
            loop.remove_writer(self.sock)
        self._waits = waits
        if not done and self.sender.crowded:
            loop.call_later(CROWDED_WAIT, self.write)

    def close(self) -> None:
        """End the connection and tell its owner, once."""
        if not self.open:
            return
        self.open = False
        if self.patience is not None:
            self.patience.cancel()
        loop = self._gateway.loop
        loop.remove_reader(self.sock)
        loop.remove_writer(self.sock)
        self._gateway.links.discard(self)
        self.sock.close()
        self.receiver.forget()
        self.sender.forget()
        self.on_end()


class Gateway:
    """Accepts connections and introduces them; owns no state of apps or containers."""

    def __init__(
        self,
        settings: Settings,
        loop: asyncio.AbstractEventLoop,
        greet: Callable[[Link, Packet], None],
        adopt_lease: Callable[[socket.socket], None],
    ) -> None:
        """``greet`` checks a hello and gives the link its owner (raises MessageRefused); ``adopt_lease`` takes over
        the connection of a guard, which speaks lines, not packets.
        """
        self._settings = settings
        self.loop = loop
        self._greet = greet
        self._adopt_lease = adopt_lease
        self._listener: socket.socket | None = None
        self.links: set[Link] = set()
        self.dirty: set[Link] = set()
        self.refused = 0

    def listen(self) -> None:
        """Open the socket, 0600 in the private run folder."""
        path = self._settings.places.socket
        path.unlink(missing_ok=True)
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        mask = os.umask(0o177)
        try:
            listener.bind(str(path))
        finally:
            os.umask(mask)
        listener.listen(512)
        listener.setblocking(False)
        self._listener = listener
        self.loop.add_reader(listener, self._accept)

    def close(self) -> None:
        """Stop listening, end every link."""
        if self._listener is not None:
            self.loop.remove_reader(self._listener)
            self._listener.close()
            self._settings.places.socket.unlink(missing_ok=True)
        for link in list(self.links):
            link.close()

    def flush(self) -> None:
        """Write what this turn has gathered."""
        while self.dirty:
            self.dirty.pop().write()

    def refuse(self, link: Link, why: str) -> None:
        """Count, log and end a connection that sent what it should not."""
        self.refused += 1
        log.warning("message refused: %s", why)
        link.close()

    def introduce(self, link: Link, packet: Packet) -> None:
        """The first packet of a stranger."""
        self._greet(link, packet)
        link.receiver.limit = self._settings.body_limit
        if link.patience is not None:
            link.patience.cancel()
            link.patience = None

    def _accept(self) -> None:
        assert self._listener is not None
        for _ in range(64):
            try:
                sock, _address = self._listener.accept()
            except (BlockingIOError, InterruptedError):
                return
            except OSError as error:
                log.error("cannot accept connections: %s", error)
                return
            self._welcome(sock)

    def _welcome(self, sock: socket.socket) -> None:
        waiting = sum(link.patience is not None for link in self.links)
        if _peer_uid(sock) != os.getuid() or waiting >= self._settings.strangers:
            self.refused += 1
            log.warning("connection refused: another user, or too many that say nothing")
            sock.close()
            return
        sock.setblocking(False)
        with contextlib.suppress(OSError):
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 20)
        link = Link(self, sock)
        self.links.add(link)
        link.patience = self.loop.call_later(
            self._settings.hello_timeout, self.refuse, link, "no hello within the time"
        )
        self.loop.add_reader(sock, self._first_bytes, link)

    def _first_bytes(self, link: Link) -> None:
        """A guard's lease starts with a brace, everything else is packets."""
        try:
            start = link.sock.recv(1, socket.MSG_PEEK)
        except BlockingIOError:
            return
        except OSError:
            start = b""
        if start != b"{":
            self.loop.add_reader(link.sock, link.readable)
            link.readable()
            return
        assert link.patience is not None
        link.patience.cancel()
        self.loop.remove_reader(link.sock)
        self.links.discard(link)
        self._adopt_lease(link.sock)


def _peer_uid(sock: socket.socket) -> int:
    """Who is at the other end, as the kernel says; ourselves where the system cannot tell."""
    if not hasattr(socket, "SO_PEERCRED"):
        return os.getuid()
    data = sock.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _PEERCRED.size)
    return int(_PEERCRED.unpack(data)[1])
