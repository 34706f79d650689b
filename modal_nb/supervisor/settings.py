"""What a supervisor is started with; built once in ``__main__`` and passed down."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from modal_nb.protocol.connection import Places
from modal_nb.protocol.stream import PAYLOAD_BOUND, body_limit
from modal_nb.spec.resources import MachineLimit

T = TypeVar("T", int, float)

#: a queue shorter than what one `.map` may have on its way would never take it
LEAST_QUEUE = 1000
_MIB = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Settings:
    """Limits and times of one supervisor."""

    places: Places
    machine: MachineLimit
    version: str = ""
    #: seconds without a client and without a container after which it ends by itself
    idle_exit: float = 60.0
    #: inputs that one pool may have waiting
    queue_bound: int = 100_000
    #: bytes of the arguments, or of the result, of one input
    payload_bound: int = PAYLOAD_BOUND
    #: seconds for what runs and for exit hooks, once a container is told to end
    stop_grace: float = 30.0
    #: seconds a stranger has to say hello
    hello_timeout: float = 10.0
    #: connections that have not said hello yet, at most
    strangers: int = 128
    #: of the store: "full" survives a power cut, "normal" any end of the process
    durability: str = "full"
    #: days that results of ``.spawn`` are kept, and bytes that all of them may take
    results_keep_days: float = 7.0
    results_bound: int = 10_240 * _MIB

    @property
    def store(self) -> Path:
        return self.places.home / "store.db"

    @property
    def body_limit(self) -> int:
        """Bytes of one message."""
        return body_limit(self.payload_bound)


def from_environment(
    places: Places, machine: MachineLimit, environ: Mapping[str, str], version: str
) -> Settings:
    """The defaults, changed by MODAL_NB_MAX_CONTAINERS (count), MODAL_NB_MAX_CPU (cores), MODAL_NB_MAX_MEMORY (MiB),
    MODAL_NB_QUEUE_BOUND (inputs), MODAL_NB_MAX_PAYLOAD (MiB), MODAL_NB_STOP_GRACE and MODAL_NB_IDLE_EXIT (seconds).
    """
    limit = MachineLimit(
        containers=_number(environ, "MODAL_NB_MAX_CONTAINERS", int, machine.containers),
        cpu=_number(environ, "MODAL_NB_MAX_CPU", float, machine.cpu),
        memory=_number(environ, "MODAL_NB_MAX_MEMORY", int, machine.memory),
    )
    queue_bound = _number(environ, "MODAL_NB_QUEUE_BOUND", int, 100_000)
    if queue_bound < LEAST_QUEUE:
        raise SystemExit(
            f"MODAL_NB_QUEUE_BOUND={queue_bound} is less than {LEAST_QUEUE}, the inputs that one .map may have on its "
            "way: raise it"
        )
    return Settings(
        places=places,
        machine=limit,
        version=version,
        idle_exit=_number(environ, "MODAL_NB_IDLE_EXIT", float, 60.0),
        queue_bound=queue_bound,
        payload_bound=int(_number(environ, "MODAL_NB_MAX_PAYLOAD", float, PAYLOAD_BOUND / _MIB) * _MIB),
        stop_grace=_number(environ, "MODAL_NB_STOP_GRACE", float, 30.0),
    )


def _number(environ: Mapping[str, str], name: str, kind: type[T], default: T) -> T:
    value = environ.get(name)
    if value is None:
        return default
    try:
        number = kind(value)
    except ValueError:
        number = kind(0)
    if number <= 0:
        raise SystemExit(f"{name}={value!r} is not a positive {kind.__name__}: correct it or unset it")
    return number
