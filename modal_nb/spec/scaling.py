"""How many containers a pool may have, and how many inputs each may hold."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from modal_nb.exception import InvalidError
from modal_nb.spec import checks


@dataclass(frozen=True, slots=True)
class Autoscaler:
    """The four settings that steer one pool; Modal's defaults."""

    min_containers: int = 0
    #: None: bounded only by the machine-wide limit
    max_containers: int | None = None
    #: idle containers kept on top of the busy ones while the pool is active
    buffer_containers: int = 0
    #: seconds a container may be idle before it is stopped
    scaledown_window: int = 60

    @classmethod
    def declared(
        cls,
        *,
        min_containers: Any = None,
        max_containers: Any = None,
        buffer_containers: Any = None,
        scaledown_window: Any = None,
    ) -> Autoscaler:
        """As users write them, None meaning the default; InvalidError names what does not fit."""
        changes = autoscaler_changes(
            min_containers=min_containers,
            max_containers=max_containers,
            buffer_containers=buffer_containers,
            scaledown_window=scaledown_window,
        )
        settings = cls(**changes)
        settings.check()
        return settings

    def check(self) -> None:
        """InvalidError if the floor is above the cap."""
        if self.max_containers is not None and self.min_containers > self.max_containers:
            raise InvalidError(
                f"`min_containers` ({self.min_containers}) cannot be greater than `max_containers` "
                f"({self.max_containers}); raise the cap or lower the floor"
            )


@dataclass(frozen=True, slots=True)
class Concurrency:
    """How many inputs one container runs at a time."""

    max_inputs: int = 1
    #: what the autoscaler aims at; None: max_inputs
    target_inputs: int | None = None

    @classmethod
    def declared(cls, *, max_inputs: Any, target_inputs: Any = None) -> Concurrency:
        """``concurrent(...)`` as users write it; InvalidError names what does not fit."""
        checks.integer("max_inputs", max_inputs, 1)
        if target_inputs is not None and checks.integer("target_inputs", target_inputs, 1) > max_inputs:
            raise InvalidError(
                f"`target_inputs` ({target_inputs}) cannot be greater than `max_inputs` ({max_inputs}); "
                "lower the target or raise the maximum"
            )
        return cls(max_inputs, target_inputs)


@dataclass(frozen=True, slots=True)
class Batching:
    """Inputs of one method that are handed over together as lists."""

    max_batch_size: int
    #: milliseconds a batch that is not full waits for more inputs
    wait_ms: int

    @classmethod
    def declared(cls, *, max_batch_size: Any, wait_ms: Any) -> Batching:
        """``batched(...)`` as users write it; InvalidError names what does not fit."""
        checks.integer("max_batch_size", max_batch_size, 1, 1000)
        checks.integer("wait_ms", wait_ms, 0, 600_000)
        return cls(max_batch_size, wait_ms)


def autoscaler_changes(
    *,
    min_containers: Any = None,
    max_containers: Any = None,
    buffer_containers: Any = None,
    scaledown_window: Any = None,
) -> dict[str, int]:
    """The settings that are given (not None), each checked by itself."""
    given: dict[str, tuple[Any, int, int | None]] = {
        "min_containers": (min_containers, 0, None),
        "max_containers": (max_containers, 1, None),
        "buffer_containers": (buffer_containers, 0, None),
        "scaledown_window": (scaledown_window, 2, 3600),
    }
    return {
        name: checks.integer(name, value, low, high)
        for name, (value, low, high) in given.items()
        if value is not None
    }
