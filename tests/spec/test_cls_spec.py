"""Constructor arguments as the pool key sees them."""

from __future__ import annotations

from enum import IntEnum, StrEnum

import pytest

from modal_nb.exception import InvalidError
from modal_nb.spec.cls_spec import PARAMETER_BYTES, ClsSpec, ParameterSpec, ParameterType, parameters_key

SPEC = ClsSpec(
    "Model",
    parameters=(
        ParameterSpec("size", ParameterType.INT),
        ParameterSpec("name", ParameterType.STR, has_default=True, default="small"),
    ),
)
PLAIN = ClsSpec("Plain")


def refusal(spec, *args, **kwargs):
    with pytest.raises(InvalidError) as caught:
        spec.bind(args, kwargs)
    return str(caught.value)


def test_defaults_come_before_the_key():
    assert SPEC.bind((), {"size": 1}) == SPEC.bind((), {"name": "small", "size": 1})


def test_the_order_of_keywords_is_the_schemas():
    assert list(SPEC.bind((), {"name": "x", "size": 1})) == ["size", "name"]


def test_positional_arguments_are_refused_with_the_keywords():
    assert refusal(SPEC, 1) == (
        "Model() takes keyword arguments only; write Model(size=...) instead of positional arguments. "
        "Its parameters: size, name."
    )


def test_missing_parameters_are_named():
    assert refusal(SPEC) == "Model() is missing required parameters: 'size'. Write Model(size=...)."


def test_unknown_parameters_are_named_with_those_that_exist():
    assert refusal(SPEC, size=1, colour="red") == (
        "Model() got unknown parameters: 'colour'. It has: size, name."
    )


def test_a_class_without_parameters_takes_no_arguments():
    assert PLAIN.bind((), {}) == {}
    assert "Plain() takes no arguments" in refusal(PLAIN, 1)
    assert "Plain() takes no arguments" in refusal(PLAIN, x=1)


@pytest.mark.parametrize(
    ("kind", "good", "wrong"),
    [
        (ParameterType.INT, [1, -1, True], ["1", 1.0, None, b"1"]),
        (ParameterType.STR, ["", "x"], [1, b"x", None]),
        (ParameterType.BYTES, [b"", b"x"], ["x", 1, bytearray(b"x")]),
        (ParameterType.BOOL, [True, False], [1, 0, "True", None]),
    ],
)
def test_types_are_exact_but_for_bool_as_int(kind, good, wrong):
    for value in good:
        assert kind.exact(value) == value
    for value in wrong:
        with pytest.raises(TypeError, match=f"Expected {kind.value}, got {type(value).__name__}"):
            kind.exact(value)


def test_a_wrong_type_names_the_parameter():
    with pytest.raises(TypeError) as caught:
        SPEC.bind((), {"size": "big"})
    assert str(caught.value) == "Expected int, got str for the parameter 'size' of Model"


class Colour(StrEnum):
    RED = "red"


class Number(IntEnum):
    ONE = 1


def test_subclasses_are_the_value_that_they_are():
    bound = SPEC.bind((), {"size": Number.ONE, "name": Colour.RED})
    assert [type(value) for value in bound.values()] == [int, str]
    assert parameters_key(bound) == parameters_key(SPEC.bind((), {"size": True, "name": "red"}))


def test_other_values_have_other_keys():
    keys = {parameters_key(SPEC.bind((), {"size": size, "name": name})) for size in (1, 2) for name in "12"}
    assert len(keys) == 4


def test_parameters_have_a_size_limit():
    SPEC.bind((), {"size": 1, "name": "x" * (PARAMETER_BYTES - 1)})
    assert "take 16385 bytes, more than 16384" in refusal(SPEC, size=1, name="x" * PARAMETER_BYTES)
