"""The checks that options share: each returns the value or raises InvalidError.

The sentence names the option, the value and what would fit.
"""

from __future__ import annotations

import math
import re
from collections.abc import Collection, Mapping
from typing import Any, TypeVar

from modal_nb.exception import InvalidError

T = TypeVar("T")

#: a "u" is mostly spoken as "you"
_VOWEL = re.compile(r"[aeio]|u[np](?!i)", re.IGNORECASE)
_OBJECT_NAME = re.compile(r"[A-Za-z0-9._-]{1,64}")


def kind(value: object) -> str:
    """The type's name for a message; classes are shown as such."""
    return f"class {value.__name__}" if isinstance(value, type) else type(value).__name__


def an(noun: str) -> str:
    """The noun with its article, as it is spoken: "a str", "an int", "a UUID", "an Unset"."""
    return f"{'an' if _VOWEL.match(noun) else 'a'} {noun}"


def integer(option: str, value: Any, low: int | None = None, high: int | None = None) -> int:
    """An int within ``low..high``, both included; bool is not an int here."""
    if not isinstance(value, int) or isinstance(value, bool):
        raise InvalidError(f"`{option}` must be an int, not {value!r} ({kind(value)})")
    _within(option, value, low, high)
    return value


def number(option: str, value: Any, low: float | None = None, high: float | None = None) -> float:
    """An int or a finite float within ``low..high``, both included."""
    if not isinstance(value, int | float) or isinstance(value, bool):
        raise InvalidError(f"`{option}` must be a number, not {value!r} ({kind(value)})")
    if not math.isfinite(value):
        raise InvalidError(f"`{option}` must be a finite number, not {value!r}")
    _within(option, value, low, high)
    return value


def _within(option: str, value: float, low: float | None, high: float | None) -> None:
    if (low is None or value >= low) and (high is None or value <= high):
        return
    if high is None:
        raise InvalidError(f"`{option}` must be at least {low}, not {value}")
    raise InvalidError(f"`{option}` must be between {low} and {high}, not {value}")


def boolean(option: str, value: Any) -> bool:
    if not isinstance(value, bool):
        raise InvalidError(f"`{option}` must be True or False, not {value!r} ({kind(value)})")
    return value


def text(option: str, value: Any) -> str:
    if not isinstance(value, str) or not value:
        raise InvalidError(f"`{option}` must be a non-empty string, not {value!r} ({kind(value)})")
    return value


def texts(option: str, value: Any) -> tuple[str, ...]:
    """A list or tuple of strings; a bare string is refused, because its letters would count as items."""
    if not isinstance(value, list | tuple):
        raise InvalidError(f"`{option}` must be a list of strings, not {value!r} ({kind(value)})")
    return tuple(text(option, item) for item in value)


def object_name(what: str, value: Any) -> str:
    """The name of something that others look up: letters, digits, dots, dashes, underscores, 64 at most."""
    if not isinstance(value, str) or not _OBJECT_NAME.fullmatch(value):
        raise InvalidError(
            f"Invalid {what} name: {value!r}. Names are strings of 1 to 64 letters, digits, dots, "
            f"dashes and underscores."
        )
    return value


def instance(option: str, value: Any, wanted: type[T]) -> T:
    if not isinstance(value, wanted):
        raise InvalidError(f"`{option}` must be a modal_nb.{wanted.__name__}, not {value!r} ({kind(value)})")
    return value


def instances(option: str, value: Any, wanted: type[T]) -> tuple[T, ...]:
    """A list or tuple of one class of declarations."""
    if not isinstance(value, Collection) or isinstance(value, str | bytes | Mapping):
        raise InvalidError(
            f"`{option}` must be a list of modal_nb.{wanted.__name__} objects, not {value!r} ({kind(value)})"
        )
    for item in value:
        if not isinstance(item, wanted):
            raise InvalidError(
                f"`{option}` must hold modal_nb.{wanted.__name__} objects only, not {item!r} ({kind(item)})"
            )
    return tuple(value)
