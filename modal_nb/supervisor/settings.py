"""What a supervisor is started with; built once in ``__main__`` and passed down."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from modal_nb.exception import InvalidError
from modal_nb.protocol.config import config
from modal_nb.protocol.connection import Places
from modal_nb.protocol.stream import PAYLOAD_BOUND, body_limit
from modal_nb.spec.resources import MachineLimit

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
    def body_limit(self) -> int:
        """Bytes of one message."""
        return body_limit(self.payload_bound)


def from_environment(
    places: Places, machine: MachineLimit, environ: Mapping[str, str], version: str
) -> Settings:
    """What the environment, the home's ``config.toml`` and the defaults say. SystemExit names what does not fit."""
    try:
        found = config(places.home, environ)
    except InvalidError as error:
        raise SystemExit(str(error)) from None
    values: dict[str, Any] = {name: one.value for name, one in found.items()}
    return Settings(
        places=places,
        machine=MachineLimit(
            containers=values["max_containers"] or machine.containers,
            cpu=values["max_cpu"] or machine.cpu,
            memory=values["max_memory"] or machine.memory,
        ),
        version=version,
        idle_exit=values["idle_exit"],
        queue_bound=values["queue_bound"],
        payload_bound=int(values["max_payload"] * _MIB),
        stop_grace=values["stop_grace"],
        durability=values["durability"],
        results_keep_days=values["results_keep_days"],
        results_bound=values["results_bound"] * _MIB,
    )
