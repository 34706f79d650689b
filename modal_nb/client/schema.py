"""A class body turned into data, checked by the rules that need to see the whole class."""

from __future__ import annotations

import inspect
from typing import Any

from modal_nb.client.decorators import CONCURRENCY
from modal_nb.exception import InvalidError
from modal_nb.runtime.parameter import UNSET
from modal_nb.runtime.partial_function import PartialFunction
from modal_nb.runtime.service import describe
from modal_nb.runtime.shape import MethodShape, ParameterShape
from modal_nb.spec.cls_spec import PARAMETER_TYPES, ClsSpec, MethodSpec, ParameterSpec
from modal_nb.spec.scaling import Batching


def declare(user_cls: type) -> ClsSpec:
    """What ``@app.cls`` serves of this class; InvalidError names the member that breaks a rule."""
    if user_cls.__init__ is not object.__init__:  # type: ignore[misc]
        raise InvalidError(
            f"{user_cls.__name__} has a custom __init__ (its own or inherited), which containers do "
            f"not call. "
            "Declare arguments as class attributes, `size: int = modal_nb.parameter()`, and put "
            "set-up code into "
            "a method decorated with @modal_nb.enter()."
        )
    shape = describe(user_cls)
    methods = tuple(_method(user_cls, method) for method in shape.methods.values())
    batched = [method.name for method in methods if method.batching]
    if generating := [method.name for method in methods if method.batching and method.is_generator]:
        raise InvalidError(
            f"@batched cannot stand on the generator {generating[0]!r}: a batch has one list of results, so return it"
        )
    if batched and len(methods) > 1:
        names = ", ".join(method.name for method in methods)
        raise InvalidError(
            f"{user_cls.__name__} has the batched method {batched[0]!r} and so may have no other method "
            f"(it has: {names}); move the others to a class of their own"
        )
    parameters = tuple(_parameter(user_cls, p) for p in shape.parameters if p.init)
    return ClsSpec(user_cls.__name__, methods, parameters)


def _method(user_cls: type, shape: MethodShape) -> MethodSpec:
    if not shape.free and CONCURRENCY in getattr(shape.function, "__dict__", {}):
        raise InvalidError(
            f"@concurrent cannot stand on the method {shape.name!r}: decorate the class with it"
        )
    part = inspect.getattr_static(user_cls, shape.name)
    return MethodSpec(
        name=shape.name,
        is_generator=shape.is_generator,
        is_async=shape.is_async,
        batching=None
        if shape.batching is None
        else Batching(shape.batching.max_batch_size, shape.batching.wait_ms),
        web=part.web if isinstance(part, PartialFunction) else None,
    )


def _parameter(user_cls: type, shape: ParameterShape) -> ParameterSpec:
    where = f"{user_cls.__name__}.{shape.name}"
    if shape.type is None and shape.name not in _annotated(user_cls):
        raise InvalidError(
            f"The parameter {where} has no type annotation; write `{shape.name}: int = "
            f"modal_nb.parameter(...)` "
            "with one of int, str, bytes, bool"
        )
    try:
        type_ = PARAMETER_TYPES[shape.type]
    except (KeyError, TypeError):
        raise InvalidError(
            f"{_type_name(shape.type)} is not a supported parameter type: int, str, bytes, bool (the "
            f"parameter {where}). "
            "Pass other values to a method, or encode them as str or bytes."
        ) from None
    if shape.default is UNSET:
        return ParameterSpec(shape.name, type_)
    try:
        return ParameterSpec(shape.name, type_, has_default=True, default=type_.exact(shape.default))
    except TypeError as error:
        raise InvalidError(f"{error} as the default of the parameter {where}") from None


def _annotated(user_cls: type) -> set[str]:
    return {name for base in user_cls.__mro__ for name in inspect.get_annotations(base)}


def _type_name(annotation: Any) -> str:
    if isinstance(annotation, str):
        return repr(annotation)
    return (
        annotation.__name__
        if isinstance(annotation, type) and not hasattr(annotation, "__args__")
        else str(annotation)
    )
