"""A supervisor's home as tests see it: what runs there, what it says, and what is left of it."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import time
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any, Self, TypeVar

import msgspec
import psutil

from modal_nb.client import launcher
from modal_nb.protocol import messages as ms
from modal_nb.protocol.codec import Codec
from modal_nb.protocol.connection import Connection, places
from modal_nb.protocol.requests import MSG_TYPES
from modal_nb.protocol.stream import ConnectionEnded, Kind, Packet, Receiver, Sender, packet

T = TypeVar("T")

#: every process that descends from a test module carries its home's mark in the environment
#: begins like what an interpreter reads at its start: a zygote gets nothing else of the environment
MARK = "PYTHON_TEST_HOME_MARK"


def until(condition: Callable[[], T], seconds: float = 30.0) -> T:
    """Look again and again until it is true; returns what it was. What it looks into may be missing still."""
    deadline = time.monotonic() + seconds
    while True:
        try:
            if found := condition():
                return found
        except (LookupError, FileNotFoundError):
            if time.monotonic() > deadline:
                raise
        assert time.monotonic() < deadline, f"not within {seconds} s"
        time.sleep(0.01)


def dead(process: psutil.Process) -> bool:
    """Also while its parent has not asked how it ended, and when the parent does so between two looks."""
    try:
        return not process.is_running() or process.status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def command(process: psutil.Process) -> str:
    """Its command line; empty if it has ended."""
    try:
        return " ".join(process.cmdline())
    except psutil.Error:
        return ""


class NoSupervisor(AssertionError):
    """Nobody can be asked in this moment."""


class Caller:
    """A client of the supervisor that knows the protocol and nothing else."""

    def __init__(self, address: str, key: bytes) -> None:
        self.codec = Codec(key, "test")
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(30)
        try:
            self.sock.connect(address)
        except OSError:
            self.sock.close()
            raise
        self.receiver = Receiver(self.sock)

    def hello(self, **fields: Any) -> None:
        said = ms.Hello(**{"role": "client", "pid": os.getpid(), **fields})
        self.send(packet(Kind.HELLO, self.codec.pack("hello_request", said.content())))

    def send(self, pieces: Any) -> None:
        Sender(self.sock).send(pieces)

    def read(self) -> Packet:
        while True:
            for one in self.receiver.read():
                return one

    def ask(self, content: ms.Content) -> Any:
        self.send(
            packet(Kind.REQUEST, self.codec.pack(MSG_TYPES[type(content)], content.content()), number=1)
        )
        return self.codec.open(self.read().frames()).content

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.sock.close()


def dial(connection: Connection) -> Caller:
    """A caller whose hello was answered."""
    caller = Caller(connection.socket, bytes.fromhex(connection.key))
    try:
        caller.hello()
        assert caller.read().kind == Kind.WELCOME
    except BaseException:
        caller.sock.close()
        raise
    return caller


class Home:
    """One MODAL_NB_HOME. Asks a supervisor that runs there, and never starts one."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.mark = uuid.uuid4().hex
        self.places = places(folder)

    # -- asking ---------------------------------------------------------------------------------------------------

    def ask(self, content: ms.Content) -> Any:
        """The content of the answer to one request, by the plain protocol: the client is not trusted to tell."""
        connection = launcher.find(self.places)
        if connection is None:
            raise NoSupervisor
        with dial(connection) as caller:
            return caller.ask(content)

    def status(self) -> ms.Status:
        return msgspec.convert(self.ask(ms.StatusAsk()), ms.Status)

    def pools(self, service: str = "") -> list[ms.PoolStatus]:
        """The pools of a class, of all apps; none if no supervisor runs, or the one that does ends in this moment."""
        try:
            status = self.status() if launcher.find(self.places) is not None else None
        except (ConnectionError, FileNotFoundError, ConnectionEnded, NoSupervisor):
            status = None
        apps = status.apps if status is not None else []
        return [pool for app in apps for pool in app.pools if service in ("", pool.service)]

    def pool(self, service: str) -> ms.PoolStatus:
        """The one pool of a class; waits for it: a call that has just been made may not have opened it yet."""
        (found,) = until(lambda: self.pools(service))
        return found

    def containers(self, service: str = "") -> list[ms.ContainerStatus]:
        return [container for pool in self.pools(service) for container in pool.containers]

    def ids(self, service: str = "") -> set[str]:
        return {container.id for container in self.containers(service)}

    def log(self) -> str:
        return self.places.supervisor_log.read_text(encoding="utf-8", errors="replace")

    # -- processes ------------------------------------------------------------------------------------------------

    def supervisor(self) -> psutil.Process:
        """The one that serves; the next one, if the last one was killed a moment ago."""
        return until(self._serving)

    def _serving(self) -> psutil.Process | None:
        connection = launcher.find(self.places)
        with contextlib.suppress(psutil.NoSuchProcess):
            if connection is not None and not dead(found := psutil.Process(connection.pid)):
                return found
        return None

    def living(self) -> list[psutil.Process]:
        """Every process of this machine with our mark, whatever session or namespace it is in."""
        return [process for process in psutil.process_iter() if _carries(process, self.mark)]

    def await_nothing_lives(self, seconds: float = 30.0) -> None:
        until(lambda: not self.living(), seconds)

    # -- the end --------------------------------------------------------------------------------------------------

    def stop(self) -> None:
        """End the supervisor, if there is one: it may be ending by itself in this moment."""
        with contextlib.suppress(OSError, ConnectionEnded):
            if launcher.find(self.places) is not None:
                self.ask(ms.SupervisorStop())
        self.await_nothing_lives()

    def close(self) -> None:
        """``stop``, and prove that nothing is left; what is, is killed."""
        try:
            self.stop()
        finally:
            for process in self.living():
                process.send_signal(signal.SIGKILL)
        left = [path.name for path in self.places.run.glob("*") if path != self.places.lock_file]
        assert not left, f"left behind in {self.places.run}: {left}"


def guard_of(container: ms.ContainerStatus) -> psutil.Process:
    """A forked container begins with its guard, another one with a launcher."""
    outermost = psutil.Process(container.pid)
    return outermost if container.way.startswith("forked") else outermost.children()[0]


def kernel_of(container: ms.ContainerStatus) -> psutil.Process | None:
    """The process of its kernel, the guard's first child; None while it is not there or gone."""
    try:
        return min(guard_of(container).children(), key=lambda process: process.create_time())
    except (psutil.NoSuchProcess, ValueError, IndexError):
        return None


def _carries(process: psutil.Process, mark: str) -> bool:
    try:
        return process.environ().get(MARK) == mark and process.status() != psutil.STATUS_ZOMBIE
    except (psutil.Error, OSError):
        return False
