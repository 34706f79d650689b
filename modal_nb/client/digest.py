"""A hash of a value with all the code and data that it refers to by value, the same in every process.

Unlike a pickle it does not depend on file names, line numbers, the identity of strings or the order of sets.
A value that cannot be hashed so makes the hash new each time: it counts as changed.
"""

from __future__ import annotations

import functools
import marshal
import os
import sys
import types
from collections.abc import Callable, Iterable
from hashlib import blake2b
from typing import Any

from modal_nb.runtime import pickler
from modal_nb.runtime.code_names import global_names, imported_names
from modal_nb.runtime.partial_function import PartialFunction
from modal_nb.runtime.shape import ORDER, members

_SCALARS: frozenset[type] = frozenset(
    {type(None), bool, int, float, complex, str, bytes, type(...), type(NotImplemented)}
)
#: what marshal writes the same way in every process
_MARSHALLED: frozenset[type] = frozenset({type(None), bool, int, float, complex, str, bytes})
#: marshal's last format without references between equal objects
_MARSHAL_FORMAT = 2

#: values looked at one by one; what is left is then hashed by its pickle, which is fast but less exact
_MAX_VISITS = 100_000

#: attributes of a class that say nothing about what it does, or that differ from process to process
_SKIPPED = frozenset(
    {"__dict__", "__weakref__", "__module__", "__qualname__", "_abc_impl", ORDER}
) | frozenset({"__firstlineno__", "__static_attributes__"})
#: what pydantic makes of the rest of a class; like its ``cls_ref`` this holds addresses
_DERIVED = frozenset(
    f"__pydantic_{name}__" for name in ("core_schema", "validator", "serializer", "parent_namespace")
)


