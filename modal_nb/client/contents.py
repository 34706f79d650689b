"""Keys and values of Dicts, and items of Queues, as bytes that nobody opens on their way."""

from __future__ import annotations

import io
import pickle
from typing import Any

from modal_nb.exception import RequestSizeError
from modal_nb.protocol.codec import Frame
from modal_nb.runtime import payload, pickler

_PLAIN = payload.SCALARS


def key_bytes(key: Any) -> bytes:
    """Equal bytes for equal keys of one type: str, bytes, numbers, bool, None, and tuples and frozensets of them.

    As in Modal 1, 1.0 and True are three keys. TypeError for what a dict would not take as a key.
    """
    hash(key)
    if not _is_simple(key):
        return value_bytes(key, "a key")
    with io.BytesIO() as file:
        plain = pickle.Pickler(file, pickler.PROTOCOL)
        # else the bytes would tell whether two equal parts of the key are the same object
        plain.fast = True
        plain.dump(_ordered(key))
        return file.getvalue()


def value_bytes(value: Any, what: str) -> bytes:
    """One pickle with all that belongs to it. Errors name ``what`` and the part of it that cannot be pickled."""
    frames = payload.dumps(value, what=what)
    return bytes(frames[0]) if len(frames) == 1 else pickler.dumps(value)


def value_of(frame: Frame) -> Any:
    """The value, built anew. ExecutionError, DeserializationError."""
    return payload.loads([frame])


def check_size(size: int, bound: int, what: str) -> None:
    if size > bound:
        raise RequestSizeError(
            f"{what} takes {size:,} bytes, and the bound is {bound:,}: put the data into a file and its path here, or "
            "cut it into parts"
        )


def _is_simple(key: Any) -> bool:
    kind = type(key)
    return kind in _PLAIN or (kind in (tuple, frozenset) and all(map(_is_simple, key)))


class _Ordered:
    """Stands for a frozenset, whose own order differs between processes."""

    def __init__(self, parts: frozenset[Any]) -> None:
        self._parts = sorted(map(key_bytes, parts))

    def __reduce__(self) -> Any:
        return frozenset, (list(map(pickle.loads, self._parts)),)


def _ordered(key: Any) -> Any:
    if type(key) is frozenset:
        return _Ordered(key)
    return tuple(map(_ordered, key)) if type(key) is tuple else key
