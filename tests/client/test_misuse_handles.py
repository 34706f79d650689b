"""Handles in the wrong place, what a method has not, and an old spelling that still works."""

from __future__ import annotations

import pytest

import modal_nb as modal
from modal_nb.exception import DeprecationError, InvalidError


@pytest.fixture
def app():
    return modal.App("misuse")


@pytest.fixture
def method(app):
    @app.cls()
    class Model:
        @modal.method()
        def one(self): ...

    return Model().one


def refusal(kind, make, *args):
    with pytest.raises(kind) as caught:
        make(*args)
    assert type(caught.value) is kind
    return str(caught.value)


SERVED = [
    "<Cls Model of app 'misuse'>",
    "<Obj Model() of app 'misuse'>",
    "<Function Model.f>",
    "<Function double>",
    (
        "<method without an instance: Model.f belongs to an instance. Did you forget to instantiate the class? "
        "Write Model().f.remote(...)>"
    ),
]


@pytest.mark.parametrize("at", range(len(SERVED)))
@pytest.mark.parametrize(
    ("name", "make"),
    [
        ("method", modal.method),
        ("enter", modal.enter),
        ("exit", modal.exit),
        ("batched", lambda: modal.batched(max_batch_size=2, wait_ms=1)),
        ("fastapi_endpoint", modal.fastapi_endpoint),
        ("asgi_app", modal.asgi_app),
        ("web_server", lambda: modal.web_server(8000)),
    ],
)
def test_marks_stand_on_nothing_that_is_served_already(app, at, name, make):
    @app.cls()
    class Model:
        @modal.method()
        def f(self): ...

    @app.function()
    def double(): ...

    end = "; on a function it stands below @app.function()" if name == "batched" else ""
    assert refusal(InvalidError, make(), (Model, Model(), Model().f, double, Model.f)[at]) == (
        f"@{name} cannot decorate {SERVED[at]}, which containers serve already: "
        f"put it on a plain method in the body of a class, and only @app.cls() on the class{end}"
    )


def test_a_function_is_no_handle(app):
    @app.cls()
    class Model: ...

    @app.function()
    def double(): ...

    for served in (Model, double):
        assert refusal(TypeError, app.function(), served) == (
            f"@app.function() cannot decorate {served!r}, which containers serve already: put it on a plain function"
        )


# ---- what a method has not


@pytest.mark.parametrize(
    ("name", "use"),
    [
        ("update_autoscaler", lambda f: f.update_autoscaler(max_containers=2)),
        ("autoscaler", lambda f: f.autoscaler.update(max_containers=2)),
    ],
)
def test_the_autoscaler_of_a_method_is_that_of_its_instance(method, name, use):
    assert refusal(InvalidError, use, method) == (
        f"Model.one.{name} cannot be used on a method, because all methods share the containers of their instance: "
        "call update_autoscaler on the instance"
    )


def test_the_autoscaler_of_a_function_is_its_update_autoscaler(app):
    @app.function()
    def double(): ...

    assert refusal(InvalidError, lambda: double.autoscaler) == (
        "double.autoscaler is not supported by this version of modal_nb: use double.update_autoscaler(...), which "
        "returns all settings, too"
    )


def test_a_method_lists_only_what_can_be_used(method):
    assert {"remote", "local", "map", "spawn"} <= set(dir(method))
    assert {"autoscaler", "lookup"}.isdisjoint(dir(method))
    assert refusal(AttributeError, lambda: method.nowhere) == "'Function' object has no attribute 'nowhere'"
    assert not hasattr(method, "_repr_html_")


# ---- max_inputs of the decorator


@pytest.mark.parametrize("face", ["cls", "function"])
def test_one_input_for_a_container_is_an_old_spelling_that_still_works(app, face):
    with pytest.warns(DeprecationError) as caught:
        decorate = getattr(app, face)(max_inputs=1)
    assert [str(warning.message) for warning in caught] == [
        "`max_inputs=1` was renamed: use `single_use_containers=True`"
    ]
    assert caught[0].filename == __file__
    served = decorate(type("Model", (), {})) if face == "cls" else decorate(lambda: ...)._cls
    assert served.__modal__.options.limits.single_use
    assert getattr(app, face)(max_inputs=None)


@pytest.mark.parametrize("face", ["cls", "function"])
def test_more_inputs_for_a_container_are_another_decorator(app, face):
    make = getattr(app, face)
    assert refusal(InvalidError, lambda: make(max_inputs=4)) == (
        "`max_inputs` of the decorator can only be 1, not 4: a container that serves one input and ends, now "
        "`single_use_containers=True`. For several inputs at a time put @modal_nb.concurrent(max_inputs=4) below the "
        "decorator."
    )
    assert refusal(InvalidError, lambda: make(max_inputs=0)) == "`max_inputs` must be at least 1, not 0"
    assert refusal(InvalidError, lambda: make(max_inputs="1")) == "`max_inputs` must be an int, not '1' (str)"
    assert "unexpected keyword argument 'no'" in refusal(TypeError, lambda: make(max_inputs=4, no=1))
