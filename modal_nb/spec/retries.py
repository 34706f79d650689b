"""How often and how soon a failed input is tried again."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from modal_nb.exception import InvalidError
from modal_nb.spec import checks


@dataclass(frozen=True, slots=True, kw_only=True)
class Retries:
    """A retry policy: extra attempts after a user's exception or a timeout.

    ``max_retries``: extra attempts, 0 or more. ``initial_delay``: seconds before the first retry, 0 to
    60. ``backoff_coefficient``: each further delay is that many times longer, 1 to 10. ``max_delay``: the
    longest delay in seconds, 1 to 60. InvalidError outside these ranges.
    """

    max_retries: int
    backoff_coefficient: float = 2.0
    initial_delay: float = 1.0
    max_delay: float = 60.0

    def __post_init__(self) -> None:
        checks.integer("max_retries", self.max_retries, 0)
        checks.number("backoff_coefficient", self.backoff_coefficient, 1.0, 10.0)
        checks.number("initial_delay", self.initial_delay, 0.0, 60.0)
        checks.number("max_delay", self.max_delay, 1.0, 60.0)


def declared(value: Any) -> Retries | None:
    """``retries=`` as users write it: an int means that many extra attempts, one second apart."""
    if value is None or isinstance(value, Retries):
        return value
    if not isinstance(value, int) or isinstance(value, bool):
        raise InvalidError(
            f"`retries` must be an int or a modal_nb.Retries, not {value!r} ({checks.kind(value)})"
        )
    checks.integer("retries", value, 0)
    return Retries(max_retries=value, backoff_coefficient=1.0, initial_delay=1.0)
