"""Parameters declared or given wrongly."""

from __future__ import annotations

import threading
from typing import Optional

import pytest

import modal_nb as modal
from modal_nb.exception import InvalidError


@pytest.fixture
def app():
    return modal.App("misuse")


def refusal(kind, make, *args, **kwargs):
    with pytest.raises(kind) as caught:
        make(*args, **kwargs)
    return str(caught.value)


@pytest.mark.parametrize(
    ("annotation", "shown"),
    [
        (float, "float"),
        (list, "list"),
        (dict, "dict"),
        (list[int], "list[int]"),
        (Optional[int], "typing.Optional[int]"),  # noqa: UP045 - the old spelling is the case
        (int | None, "int | None"),
        (None, "None"),
        ("float", "float"),
        ("NotDefinedAnywhere", "'NotDefinedAnywhere'"),
    ],
)
def test_four_types_are_supported(app, annotation, shown):
    made = type(
        "Model", (), {"__annotations__": {"x": annotation}, "x": modal.parameter(), "__module__": __name__}
    )
    sentence = refusal(InvalidError, app.cls(), made)
    assert sentence.startswith(
        f"{shown} is not a supported parameter type: int, str, bytes, bool (the parameter Model.x)."
    )


def test_a_parameter_needs_its_type(app):
    class Model:
        x = modal.parameter()

    assert (
        "The parameter Model.x has no type annotation; write `x: int = modal_nb.parameter(...)`"
        in refusal(InvalidError, app.cls(), Model)
    )


def test_a_default_has_the_type(app):
    class Model:
        x: int = modal.parameter(default="1")

    assert (
        refusal(InvalidError, app.cls(), Model)
        == "Expected int, got str as the default of the parameter Model.x"
    )


def test_a_default_without_init_is_refused():
    assert "`default` has no effect" in refusal(InvalidError, modal.parameter, default=1, init=False)
    assert "`init` must be True or False, not 3" in refusal(InvalidError, modal.parameter, init=3)


@pytest.fixture
def served(app):
    @app.cls()
    class Model:
        size: int = modal.parameter()
        name: str = modal.parameter(default="small")
        later: dict = modal.parameter(init=False)

        @modal.method()
        def predict(self): ...

        def double(self):
            return self.size * 2

    return Model


def test_nothing_is_checked_at_construction(served):
    for obj in (served(1), served(), served(colour="red"), served(size="big")):
        assert obj.predict is obj.predict


@pytest.mark.parametrize(
    ("args", "kwargs", "kind", "sentence"),
    [
        ((1,), {}, InvalidError, "Model() takes keyword arguments only; write Model(size=...)"),
        ((), {}, InvalidError, "Model() is missing required parameters: 'size'"),
        ((), {"size": 1, "colour": "red"}, InvalidError, "Model() got unknown parameters: 'colour'"),
        ((), {"size": 1, "later": {}}, InvalidError, "Model() got unknown parameters: 'later'"),
        ((), {"size": "big"}, TypeError, "Expected int, got str for the parameter 'size' of Model"),
    ],
)
def test_arguments_are_checked_at_first_use(served, args, kwargs, kind, sentence):
    obj = served(*args, **kwargs)
    assert refusal(kind, obj.__modal__.parameters).startswith(sentence)


def test_local_attributes_use_pythons_binding(served):
    assert refusal(TypeError, lambda: served().double()) == "missing a required argument: 'size'"
    assert "unexpected keyword argument 'colour'" in refusal(
        TypeError, lambda: served(size=1, colour="red").double()
    )
    # types are not checked locally
    assert served(size="big").double() == "bigbig"


@pytest.mark.parametrize("value", [lambda: 1, threading.Lock(), (x for x in ())])
def test_an_argument_that_cannot_be_pickled_is_refused_at_once(served, value):
    assert "The argument 'size' of Model() cannot be pickled" in refusal(ValueError, served, size=value)
    assert "The argument number 1 of Model() cannot be pickled" in refusal(ValueError, served, value)


def test_a_parameter_without_value_is_an_attribute_error(served):
    obj = served(size=1)
    assert "'later'" in refusal(AttributeError, lambda: obj.later)
