"""The check of an index into the inputs of a function call."""

from __future__ import annotations

from typing import Any

from modal_nb.exception import InvalidError


def check_index(call_id: str, index: Any, count: int) -> None:
    """InvalidError for an index that a call of so many inputs does not have."""
    if isinstance(index, bool) or not isinstance(index, int):
        raise InvalidError(f"`index` must be a whole number, not {index!r}")
    if not 0 <= index < count:
        known = "its only index is 0" if count == 1 else f"it has {count or 'no'} inputs, counted from 0"
        raise InvalidError(f"index={index} is out of range of {call_id}: {known}")
