"""A decorated class as data: its methods and its parameters, and the rules for constructor arguments."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from modal_nb.exception import InvalidError
from modal_nb.spec.fingerprint import fingerprint
from modal_nb.spec.scaling import Batching

#: what all parameters of one instance may take together, in bytes
PARAMETER_BYTES = 16 * 1024


class ParameterType(StrEnum):
    """The four types a parameter may have; the value is the annotation's name."""

    INT = "int"
    STR = "str"
    BYTES = "bytes"
    BOOL = "bool"

    def exact(self, value: Any) -> int | str | bytes | bool:
        """The value as exactly this type; TypeError if it is none.

        A bool passes as int, an int does not pass as bool.
        """
        if self is ParameterType.INT and isinstance(value, int):
            return int(value)
        if self is ParameterType.STR and isinstance(value, str):
            return str.__str__(value)
        if self is ParameterType.BYTES and isinstance(value, bytes):
            return bytes(value)
        if self is ParameterType.BOOL and isinstance(value, bool):
            return value
        raise TypeError(f"Expected {self.value}, got {type(value).__name__}")


#: the annotations that name them
PARAMETER_TYPES: dict[Any, ParameterType] = {
    int: ParameterType.INT,
    str: ParameterType.STR,
    bytes: ParameterType.BYTES,
    bool: ParameterType.BOOL,
}


@dataclass(frozen=True, slots=True)
class ParameterSpec:
    """One constructor argument of a class."""

    name: str
    type: ParameterType
    has_default: bool = False
    default: int | str | bytes | bool | None = None


@dataclass(frozen=True, slots=True)
class MethodSpec:
    """One method that containers serve."""

    name: str
    is_generator: bool = False
    is_async: bool = False
    #: it gets lists, gathered from single calls
    batching: Batching | None = None
    #: the web decorator it has, such as "fastapi_endpoint"; it cannot be called then
    web: str | None = None


def label_of(service: str, method: str) -> str:
    """How a method is called in messages; a function is served by a class of its own name."""
    return service if service == method else f"{service}.{method}"


@dataclass(frozen=True, slots=True)
class ClsSpec:
    """What a class offers."""

    name: str
    methods: tuple[MethodSpec, ...] = ()
    #: constructor arguments in schema order: base classes first, then as written
    parameters: tuple[ParameterSpec, ...] = ()

    def method(self, name: str) -> MethodSpec | None:
        return next((method for method in self.methods if method.name == name), None)

    def bind(self, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> dict[str, int | str | bytes | bool]:
        """Constructor arguments as the pool key sees them: in schema order, after defaults, exact types.

        InvalidError for positional, unknown, missing or too large ones; TypeError for a wrong type.
        """
        self._check_names(args, kwargs)
        bound: dict[str, int | str | bytes | bool] = {}
        for parameter in self.parameters:
            value = kwargs.get(parameter.name, parameter.default)
            try:
                bound[parameter.name] = parameter.type.exact(value)
            except TypeError as error:
                raise TypeError(f"{error} for the parameter {parameter.name!r} of {self.name}") from None
        self._check_size(bound)
        return bound

    def _check_names(self, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> None:
        names = [parameter.name for parameter in self.parameters]
        if not names and (args or kwargs):
            raise InvalidError(
                f"{self.name}() takes no arguments: the class has no parameters. "
                "Declare each as a class attribute, such as `size: int = modal.parameter()`."
            )
        if args:
            raise InvalidError(
                f"{self.name}() takes keyword arguments only; write {self.name}({names[0]}=...) "
                f"instead of positional arguments. Its parameters: {', '.join(names)}."
            )
        if unknown := [name for name in kwargs if name not in names]:
            listed = ", ".join(map(repr, unknown))
            raise InvalidError(f"{self.name}() got unknown parameters: {listed}. It has: {', '.join(names)}.")
        needed = [parameter.name for parameter in self.parameters if not parameter.has_default]
        if missing := [name for name in needed if name not in kwargs]:
            raise InvalidError(
                f"{self.name}() is missing required parameters: {', '.join(map(repr, missing))}. "
                f"Write {self.name}({', '.join(f'{name}=...' for name in missing)})."
            )

    def _check_size(self, bound: Mapping[str, Any]) -> None:
        size = sum(
            len(value) if isinstance(value, bytes) else len(str(value).encode()) for value in bound.values()
        )
        if size > PARAMETER_BYTES:
            raise InvalidError(
                f"The parameters of {self.name}() take {size} bytes, more than {PARAMETER_BYTES}. "
                "Pass large values to a method, or a path or a key to the constructor."
            )


def parameters_key(bound: Mapping[str, Any]) -> str:
    """What tells two parameter sets of one class apart, from the result of ``ClsSpec.bind``."""
    return fingerprint(tuple(bound.items()))
