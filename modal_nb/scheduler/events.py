"""What happened: everything the scheduler is ever told.

Records only, named in the past tense. Numbers are given by ``Scheduler.next_number``, each only once.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from modal_nb.spec.lifecycle import ExitCause
from modal_nb.spec.pool import PoolSpec
from modal_nb.spec.resources import MachineLimit
from modal_nb.spec.scaling import Autoscaler


class Outcome(StrEnum):
    """How an attempt ended inside its container."""

    OK = "ok"
    #: the user's code raised; the retry policy decides
    ERROR = "error"
    #: it raised what is not to be tried again
    FINAL = "final"
    #: the attempt was cancelled before it was through
    CANCELLED = "cancelled"
    #: the container would not open the message (bad signature, unknown method)
    REFUSED = "refused"


@dataclass(slots=True)
class AppOpened:
    app: int
    name: str
    #: the client that the app lives and dies with; 0: none, it is deployed
    owner: int


@dataclass(slots=True)
class AppStopped:
    """The owner ended the app: what waits fails, containers drain."""

    app: int
    #: its containers are killed instead
    kill: bool = False


@dataclass(slots=True)
class AppOrphaned:
    """The notebook that owns the app is gone; ClientLost follows. What is warm stays for ``linger`` seconds."""

    app: int
    linger: float


@dataclass(slots=True)
class AppAdopted:
    """The notebook of an orphaned app is back, as this client."""

    app: int
    owner: int


@dataclass(slots=True)
class ClientLost:
    """The connection ended: apps that it owns die, its inputs have no caller any more."""

    client: int


@dataclass(slots=True)
class PoolOpened:
    """A client uses a pool for the first time, or again; ``pool`` is new unless the key is known."""

    pool: int
    app: int
    spec: PoolSpec


@dataclass(slots=True)
class PoolReplaced:
    """A newer version of a deployed app has taken its place: it serves what it has, keeps nothing warm and goes."""

    pool: int


@dataclass(slots=True)
class AutoscalerUpdated:
    pool: int
    settings: Autoscaler


@dataclass(slots=True)
class InputArrived:
    """One input, or a chunk of ``count`` inputs that travel together."""

    input: int
    pool: int
    client: int
    count: int = 1
    #: the input whose code made this one and waits for it (a nested call); 0: none
    parent: int = 0
    #: which batched method of the pool it calls, by its place in ``PoolSpec.batching``, from 1 on
    batch: int = 0


@dataclass(slots=True)
class PinnedArrived:
    """One input for this very container: it waits until that runs nothing, and runs there alone."""

    input: int
    container: int
    client: int
    #: while it runs, or waits as the first, its pool does without the container
    aside: bool = False


@dataclass(slots=True)
class InputCancelled:
    """The caller gave it up."""

    input: int
    #: kill the container that runs it, if one does
    terminate: bool = False


@dataclass(slots=True)
class ContainerLaunched:
    """Its process exists; imports and enter hooks run."""

    container: int


@dataclass(slots=True)
class ContainerReady:
    container: int


@dataclass(slots=True)
class ContainerStartFailed:
    """Launch, import or an enter hook failed. A launched process ends by itself: ContainerExited follows."""

    container: int
    #: False: there never was a process, no ContainerExited will follow
    launched: bool = True


@dataclass(slots=True)
class InputFinished:
    container: int
    input: int
    attempt: int
    outcome: Outcome
    #: run time inside the container
    seconds: float


@dataclass(slots=True)
class InputReturned:
    """The container gives back all from index ``begun`` on (0: the whole): asked by RecallInput, or because that one
    has failed and may be tried again.
    """

    container: int
    input: int
    attempt: int
    begun: int = 0
    #: the first of what is given back was run, and failed
    failed: bool = False


@dataclass(slots=True)
class PartFinished:
    """The first ``done`` inputs of a chunk have results, which are here, and another one of it still runs: said when
    RecallInput comes.
    """

    container: int
    input: int
    attempt: int
    done: int


@dataclass(slots=True)
class InputPaused:
    """A generator begins to wait for its reader (``paused``), or goes on: the wait is not of its time."""

    container: int
    input: int
    attempt: int
    paused: bool = True


@dataclass(slots=True)
class ContainerExited:
    container: int
    cause: ExitCause


@dataclass(slots=True)
class ContainerStopAsked:
    """Somebody asks for this one container to end: gracefully, or at once."""

    container: int
    kill: bool = False
    reason: str = "somebody asked for it"


@dataclass(slots=True)
class ContainerAsked:
    """Somebody wants one more container of this pool now; ignored where ``Scheduler.refusal`` says why not."""

    pool: int


@dataclass(slots=True)
class LimitChanged:
    machine: MachineLimit


@dataclass(slots=True)
class TimePassed:
    """Nothing happened but time; the supervisor feeds it at ``Scheduler.wake_at()``."""


@dataclass(slots=True)
class ShutdownBegan:
    """The supervisor was told to end: nothing starts any more, everything drains."""


Event = (
    AppOpened
    | AppStopped
    | AppOrphaned
    | AppAdopted
    | ClientLost
    | PoolOpened
    | PoolReplaced
    | AutoscalerUpdated
    | InputArrived
    | PinnedArrived
    | InputCancelled
    | ContainerLaunched
    | ContainerReady
    | ContainerStartFailed
    | InputFinished
    | InputReturned
    | PartFinished
    | InputPaused
    | ContainerExited
    | ContainerStopAsked
    | ContainerAsked
    | LimitChanged
    | TimePassed
    | ShutdownBegan
)
