"""The lease of a container: what its guard and the supervisor say to each other on a Unix stream of their
own.

One JSON object per line. The guard opens with a hello, so the first byte is ``{``: a listening socket can
tell a lease from a message stream. While the connection stands the container may live; when it ends, the
guard ends everything. The guard answers pings by itself: a silent kernel is busy, not dead. Standard library
only: the guard stays small.
"""

from __future__ import annotations

import json
from typing import Any, NamedTuple

#: bytes that one line may hold; whoever sends more is cut off
LONGEST_LINE = 4096


class LeaseRefused(ValueError):
    """A line that is not of this protocol; the connection is to be closed."""


class LeaseHello(NamedTuple):
    """The first line: whose guard this is."""

    container: int
    token: str
    #: the guard's process id as it sees itself (1 in a namespace); SO_PEERCRED tells the outer one
    pid: int
    #: True: a process-id namespace holds the container; False: the guard sweeps
    namespaced: bool


class LeasePing(NamedTuple):
    """Asked by the supervisor, answered with the same number."""

    number: int
    #: True: this is the guard's answer
    answer: bool


class LeaseExit(NamedTuple):
    """The last line of the guard: how the kernel's process ended. Exactly one of code and signal is set."""

    code: int | None
    signal: int | None
    #: processes of this memory group that the system killed for memory in the last seconds; 0 if nobody can
    #: say
    oom_kills: int
    #: bytes: the most memory that its biggest process held at a time, and what it could have at most; 0: not known
    peak: int = 0
    limit: int = 0


LeaseLine = LeaseHello | LeasePing | LeaseExit


def lease_hello(container: int, token: str, pid: int, *, namespaced: bool) -> bytes:
    """The line with which a guard opens its lease."""
    return _line(
        {"container": container, "token": token, "role": "guard", "pid": pid, "namespaced": namespaced}
    )


def lease_ping(number: int) -> bytes:
    """The supervisor's question whether the guard lives."""
    return _line({"ping": number})


def lease_pong(number: int) -> bytes:
    """The guard's answer."""
    return _line({"pong": number})


def lease_exit(
    *, code: int | None = None, signal: int | None = None, oom_kills: int = 0, peak: int = 0, limit: int = 0
) -> bytes:
    """The guard's last line."""
    end = {"code": code, "signal": signal, "oom_kills": oom_kills, "peak": peak, "limit": limit}
    return _line({"exit": end})


def read_lease_line(line: bytes) -> LeaseLine:
    """Read one line, without or with its end; raises LeaseRefused when it makes no sense."""
    try:
        return _read(json.loads(line))
    except (ValueError, RecursionError) as error:
        raise LeaseRefused(f"not a line of a lease: {bytes(line[:80])!r}") from error


def _read(said: Any) -> LeaseLine:
    match said:
        case {"role": "guard", "container": int(), "token": str(), "pid": int(), "namespaced": bool()}:
            return LeaseHello(said["container"], said["token"], said["pid"], said["namespaced"])
        case {"ping": int(number)}:
            return LeasePing(number, answer=False)
        case {"pong": int(number)}:
            return LeasePing(number, answer=True)
        case {"exit": {"code": int() | None, "signal": int() | None, "oom_kills": int()} as end}:
            peak, limit = (_size(end.get(name, 0)) for name in ("peak", "limit"))
            return LeaseExit(end["code"], end["signal"], end["oom_kills"], peak, limit)
    raise ValueError(said)


def _size(said: Any) -> int:
    if not isinstance(said, int) or said < 0:
        raise ValueError(said)
    return said


def _line(said: dict[str, object]) -> bytes:
    return json.dumps(said, separators=(",", ":")).encode() + b"\n"
