"""Cloudpickle, taught what notebooks use and it cannot carry: two decorators, functions of their kernel; and to leave
code the name of the cell that it came from: tracebacks and debuggers find its lines by that.
"""

from __future__ import annotations

import copyreg
import functools
import importlib
import io
import pickle
import sys
import types
from collections import ChainMap
from collections.abc import Callable
from typing import Any, ClassVar

import cloudpickle  # type: ignore[import-untyped]

PROTOCOL = 5

_CachedFunction = type(functools.lru_cache(len))


def dumps(value: Any, buffer_callback: Callable[[pickle.PickleBuffer], Any] | None = None) -> bytes:
    """The pickle of any value: classes and functions of notebooks and scripts by value, those of modules by
    name.
    """
    with io.BytesIO() as file:
        _Pickler(file, PROTOCOL, buffer_callback).dump(value)
        return file.getvalue()


def reduce(value: Any) -> Any:
    """What pickling would write of an instance: the name of a global, or (function, arguments, state, ...)."""
    reducer = _OURS.get(type(value)) or copyreg.dispatch_table.get(type(value))
    # the last protocol that has no buffers out of band
    return value.__reduce_ex__(4) if reducer is None else reducer(value)


def _reduce_cached_function(function: Any) -> Any:
    """A function with ``lru_cache`` would travel by name, which means nothing elsewhere."""
    if is_importable(function):
        return function.__reduce__()
    return _make_cached_function, (function.__wrapped__, function.cache_parameters())


def _make_cached_function(function: Callable[..., Any], parameters: dict[str, Any]) -> Any:
    return functools.lru_cache(**parameters)(function)


def _reduce_cached_property(prop: functools.cached_property[Any]) -> Any:
    """Up to Python 3.11 it holds a lock."""
    return functools.cached_property, (prop.func,), {"attrname": prop.attrname}


def _reduce_code(code: types.CodeType) -> Any:
    """Cloudpickle 3.1.3 and later put one name for all files."""
    make, arguments = cloudpickle.Pickler.dispatch_table[types.CodeType](code)
    return _make_code, (code.co_filename, make, *arguments)


def _make_code(filename: str, make: Callable[..., types.CodeType], *arguments: Any) -> types.CodeType:
    return make(*arguments).replace(co_filename=filename)


#: what a notebook's kernel puts in the place of functions that ask its user -> what stands there elsewhere
_OF_NOTEBOOKS = {
    ("IPython.core.interactiveshell", "get_ipython"): ("builtins", "get_ipython"),
    ("ipykernel.kernelbase", "getpass"): ("getpass", "getpass"),
    ("ipykernel.kernelbase", "raw_input"): ("builtins", "input"),
}


def place_of(bound: types.MethodType) -> tuple[str, str] | None:
    """A cell that says ``from getpass import getpass`` has a method of its kernel by that name: (module, name) of what
    is meant; None for other methods.
    """
    function = bound.__func__
    return _OF_NOTEBOOKS.get((getattr(function, "__module__", ""), getattr(function, "__name__", "")))


def _reduce_method(bound: types.MethodType) -> Any:
    place = place_of(bound)
    if place is None:
        return cloudpickle.Pickler.dispatch_table[types.MethodType](bound)
    return _found, place


def _found(module: str, name: str) -> Any:
    return getattr(importlib.import_module(module), name)


def is_importable(thing: Any) -> bool:
    """Whether an import finds this function or class by its name, so that only the name is pickled."""
    module, name = getattr(thing, "__module__", None), getattr(thing, "__qualname__", None)
    if not isinstance(module, str) or not isinstance(name, str) or not is_importable_module(module):
        return False
    found: Any = sys.modules[module]
    for part in name.split("."):
        found = getattr(found, part, None)
    return found is thing


def is_importable_module(name: str) -> bool:
    """Whether what a module defines travels by name."""
    return (
        name in sys.modules and name != "__main__" and name not in cloudpickle.list_registry_pickle_by_value()
    )


_OURS: dict[type, Callable[[Any], Any]] = {
    _CachedFunction: _reduce_cached_function,
    functools.cached_property: _reduce_cached_property,
    types.CodeType: _reduce_code,
    types.MethodType: _reduce_method,
}


class _Pickler(cloudpickle.Pickler):  # type: ignore[misc]
    dispatch_table: ClassVar[Any] = ChainMap(_OURS, cloudpickle.Pickler.dispatch_table)
