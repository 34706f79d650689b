"""The states of a container, the legal moves between them, and how it may end."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class ContainerState(StrEnum):
    """Where a container is in its life."""

    #: wanted, process being made
    STARTING = "starting"
    #: process up; imports and enter hooks run
    ENTERING = "entering"
    IDLE = "idle"
    BUSY = "busy"
    #: takes no more inputs; finishes what it has, runs its exit hooks
    DRAINING = "draining"
    DEAD = "dead"


_S = ContainerState

#: every move that may happen; all others are errors in the scheduler
MOVES: frozenset[tuple[ContainerState, ContainerState]] = frozenset(
    {
        (_S.STARTING, _S.ENTERING),
        (_S.ENTERING, _S.IDLE),
        (_S.IDLE, _S.BUSY),
        (_S.BUSY, _S.IDLE),
        (_S.STARTING, _S.DRAINING),
        (_S.ENTERING, _S.DRAINING),
        (_S.IDLE, _S.DRAINING),
        (_S.BUSY, _S.DRAINING),
        (_S.STARTING, _S.DEAD),
        (_S.ENTERING, _S.DEAD),
        (_S.IDLE, _S.DEAD),
        (_S.BUSY, _S.DEAD),
        (_S.DRAINING, _S.DEAD),
    }
)


class CauseKind(StrEnum):
    """Why a container ended."""

    #: ended by itself after it was asked to stop
    STOPPED = "stopped"
    #: the process returned or called sys.exit / os._exit
    EXITED = "exited"
    #: a signal that nobody of ours sent
    SIGNALLED = "signalled"
    OUT_OF_MEMORY = "out_of_memory"
    #: we killed it: a timeout, a stop that it ignored, a lost owner
    KILLED = "killed"
    #: imports or an enter hook failed
    START_FAILED = "start_failed"
    #: the guard is gone, so nobody can say
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class ExitCause:
    """How a container ended, as its guard (or who killed it) tells it."""

    kind: CauseKind
    #: exit code of the process, if it has one
    code: int | None = None
    #: signal number, if one ended it
    signal: int | None = None
    #: one clause in plain words, such as "killed by signal 9 (SIGKILL)"
    detail: str = ""
    #: bytes, of one that a signal ended: the most that its biggest process held, and what it could have; 0: not known
    peak: int = 0
    limit: int = 0
