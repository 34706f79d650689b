"""Finding the part of a value that cannot be pickled, to name it in the error."""

from __future__ import annotations

import builtins
import pickle
import types
from collections.abc import Iterator
from typing import Any

from modal_nb.runtime import pickler
from modal_nb.runtime.code_names import global_names
from modal_nb.spec import checks

_MAX_TRIES = 300
_MAX_DEPTH = 12
_REBUILT = (TypeError, AttributeError, pickle.PicklingError)


def explain(error: Exception, value: Any, what: str) -> Exception:
    """The error to raise instead of ``error``: of the same type, saying which part of ``what`` is at fault.

    An error of the user's own code stays the object that it is and gets the sentence as a note.
    """
    path, culprit = culprit_of(value)
    where = f"{what}{path}" if path else what
    sentence = (
        f"The {where} ({checks.an(_type_name(culprit))}) cannot be pickled, so it cannot travel to or from a "
        f"container: {error}. Make it inside the container instead, or pass plain data."
    )
    for kind in _REBUILT:
        if type(error) is kind:
            return kind(sentence)
    error.add_note(sentence)
    return error


def culprit_of(value: Any) -> tuple[str, Any]:
    """(path, part): the deepest part of ``value`` that does not pickle by itself; path '' is the value."""
    search = _Search()
    return search.descend(value, "", 0)


class _Search:
    def __init__(self) -> None:
        self.tries = _MAX_TRIES
        self.seen: set[int] = set()

    def descend(self, value: Any, path: str, depth: int) -> tuple[str, Any]:
        self.seen.add(id(value))
        if depth < _MAX_DEPTH:
            for step, part in parts_of(value):
                if id(part) in self.seen or self.pickles(part):
                    continue
                return self.descend(part, path + step, depth + 1)
        return path, value

    def pickles(self, part: Any) -> bool:
        if self.tries <= 0:
            return True
        self.tries -= 1
        try:
            pickler.dumps(part)
        except Exception:  # noqa: BLE001 - user code
            return False
        return True


def parts_of(value: Any) -> Iterator[tuple[str, Any]]:
    """The parts that pickling ``value`` goes into, each with the step that leads there."""
    raw = getattr(value, "raw_f", None)
    if isinstance(raw, types.FunctionType):
        value = raw
    if isinstance(value, types.FunctionType):
        return _parts_of_function(value)
    if isinstance(value, type):
        return _parts_of_class(value)
    if isinstance(value, dict):
        return ((f"[{_short(key)}]", part) for key, part in list(value.items()))
    if isinstance(value, list | tuple):
        return ((f"[{index}]", part) for index, part in enumerate(value))
    if isinstance(value, set | frozenset):
        return ((f" (element {_short(part)})", part) for part in value)
    return _parts_of_object(value)


def _parts_of_object(value: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(value, types.MethodType):
        yield ".__self__", value.__self__
        yield ".__func__", value.__func__
    elif isinstance(value, staticmethod | classmethod):
        yield "", value.__func__
    elif isinstance(value, property):
        yield from (("", f) for f in (value.fget, value.fset, value.fdel) if f is not None)
    else:
        state = getattr(value, "__dict__", None)
        if isinstance(state, dict):
            yield from ((f".{name}", part) for name, part in list(state.items()))


def _parts_of_class(value: type) -> Iterator[tuple[str, Any]]:
    for name, part in list(vars(value).items()):
        if name not in _CLASS_SLOTS:
            yield f".{name}", part
    for base in value.__bases__:
        if base is not object:
            yield f" (base class {base.__name__})", base


_CLASS_SLOTS = frozenset(
    {"__dict__", "__weakref__", "__module__", "__doc__", "__qualname__", "__abstractmethods__"}
)


def _parts_of_function(function: types.FunctionType) -> Iterator[tuple[str, Any]]:
    for name in global_names(function.__code__):
        if name in function.__globals__ and not hasattr(builtins, name):
            yield f" -> global {name!r}", function.__globals__[name]
    for name, cell in zip(function.__code__.co_freevars, function.__closure__ or (), strict=False):
        try:
            yield f" -> variable {name!r}", cell.cell_contents
        except ValueError:
            continue
    yield from ((f" -> default {index + 1}", part) for index, part in enumerate(function.__defaults__ or ()))
    yield from ((f" -> default {name!r}", part) for name, part in (function.__kwdefaults__ or {}).items())


def _type_name(value: Any) -> str:
    kind = type(value)
    return (
        kind.__qualname__
        if kind.__module__ in {"builtins", "__main__"}
        else f"{kind.__module__}.{kind.__qualname__}"
    )


def _short(value: Any) -> str:
    try:
        text = repr(value)
    except Exception:  # noqa: BLE001 - user code
        text = _type_name(value)
    return text if len(text) <= 40 else text[:37] + "..."


def heaviest(value: Any) -> tuple[str, int]:
    """(path, bytes) of the biggest part that pickling ``value`` goes into; path is '' if there is no part."""
    path, size = "", 0
    while True:
        best: tuple[str, int, Any] | None = None
        for step, part in parts_of(value):
            weight = _weight(part)
            if best is None or weight > best[1]:
                best = (step, weight, part)
        # a part that holds less than half of the whole is no explanation of it
        if best is None or best[1] < max(size / 2, 1) or path.count(" ") + path.count(".") > _MAX_DEPTH:
            return path, size
        path, size, value = path + best[0], best[1], best[2]
        if not isinstance(value, types.FunctionType | type) and not hasattr(value, "raw_f"):
            return path, size


def _weight(part: Any) -> int:
    try:
        return len(pickler.dumps(part))
    except Exception:  # noqa: BLE001 - user code
        return 0
