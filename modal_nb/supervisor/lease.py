"""The supervisor's end of a guard's lease: one JSON line each way, and the end of the line."""

from __future__ import annotations

import asyncio
import logging
import socket
from typing import Protocol

from modal_nb.protocol.exit_cause import exit_cause
from modal_nb.protocol.lease import LONGEST_LINE, LeaseExit, LeaseHello, LeaseRefused, read_lease_line
from modal_nb.spec.lifecycle import ExitCause
from modal_nb.supervisor.records import Container

log = logging.getLogger("modal_nb.supervisor")


class Registry(Protocol):
    """Who knows the containers: the fleet."""

    def owner_of_lease(self, number: int, token: str) -> Container | None: ...

    def exited(self, container: Container, cause: ExitCause | None) -> None: ...

    def lease_ended(self, container: Container) -> None: ...

    def refused(self, why: str) -> None: ...


class Lease:
    """Reads one lease until it ends. While the supervisor holds this socket the container may live."""

    def __init__(self, loop: asyncio.AbstractEventLoop, sock: socket.socket, registry: Registry) -> None:
        self._loop = loop
        self._sock = sock
        self._registry = registry
        self._container: Container | None = None
        self._rest = b""
        loop.add_reader(sock, self._readable)

    def _readable(self) -> None:
        try:
            data = self._sock.recv(LONGEST_LINE)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            self._end(None)
            return
        try:
            for line in self._lines(data):
                self._line(line)
        except LeaseRefused as error:
            self._registry.refused(str(error))
            self.close()

    def _lines(self, data: bytes) -> list[bytes]:
        *lines, self._rest = (self._rest + data).split(b"\n")
        if len(self._rest) > LONGEST_LINE:
            raise LeaseRefused("a line without an end")
        return lines

    def _line(self, line: bytes) -> None:
        match read_lease_line(line):
            case LeaseHello() as hello if self._container is None:
                self._belong(hello)
            case LeaseExit() as end if self._container is not None:
                self._end(exit_cause(end))
            case other:
                raise LeaseRefused(f"out of turn: {other!r}")

    def _belong(self, hello: LeaseHello) -> None:
        self._container = self._registry.owner_of_lease(hello.container, hello.token)
        if self._container is None:
            raise LeaseRefused(f"a lease for container {hello.container}, which nobody launched")
        self._container.lease = self

    def _end(self, cause: ExitCause | None) -> None:
        self.close()
        if self._container is None:
            return
        if cause is None:
            self._registry.lease_ended(self._container)
        else:
            self._registry.exited(self._container, cause)

    def close(self) -> None:
        """End the lease: the guard, if it still lives, ends everything."""
        if self._sock.fileno() >= 0:
            self._loop.remove_reader(self._sock)
            self._sock.close()
