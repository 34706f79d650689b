"""Who reads a connection: a thread of its own, or for the time of its wait the one caller that waits.

A caller that reads its result by itself is spared being woken by another thread, which takes as long as all else that
is done for a call. Only one can, and only while the thread has nothing half read. What comes for others meanwhile is
left to the thread; so is everything where the system has no epoll.
"""

from __future__ import annotations

import os
import select
import socket
import struct
import threading
from typing import Protocol

from modal_nb.client.interrupts import SLICE
from modal_nb.protocol.stream import Packet, Receiver

#: whether callers can read by themselves
CAN_LEAD = hasattr(select, "epoll") and hasattr(os, "eventfd")


class Waiting(Protocol):
    """Who waits for one packet."""

    @property
    def over(self) -> bool:
        """It has come."""


class Listening:
    """Of one connection. ``read`` belongs to its thread, the rest to callers."""

    def __init__(self, sock: socket.socket, receiver: Receiver) -> None:
        self._receiver = receiver
        self._lock = threading.Lock()
        #: who reads instead of the thread
        self._leader: Waiting | None = None
        #: the thread has read and is not through with it; callers must not read meanwhile, nor before and behind all
        self._busy = True
        if not CAN_LEAD:
            return
        self._number = sock.fileno()
        # who leads looks up as often as who waits for a lock
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, struct.pack("ll", 0, int(SLICE * 1e6)))
        #: a caller that reads takes the socket out of the thread's sight, which costs less than waking the thread
        self._poll = select.epoll()
        self._bell = os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)
        self._poll.register(self._number, select.EPOLLIN)
        self._poll.register(self._bell, select.EPOLLIN)

    def read(self) -> list[Packet]:
        """The next packets, perhaps none. Waits for them. Errors: as ``Receiver.read``."""
        if not CAN_LEAD:
            return self._receiver.read()
        with self._lock:
            self._busy = self._leader is None and self._receiver.received
        while not self._busy:
            ready = dict(self._poll.poll())
            if self._bell in ready:
                os.eventfd_read(self._bell)
            with self._lock:
                # one that leads has taken the socket out, perhaps while it was seen
                self._busy = self._leader is None and (self._number in ready or self._receiver.received)
        try:
            return self._receiver.read()
        except BlockingIOError:  # half a second, or it was read by who led
            return []

    def close(self) -> None:
        """Nobody reads any more."""
        with self._lock:
            self._busy = True
            if CAN_LEAD:
                self._poll.close()
                os.close(self._bell)

    def receive(self, who: Waiting) -> Packet | None:
        """Wait here for what comes next. None where that is not one packet, where another one reads, or after half a
        second. The packet stays where the thread would find it until ``take``; ``leave`` must follow in any case.
        """
        with self._lock:
            if self._busy or self._leader is not None or not self._receiver.idle:
                return None
            if who.over:  # the thread was faster; from here on it reads nothing more
                return None
            self._leader = who
            self._poll.modify(self._number, 0)
        try:
            self._receiver.receive()
        except OSError:  # the thread will see it, too
            return None
        return self._receiver.only()

    def take(self) -> None:
        """The packet is for who leads."""
        self._receiver.drop()

    def leave(self, who: object) -> None:
        """From now on the thread reads again. Harmless to repeat, and for who never led."""
        if self._leader is not who:
            return
        with self._lock:
            if self._leader is not who:
                return
            self._poll.modify(self._number, select.EPOLLIN)
            if self._receiver.received:
                os.eventfd_write(self._bell, 1)
            self._leader = None
