"""What one container asks of its machine."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from modal_nb.exception import InvalidError
from modal_nb.spec import checks


@dataclass(frozen=True, slots=True)
class Resources:
    """Requests count in admission; limits are for back ends that can enforce them."""

    #: cores
    cpu: float | None = None
    cpu_limit: float | None = None
    #: MiB
    memory: int | None = None
    memory_limit: int | None = None
    #: names in order of preference with their counts, such as (("T4", 1),)
    gpu: tuple[tuple[str, int], ...] = ()
    #: MiB
    ephemeral_disk: int | None = None

    @classmethod
    def declared(
        cls, *, cpu: Any = None, memory: Any = None, gpu: Any = None, ephemeral_disk: Any = None
    ) -> Resources:
        """The options as users write them; InvalidError names what does not fit."""
        cores, cores_limit = request_and_limit("cpu", cpu, whole=False)
        mebibytes, mebibytes_limit = request_and_limit("memory", memory, whole=True)
        return cls(
            cpu=cores,
            cpu_limit=cores_limit,
            memory=None if mebibytes is None else int(mebibytes),
            memory_limit=None if mebibytes_limit is None else int(mebibytes_limit),
            gpu=gpus(gpu),
            ephemeral_disk=None
            if ephemeral_disk is None
            else checks.integer("ephemeral_disk", ephemeral_disk, 1),
        )


@dataclass(frozen=True, slots=True)
class MachineLimit:
    """What all pools on one machine may use together."""

    containers: int
    #: cores that requests may add up to
    cpu: float
    #: MiB that requests may add up to
    memory: int


def request_and_limit(option: str, value: Any, *, whole: bool) -> tuple[float | None, float | None]:
    """A request, or a (request, limit) pair; None and 0 as a single value ask for nothing."""
    check = checks.integer if whole else checks.number
    if value is None:
        return None, None
    if not isinstance(value, tuple):
        return check(option, value, 0) or None, None
    if len(value) != 2:
        raise InvalidError(f"`{option}` must be a request or a (request, limit) pair, not {value!r}")
    request, limit = (check(option, part, 0) for part in value)
    if not request or not limit:
        raise InvalidError(f"`{option}` as a (request, limit) pair must hold positive numbers, not {value!r}")
    if limit < request:
        raise InvalidError(f"`{option}` limit ({limit}) cannot be lower than its request ({request})")
    return request, limit


def gpus(value: Any) -> tuple[tuple[str, int], ...]:
    """``"T4"``, ``"A100:2"``, or a list in order of preference, as (name in capitals, count) pairs."""
    if value is None:
        return ()
    if isinstance(value, list | tuple):
        return tuple(_gpu(item) for item in value if item is not None)
    return (_gpu(value),)


def _gpu(value: Any) -> tuple[str, int]:
    if not isinstance(value, str):
        raise InvalidError(
            f"`gpu` must be a string such as 'T4' or 'A100:2', or a list of them, not {value!r} "
            f"({checks.kind(value)})"
        )
    name, colon, digits = value.strip().partition(":")
    if not name:
        raise InvalidError(f"`gpu` must name a GPU, such as 'T4' or 'A100:2', not {value!r}")
    if colon and not (digits.isascii() and digits.isdigit() and int(digits) > 0):
        raise InvalidError(
            f"Invalid GPU count in `gpu`={value!r}: what follows the colon must be an integer of 1 or more"
        )
    return name.upper(), int(digits) if colon else 1
