"""What callers of a Queue pass, checked; and what they took, opened."""

from __future__ import annotations

import time
import warnings
from dataclasses import dataclass
from typing import Any

from modal_nb.client.contents import value_of
from modal_nb.exception import InvalidError
from modal_nb.protocol.codec import Frame
from modal_nb.spec import checks

_PARTITION_BYTES = 64


class Until:
    """How long a ``get`` or ``put`` may still wait, over all its tries."""

    def __init__(self, what: str, block: Any, timeout: Any) -> None:
        """``block`` and ``timeout`` as they were passed; InvalidError."""
        self._end: float | None = None
        self._block = checks.boolean("block", block)
        if timeout is None:
            return
        seconds = checks.number("timeout", timeout, 0)
        if block:
            self._end = time.monotonic() + seconds
        else:
            warnings.warn(f"`timeout` is ignored by a {what} that does not block", stacklevel=4)

    def left(self) -> float | None:
        """Seconds; None: as long as it takes."""
        if not self._block:
            return 0.0
        return None if self._end is None else max(0.0, self._end - time.monotonic())


def partition_name(given: Any) -> str:
    """As it travels: an empty one for the partition without a name. InvalidError."""
    if given is None:
        return ""
    if not isinstance(given, str) or not 0 < len(given.encode()) <= _PARTITION_BYTES:
        raise InvalidError(
            f"`partition` must be a string of 1 to {_PARTITION_BYTES} bytes, not {given!r:.100}"
        )
    return given


def one_or_all(partition: Any, option: str, all_of_them: Any) -> str | None:
    """The partition; None: all of them."""
    if not checks.boolean(option, all_of_them):
        return partition_name(partition)
    if partition is not None:
        raise InvalidError(f"`partition` and `{option}=True` exclude each other: leave one of them out")
    return None


@dataclass(frozen=True, slots=True)
class Spoiled:
    """An item that was taken and cannot be opened here."""

    error: Exception


def opened(frame: Frame) -> Any:
    """The value, or a Spoiled: taken it is in any case."""
    try:
        return value_of(frame)
    except Exception as error:  # noqa: BLE001 - raised later
        return Spoiled(error)


def value_or_error(item: Any) -> Any:
    """The value of an opened item, or its error raised."""
    if isinstance(item, Spoiled):
        raise item.error
    return item
