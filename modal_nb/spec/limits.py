"""The time limits of one pool, in seconds, and how often it may fail."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from modal_nb.exception import InvalidError
from modal_nb.spec import checks

#: the longest ``timeout`` and ``startup_timeout``: 24 hours
LONGEST = 86_400.0


@dataclass(frozen=True, slots=True)
class Limits:
    """What a pool's inputs and containers may take."""

    #: execution per attempt; time in the queue does not count
    timeout: float = 300.0
    #: boot, imports and enter hooks
    startup_timeout: float = 300.0
    #: a container serves one input, then runs its exit hooks and ends
    single_use: bool = False
    #: containers that may die under one input before it is given up
    crash_budget: int = 3
    #: starts that may fail in a row before the waiting inputs fail
    start_budget: int = 3

    @classmethod
    def declared(
        cls, *, timeout: Any, startup_timeout: Any = None, single_use_containers: Any = False
    ) -> Limits:
        """As users write them; ``startup_timeout`` left out is ``timeout``.

        InvalidError names what does not fit.
        """
        seconds = timeout_seconds("timeout", timeout)
        return cls(
            timeout=seconds,
            startup_timeout=seconds
            if startup_timeout is None
            else timeout_seconds("startup_timeout", startup_timeout),
            single_use=checks.boolean("single_use_containers", single_use_containers),
        )


def timeout_seconds(option: str, value: Any) -> float:
    """A time limit in seconds: above 0, at most a day."""
    if value is None:
        raise InvalidError(f"`{option}` cannot be None; give seconds, at most {LONGEST:.0f}, or leave it out")
    seconds = checks.number(option, value, 0, LONGEST)
    if seconds == 0:
        raise InvalidError(f"`{option}` must be more than 0 seconds; leave it out for the default")
    return float(seconds)
