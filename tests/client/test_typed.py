"""What type checkers see of a handle is what it has."""

from __future__ import annotations

import inspect
import typing
from types import SimpleNamespace

import pytest

from modal_nb.client import function_call, method, typed, typed_faces
from modal_nb.client.dual import dual
from modal_nb.client.typed_class import variant

#: of the real one, because it serves generators, too; and a name that only says what became of it
NOT_OF_PLAIN_FUNCTIONS = {"remote_gen", "lookup"}


def declared(cls: type) -> set[str]:
    return {name for base in cls.__mro__ for name in inspect.get_annotations(base)}


def public(cls: type) -> set[str]:
    return {name for base in cls.__mro__ for name in vars(base) if not name.startswith("_")}


def test_a_function_has_what_checkers_see():
    assert declared(typed.Function) == public(method.Function) - NOT_OF_PLAIN_FUNCTIONS
    assert declared(typed.GeneratorFunction) < public(method.Function)


def test_a_call_has_what_checkers_see():
    assert declared(typed.FunctionCall) == public(function_call.FunctionCall)


FACES = {
    method.Function.map: typed_faces.MapFace,
    method.Function.starmap: typed_faces.StarmapFace,
    method.Function.for_each: typed_faces.ForEachFace,
    method.Function.spawn_map: typed_faces.SpawnMapFace,
    method.Function.experimental_spawn_map: typed_faces.SpawnMapFace,
    function_call.FunctionCall.get: typed.GetFace,
    function_call.FunctionCall.iter: typed.IterFace,
    function_call.FunctionCall.cancel: typed.CancelFace,
}


def overloads(face: type) -> list:
    """Of ``__call__``: what stands there knows its own name no more."""
    call = SimpleNamespace(__module__=face.__module__, __qualname__=f"{face.__name__}.__call__")
    return list(typing.get_overloads(call))


@pytest.mark.parametrize(
    ("real", "face"), FACES.items(), ids=lambda value: getattr(value, "__name__", "face")
)
def test_a_face_takes_what_checkers_see(real, face):
    assert isinstance(real, dual)
    takes = [(p.name, p.kind) for p in inspect.signature(real._blocking).parameters.values()]
    for seen in overloads(face) or [face.__call__]:
        assert [(p.name, p.kind) for p in inspect.signature(seen).parameters.values()] == takes


def test_functions_and_calls_are_found_by_what_checkers_see():
    seen = inspect.signature(typed.FromNameFace.__call__).parameters
    assert [*seen][1:] == [*inspect.signature(method.Function.from_name).parameters]
    seen = inspect.signature(typed.FromIdFace.__call__).parameters
    assert [*seen][1:] == [*inspect.signature(function_call.FunctionCall.from_id).parameters]


def test_handles_may_be_subscripted_in_annotations():
    assert typing.get_origin(method.Function[[int], str, str]) is method.Function
    assert typing.get_origin(function_call.FunctionCall[str]) is function_call.FunctionCall


def test_a_variant_stays_the_method_that_it_is(served):
    def with_nothing(self): ...

    assert variant(with_nothing) is with_nothing
    other = type(served).with_options(served, max_containers=5)
    assert other.__modal__.options.autoscaler.max_containers == 5
