"""What a class offers, read from its marks: methods, hooks as they run, parameters in schema order."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from modal_nb.runtime.parameter import Parameter
from modal_nb.runtime.partial_function import Mark, PartialFunction


@dataclass(frozen=True, slots=True)
class Batching:
    """The method gets lists of up to ``max_batch_size``, gathered for at most ``wait_ms`` milliseconds."""

    max_batch_size: int
    wait_ms: int


@dataclass(frozen=True, slots=True)
class MethodShape:
    """One method, as its decorator and its function say."""

    name: str
    function: Callable[..., Any]
    is_generator: bool
    is_async: bool
    batching: Batching | None = None
    #: it takes no self
    free: bool = False


@dataclass(frozen=True, slots=True)
class ParameterShape:
    """One parameter of the class or its bases."""

    name: str
    #: the annotation, evaluated where possible; None if there is none
    type: Any
    #: ``parameter.UNSET`` if there is none
    default: Any
    init: bool


@dataclass(frozen=True, slots=True)
class Shape:
    """A class as the rest of the system sees it. Hooks run from the base class to the derived, then in the
    order of their definition; an override takes the place of what it overrides.
    """

    name: str
    methods: dict[str, MethodShape]
    enter_snap: tuple[Callable[..., Any], ...]
    enter: tuple[Callable[..., Any], ...]
    exit: tuple[Callable[..., Any], ...]
    parameters: tuple[ParameterShape, ...]


def describe(cls: type) -> Shape:
    """Read the marks of ``cls`` and its bases. An override without a mark takes the mark away, as Python
    would.
    """
    marked = _marked(cls)
    return Shape(
        name=cls.__name__,
        methods={name: _method(name, part) for name, part in marked.items() if part.mark is Mark.METHOD},
        enter_snap=tuple(p.raw_f for p in marked.values() if p.mark is Mark.ENTER and p.snap),
        enter=tuple(p.raw_f for p in marked.values() if p.mark is Mark.ENTER and not p.snap),
        exit=tuple(p.raw_f for p in marked.values() if p.mark is Mark.EXIT),
        parameters=_parameters(cls),
    )


#: the attribute of a class that holds the names of its marks in the order of their definition
ORDER = "__modal_order__"


def remember_order(cls: type) -> None:
    """Write the order of the marks into the class and its bases: pickling a class sorts its attributes by
    name.
    """
    for base in cls.__mro__:
        names = tuple(name for name, value in members(base) if isinstance(value, PartialFunction | Parameter))
        if names and vars(base).get(ORDER) != names:
            setattr(base, ORDER, names)


def members(base: type) -> list[tuple[str, Any]]:
    """The attributes of one class, marks in the order of their definition."""
    own = dict(vars(base))
    return [(name, own[name]) for name in dict.fromkeys((*own.get(ORDER, ()), *own)) if name in own]


def _marked(cls: type) -> dict[str, PartialFunction]:
    slots: dict[str, Any] = {}
    for base in reversed(cls.__mro__):
        for name, value in members(base):
            if isinstance(value, PartialFunction) or name in slots:
                slots[name] = value
    return {name: value for name, value in slots.items() if isinstance(value, PartialFunction)}


def _method(name: str, part: PartialFunction) -> MethodShape:
    function = part.raw_f
    is_async_generator = inspect.isasyncgenfunction(function)
    generates = is_async_generator or inspect.isgeneratorfunction(function)
    batching = None
    if part.max_batch_size is not None:
        batching = Batching(part.max_batch_size, part.wait_ms or 0)
    return MethodShape(
        name=name,
        function=function,
        is_generator=generates if part.is_generator is None else part.is_generator,
        is_async=is_async_generator or inspect.iscoroutinefunction(function),
        batching=batching,
        free=part.free,
    )


def _parameters(cls: type) -> tuple[ParameterShape, ...]:
    found: dict[str, ParameterShape | None] = {}
    for base in reversed(cls.__mro__):
        annotations = inspect.get_annotations(base) if base is not object else {}
        for name, value in members(base):
            if isinstance(value, Parameter):
                annotation = _evaluate(annotations.get(name), base)
                found[name] = ParameterShape(name, annotation, value.default, value.init)
            elif name in found:
                found[name] = None
    return tuple(shape for shape in found.values() if shape is not None)


def _evaluate(annotation: Any, owner: type) -> Any:
    """Under ``from __future__ import annotations`` an annotation is text; what cannot be evaluated stays
    text.
    """
    if not isinstance(annotation, str):
        return annotation
    module = sys.modules.get(owner.__module__)
    try:
        return eval(annotation, dict(vars(module)) if module else {}, dict(vars(owner)))  # noqa: S307 - the user's own annotation
    except Exception:  # noqa: BLE001 - it names something that only a type checker sees
        return annotation
