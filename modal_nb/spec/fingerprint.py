"""One short text for equal declarations, the same in every process: what pool keys are made of."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from enum import Enum
from hashlib import blake2b


def fingerprint(value: object) -> str:
    """32 hex digits; equal for equal values. One way: a secret inside cannot be read from it."""
    return blake2b(canonical(value).encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()


def canonical(value: object) -> str:
    """Text that tells values and their types apart and does not depend on the order of dicts and sets."""
    if value is None or isinstance(value, Enum):
        return str(value)
    if isinstance(value, bool | int | float | str | bytes):
        return f"{type(value).__name__}:{value!r}"
    if isinstance(value, tuple | list):
        return f"({','.join(canonical(item) for item in value)})"
    if isinstance(value, AbstractSet):
        return f"{{{','.join(sorted(canonical(item) for item in value))}}}"
    if isinstance(value, Mapping):
        pairs = sorted((canonical(key), canonical(item)) for key, item in value.items())
        return f"{{{','.join(f'{key}={item}' for key, item in pairs)}}}"
    if dataclasses.is_dataclass(value):
        names = [field.name for field in dataclasses.fields(value)]
        fields = ",".join(f"{name}={canonical(getattr(value, name))}" for name in names)
        return f"{type(value).__name__}({fields})"
    name = getattr(value, "__qualname__", None)
    return f"{getattr(value, '__module__', '')}.{name}" if name else f"{type(value).__qualname__}:{value!r}"
