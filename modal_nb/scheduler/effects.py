"""What is to be done: everything the scheduler ever asks for. The supervisor performs effects in order."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from modal_nb.spec.lifecycle import ExitCause


class FailureKind(StrEnum):
    """Why an input ended without an answer of the user's code."""

    TIMEOUT = "timeout"
    STARTUP_TIMEOUT = "startup_timeout"
    #: imports or enter hooks failed too often; the supervisor holds the last error
    START_FAILED = "start_failed"
    #: containers died under it until its crash budget was spent
    CRASHED = "crashed"
    CANCELLED = "cancelled"
    APP_STOPPED = "app_stopped"
    QUEUE_FULL = "queue_full"
    #: one container asks for more than the whole machine-wide limit
    DOES_NOT_FIT = "does_not_fit"
    #: the pool was replaced and is forgotten, or never was: open it again
    POOL_GONE = "pool_gone"
    #: a nested call that can never start: containers of full pools wait for each other
    DEADLOCK = "deadlock"
    #: of a pinned input: its container ends, or has ended
    CONTAINER_GONE = "container_gone"


@dataclass(slots=True)
class LaunchContainer:
    container: int
    pool: int


@dataclass(slots=True)
class SendInput:
    """Send inputs [first, first + count) of the message of ``input`` to the container."""

    container: int
    input: int
    attempt: int
    #: of a batch: how many of its inputs follow, in the next effects; -1: it runs by itself
    following: int = -1


@dataclass(slots=True)
class RecallInput:
    """Ask the container to give back what it has not begun: answered by InputReturned or InputFinished."""

    container: int
    input: int
    attempt: int


@dataclass(slots=True)
class CancelInput:
    """Ask the container to end this attempt; answered by InputFinished, CANCELLED or too late."""

    container: int
    input: int
    attempt: int


@dataclass(slots=True)
class StopContainer:
    """It holds no input: run exit hooks, end. KillContainer follows if that takes too long."""

    container: int
    reason: str


@dataclass(slots=True)
class KillContainer:
    """End its whole process tree now."""

    container: int
    reason: str


@dataclass(slots=True)
class ReplyInput:
    """Pass the reply in hand on to the caller; the input is over."""

    input: int


@dataclass(slots=True)
class ReplyPart:
    """Pass the reply in hand on as the results of its first ``count`` inputs; it goes on as the rest of them."""

    input: int
    count: int


@dataclass(slots=True)
class FailInput:
    """Tell the caller that it failed for a reason that is not the user's code; the input is over."""

    input: int
    kind: FailureKind
    #: seconds of the limit for timeouts, else 0
    seconds: float = 0.0
    #: the container's end, for CRASHED
    cause: ExitCause | None = None
    #: how many containers died or failed; for DEADLOCK the max_containers of its pool
    times: int = 0


@dataclass(slots=True)
class DropInput:
    """Nobody waits for it any more; forget its message."""

    input: int


@dataclass(slots=True)
class SplitInput:
    """``input`` keeps its first ``keep`` inputs; ``rest`` is a new input of what came after, same message."""

    input: int
    keep: int
    rest: int


@dataclass(slots=True)
class ForgetPool:
    """No container, no input and no client is left; its number means nothing any more."""

    pool: int


@dataclass(slots=True)
class ForgetApp:
    """Every pool of a stopped app is gone: whoever waits for its end may be told."""

    app: int


@dataclass(slots=True)
class PublishReport:
    """Something that people can see has changed in this pool."""

    pool: int


Effect = (
    LaunchContainer
    | SendInput
    | RecallInput
    | CancelInput
    | StopContainer
    | KillContainer
    | ReplyInput
    | ReplyPart
    | FailInput
    | DropInput
    | SplitInput
    | ForgetPool
    | ForgetApp
    | PublishReport
)