class Digest:
    """One walk over one value. ``hexdigest`` is the result, ``modules`` what the value refers to by name."""

    def __init__(self) -> None:
        self._hash = blake2b(digest_size=20)
        #: id -> number of what was met before; the values are kept alive, so that no id is used twice
        self._met: dict[int, int] = {}
        self._kept: list[Any] = []
        self._visits = 0
        self.modules: set[str] = set()
        #: why the value cannot be hashed for good; empty if it can
        self.problems: list[str] = []

    def hexdigest(self) -> str:
        return self._hash.hexdigest()

    def _say(self, tag: str, data: bytes = b"") -> None:
        self._hash.update(f"{tag}:{len(data)}:".encode())
        self._hash.update(data)

    def _say_again(self, value: Any) -> bool:
        """Whether the value was met before; then a back reference stands for it."""
        number = self._met.get(id(value))
        if number is not None:
            self._say("again", str(number).encode())
            return True
        self._met[id(value)] = len(self._met)
        self._kept.append(value)
        return False

    def _give_up(self, value: Any, why: str) -> None:
        self.problems.append(f"{type(value).__qualname__}: {why}")
        self._say("unknown", os.urandom(16))

    # --- any value ---

    def add(self, value: Any) -> None:
        """Take one value into the hash."""
        kind = type(value)
        if kind in _SCALARS:
            self._say(kind.__name__, value if kind is bytes else repr(value).encode("utf-8", "surrogatepass"))
            return
        self._visits += 1
        if self._visits > _MAX_VISITS:
            self._add_pickle(value)
            return
        getattr(self, f"_add_{_KINDS.get(kind) or _family(value, kind)}")(value)

    def _add_all(self, tag: str, values: Iterable[Any]) -> None:
        values = list(values)
        self._say(tag, str(len(values)).encode())
        for value in values:
            self.add(value)

    def _add_pickle(self, value: Any) -> None:
        try:
            self._say("pickle", pickler.dumps(value))
        except Exception as error:  # noqa: BLE001 - user code
            self._give_up(value, str(error))

    # --- data ---

    def _add_row(self, row: list[Any] | tuple[Any, ...]) -> None:
        if type(row) is list and self._say_again(row):
            return
        if len(row) > 8 and _MARSHALLED.issuperset(map(type, row)):
            self._say(f"flat {type(row).__name__}", marshal.dumps(row, _MARSHAL_FORMAT))
        else:
            self._add_all(type(row).__name__, row)

    def _add_dict(self, items: Any) -> None:
        if self._say_again(items):
            return
        # the order of a dict is part of what code sees of it
        self._say("dict", str(len(items)).encode())
        for key, value in list(items.items()):
            self.add(key)
            self.add(value)

    def _add_set(self, elements: Any) -> None:
        if type(elements) is set and self._say_again(elements):
            return
        self._say(type(elements).__name__, b"".join(sorted(map(self._apart, elements))))

    def _apart(self, element: Any) -> bytes:
        """The hash of one element of a set, which may not depend on what was met before it."""
        part = Digest()
        part.add(element)
        self.modules |= part.modules
        self.problems += part.problems
        return part._hash.digest()

    def _add_bytes(self, data: bytearray | memoryview) -> None:
        self._say(type(data).__name__, bytes(data))

    def _add_array(self, array: Any) -> None:
        numpy = sys.modules["numpy"]
        if array.dtype.hasobject:
            self._say("objects", repr((array.shape, array.dtype)).encode())
            self.add(array.tolist())
        elif type(array) is numpy.ndarray or isinstance(array, numpy.generic):
            self._say("array", repr((array.shape, array.dtype)).encode())
            flat = numpy.ascontiguousarray(array).reshape(-1)
            self._say("data", flat.view(numpy.uint8).data)
        else:
            self._add_object(array)

    # --- code ---

    def _add_code(self, code: types.CodeType) -> None:
        """The code without where it stands: no file name, no line numbers."""
        counts = (code.co_argcount, code.co_posonlyargcount, code.co_kwonlyargcount, code.co_flags)
        names = (code.co_names, code.co_varnames, code.co_freevars, code.co_cellvars)
        self._say("code", repr((code.co_name, counts, names)).encode())
        self._say("ops", code.co_code)
        self._say("except", getattr(code, "co_exceptiontable", b""))
        self._add_all("consts", code.co_consts)

    def _add_function(self, function: types.FunctionType) -> None:
        if self._say_again(function) or self._by_name(function):
            return
        self._add_code(function.__code__)
        self._add_all("defaults", (function.__defaults__, function.__kwdefaults__))
        self.add(dict(function.__annotations__))
        self.add(dict(function.__dict__))
        for name, cell in zip(function.__code__.co_freevars, function.__closure__ or (), strict=False):
            self._say("cell", name.encode())
            try:
                self.add(cell.cell_contents)
            except ValueError:
                self._say("empty")
        for name in global_names(function.__code__):
            self._say("global", name.encode())
            if name in function.__globals__:
                self.add(function.__globals__[name])
        self.modules.update(imported_names(function.__code__))

    def _by_name(self, thing: Any) -> bool:
        """What an import finds travels by name: the content of its module is looked at instead."""
        if not pickler.is_importable(thing):
            return False
        self.modules.add(thing.__module__)
        self._say("name", f"{thing.__module__}:{thing.__qualname__}".encode())
        return True

    def add_root(self, cls: type) -> None:
        """The class that is asked about: looked into even if an import finds it."""
        self._say_again(cls)
        self.modules.add(cls.__module__)
        self._add_class_body(cls)

    def _add_class(self, cls: type) -> None:
        if not self._say_again(cls) and not self._by_name(cls):
            self._add_class_body(cls)

    def _add_class_body(self, cls: type) -> None:
        self._say("class", cls.__name__.encode())
        self.add(type(cls))
        self._add_all("bases", cls.__bases__)
        # pickling a class sorts its attributes, so only the order of the marks counts
        ordered = members(cls)
        self._add_all("order", [name for name, value in ordered if isinstance(value, PartialFunction)])
        for name, value in sorted(ordered, key=lambda pair: pair[0]):
            if name not in _SKIPPED | _DERIVED and not isinstance(
                value, types.MemberDescriptorType | types.GetSetDescriptorType
            ):
                self._say("attribute", name.encode())
                self.add(value)

    def _add_module(self, module: types.ModuleType) -> None:
        if self._say_again(module):
            return
        self._say("module", module.__name__.encode())
        if pickler.is_importable_module(module.__name__) or module.__name__ == "__main__":
            self.modules.add(module.__name__)
        else:
            self.add({name: value for name, value in vars(module).items() if not name.startswith("__")})

    def _add_parts(self, value: Any) -> None:
        """What stands around functions, such as a property."""
        if not self._say_again(value) and not (type(value) is _CachedFunction and self._by_name(value)):
            self._add_all(type(value).__name__, _PARTS[type(value)](value))

    def _add_builtin(self, function: Any) -> None:
        owner = getattr(function, "__self__", None)
        if isinstance(owner, types.ModuleType | None):
            self._say("builtin", f"{function.__module__}:{function.__qualname__}".encode())
        else:
            self._add_all("builtin", (function.__name__, owner))

    # --- instances ---

    def _add_object(self, value: Any) -> None:
        """An instance of any class, by what pickling would write of it."""
        if self._say_again(value):
            return
        parts = getattr(type(value), "__modal_digest__", None)
        if parts is not None:  # a handle: the class that it stands for counts, not the reference that travels
            self._add_all("handle", parts(value))
            return
        try:
            reduced = pickler.reduce(value)
        except Exception as error:  # noqa: BLE001 - user code
            self._give_up(value, str(error))
            return
        if isinstance(reduced, str):
            self._say("singleton", f"{getattr(value, '__module__', '')}:{reduced}".encode())
            return
        make, args, state, rows, items = (*reduced, None, None, None)[:5]
        if type(value).__module__.startswith("pydantic._internal") and isinstance(state, tuple):
            state = [part and {name: part[name] for name in part if name != "cls_ref"} for part in state]
        self._say("object")
        self.add(make)
        self.add(args)
        self.add(state)
        for part in (rows, items):
            self.add(None if part is None else list(part))


def _family(value: Any, kind: type) -> str:
    if isinstance(value, type):
        return "class"
    if isinstance(value, types.ModuleType):
        return "module"
    return "array" if kind.__module__ == "numpy" and hasattr(value, "dtype") else "object"


_CachedFunction = type(functools.lru_cache(len))

#: type -> the parts of a value that say what it does
_PARTS: dict[type, Callable[[Any], tuple[Any, ...]]] = {
    property: lambda value: (value.fget, value.fset, value.fdel),
    staticmethod: lambda value: (value.__func__,),
    classmethod: lambda value: (value.__func__,),
    functools.partial: lambda value: (value.func, value.args, value.keywords),
    functools.cached_property: lambda value: (value.func, value.attrname),
    _CachedFunction: lambda value: (value.__wrapped__, value.cache_parameters()),
    types.MethodType: lambda value: pickler.place_of(value) or (value.__func__, value.__self__),
}

#: type -> name of the method that adds a value of exactly this type
_KINDS: dict[type, str] = {
    list: "row",
    tuple: "row",
    dict: "dict",
    types.MappingProxyType: "dict",
    set: "set",
    frozenset: "set",
    bytearray: "bytes",
    memoryview: "bytes",
    types.CodeType: "code",
    types.FunctionType: "function",
    types.BuiltinFunctionType: "builtin",
    types.ModuleType: "module",
    **dict.fromkeys(_PARTS, "parts"),
}
