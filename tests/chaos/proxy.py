"""A proxy on the supervisor's socket that loses messages.

A stream cannot lose a message and live: whoever loses one breaks the connection. So the proxy swallows a packet, or a
part of it, and closes both sides. It knows packets by their prefix only.
"""

from __future__ import annotations

import socket
import threading
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Self

from modal_nb.protocol.stream import PREFIX, Kind


class Fate(Enum):
    """What becomes of a packet."""

    PASS = "pass"
    #: it is lost, the connection stays for those behind it
    SWALLOW = "swallow"
    #: it is lost and the connection breaks: it never left its sender, or it is a reply that never came
    LOSE = "lose"
    #: the other side gets half of it, then the connection breaks
    TEAR = "tear"


@dataclass(frozen=True, slots=True)
class Seen:
    """A packet on its way, as its prefix tells."""

    kind: Kind
    number: int
    attempt: int
    flags: int
    #: of the stream: "client", "nested", "call" or "control"
    role: str


Plan = Callable[[Seen], Fate]


def let_pass(seen: Seen) -> Fate:
    return Fate.PASS


class Proxy:
    """Takes the place of a listening socket, as a context manager. ``plan`` may be changed at any time."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.plan: Plan = let_pass
        #: packets that were lost or torn, and those that came through, by kind and number
        self.lost: Counter[tuple[Kind, int]] = Counter()
        self.passed: Counter[tuple[Kind, int]] = Counter()
        self.breaks = 0
        self._real = path.with_name(f"{path.name}.real")
        self._lock = threading.Lock()
        self._pairs: set[_Pair] = set()

    def __enter__(self) -> Self:
        self.path.rename(self._real)
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(self.path))
        self._listener.listen(64)
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._real.rename(self.path)
        for pair in list(self._pairs):
            pair.end()

    def break_stream(self, role: str) -> None:
        """Close all connections of this role: "client", "call", "control" or "lease"."""
        for pair in list(self._pairs):
            if pair.role == role:
                pair.end()

    def _accept(self) -> None:
        while True:
            try:
                near, _ = self._listener.accept()
            except OSError:
                return
            far = socket.socket(socket.AF_UNIX)
            try:
                far.connect(str(self._real))
            except OSError:
                near.close()
                far.close()
                continue
            pair = _Pair(near, far)
            self._pairs.add(pair)
            for source, sink in ((near, far), (far, near)):
                threading.Thread(target=self._pump, args=(pair, source, sink), daemon=True).start()

    def _pump(self, pair: _Pair, source: socket.socket, sink: socket.socket) -> None:
        with suppress(OSError):
            if source.recv(1, socket.MSG_PEEK) == b"{":
                pair.role = "lease"
                while data := source.recv(4096):
                    sink.sendall(data)
            else:
                while (data := _packet(source)) and self._carry(pair, data, sink):
                    pass
        pair.end()
        self._pairs.discard(pair)

    def _carry(self, pair: _Pair, data: bytes, sink: socket.socket) -> bool:
        """Pass one packet on, or not; False: the connection breaks."""
        _, _, kind, number, _, attempt, _, _, flags, *_ = PREFIX.unpack_from(data)
        if kind == Kind.HELLO:
            pair.role = next(
                r for r in ("client", "nested", "call", "control") if f'"role":"{r}"'.encode() in data
            )
        with self._lock:
            fate = self.plan(Seen(Kind(kind), number, attempt, flags, pair.role))
            if fate is not Fate.PASS:
                self.lost[Kind(kind), number] += 1
            self.breaks += fate in (Fate.LOSE, Fate.TEAR)
        if fate is Fate.PASS:
            sink.sendall(data)
            with (
                self._lock
            ):  # counted when it is through: the other half may have broken the connection meanwhile
                self.passed[Kind(kind), number] += 1
        elif fate is Fate.TEAR:
            sink.sendall(data[: len(data) // 2])
        return fate in (Fate.PASS, Fate.SWALLOW)


class _Pair:
    """Both halves of one connection."""

    def __init__(self, near: socket.socket, far: socket.socket) -> None:
        self.sockets = (near, far)
        self.role = ""

    def end(self) -> None:
        for sock in self.sockets:
            with suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)
            sock.close()


def _packet(source: socket.socket) -> bytes:
    """One whole packet; empty at the end of the stream."""
    head = _exactly(source, PREFIX.size)
    return head + _exactly(source, PREFIX.unpack(head)[-1]) if head else b""


def _exactly(source: socket.socket, size: int) -> bytes:
    parts = []
    while size:
        data = source.recv(min(size, 1 << 20))
        if not data:
            return b""
        parts.append(data)
        size -= len(data)
    return b"".join(parts)
