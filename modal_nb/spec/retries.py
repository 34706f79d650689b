"""How often and how soon a failed input is tried again."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from modal_nb.exception import FunctionTimeoutError, InvalidError
from modal_nb.spec import checks


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """The part of ``Retries`` that the scheduler needs: numbers only."""

    #: extra attempts
    max_retries: int
    backoff_coefficient: float
    #: seconds
    initial_delay: float
    max_delay: float
    #: whether an attempt that took too long counts as one that failed
    on_timeout: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Retries:
    """A retry policy: extra attempts after a user's exception or a timeout.

    ``max_retries``: extra attempts, 0 or more. ``initial_delay``: seconds before the first retry, 0 to
    60. ``backoff_coefficient``: each further delay is that many times longer, 1 to 10. ``max_delay``: the
    longest delay in seconds, 1 to 60. InvalidError outside these ranges.

    ``on``, which Modal does not have: an exception class or a tuple of them; only these are tried again.
    A timeout then counts where one of them is FunctionTimeoutError or a base of it.
    """

    max_retries: int
    backoff_coefficient: float = 2.0
    initial_delay: float = 1.0
    max_delay: float = 60.0
    on: type[BaseException] | tuple[type[BaseException], ...] | None = None

    def __post_init__(self) -> None:
        checks.integer("max_retries", self.max_retries, 0)
        checks.number("backoff_coefficient", self.backoff_coefficient, 1.0, 10.0)
        checks.number("initial_delay", self.initial_delay, 0.0, 60.0)
        checks.number("max_delay", self.max_delay, 1.0, 60.0)
        if self.on is not None:
            object.__setattr__(self, "on", _exceptions(self.on))


def policy_of(retries: Retries | None) -> RetryPolicy | None:
    """What the scheduler is told; None: nothing is ever tried again."""
    if retries is None or not retries.max_retries:
        return None
    on_timeout = retries.on is None or issubclass(FunctionTimeoutError, retries.on)
    return RetryPolicy(
        retries.max_retries,
        retries.backoff_coefficient,
        retries.initial_delay,
        retries.max_delay,
        on_timeout,
    )


def _exceptions(value: Any) -> tuple[type[BaseException], ...]:
    classes = value if isinstance(value, tuple | list) else (value,)
    for item in classes:
        if not isinstance(item, type) or not issubclass(item, BaseException):
            raise InvalidError(
                f"`on` must be an exception class or a tuple of them, such as on=(ValueError, OSError), not "
                f"{value!r} ({checks.kind(item)})"
            )
    if not classes:
        raise InvalidError(
            f"`on` must name at least one exception class, not {value!r}; leave it out for all of them"
        )
    return tuple(classes)


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
