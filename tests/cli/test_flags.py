"""Which flag a parameter becomes, and what value the function then gets."""

from __future__ import annotations

import enum
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any, Literal, Optional

import pytest

from modal_nb.cli.flags import Flags, called, parameters_of
from modal_nb.cli.misuse import Misuse


class Colour(enum.Enum):
    RED = 1
    BLUE = 2


class Word(enum.StrEnum):
    HI = "hello"


def given(function, line):
    parameters = parameters_of(function)
    values = Flags(function.__name__, function.__doc__, parameters).parse("run", line.split())
    return called(function, parameters, values)


def function_of(annotation, default=...):
    """One parameter ``x`` of this type."""

    def function(x):
        return x

    function.__annotations__ = {} if annotation is None else {"x": annotation}
    if default is not ...:
        function.__defaults__ = (default,)
    return function


@pytest.mark.parametrize(
    ("annotation", "line", "value"),
    [
        (None, "--x 1", "1"),
        (str, "--x 1", "1"),
        (Any, "--x 1", "1"),
        (int, "--x -1", -1),
        (float, "--x 1e3", 1000.0),
        (bool, "--x", True),
        (bool, "--no-x", False),
        (bytes, "--x ä", b"\xc3\xa4"),
        (Path, "--x a/b", Path("a/b")),
        (datetime, "--x 2026-01-31", datetime(2026, 1, 31)),  # noqa: DTZ001
        (datetime, "--x 2026-01-31T12:30", datetime(2026, 1, 31, 12, 30)),  # noqa: DTZ001
        (Optional[int], "--x 1", 1),  # noqa: UP045
        (int | None, "--x 1", 1),
        ("int | None", "--x 1", 1),
        (Annotated[int, "positive"], "--x 1", 1),
        (list[int], "--x 1 --x 2", [1, 2]),
        (list, "--x 1", ["1"]),
        (Sequence[float], "--x 1", [1.0]),
        (list[int] | None, "--x 1", [1]),
        (list[Colour], "--x RED --x BLUE", [Colour.RED, Colour.BLUE]),
        (Literal["a", 3], "--x 3", 3),
        (Literal["a", 3], "--x a", "a"),
        (Colour, "--x BLUE", Colour.BLUE),
        (Word, "--x hello", Word.HI),
        (Optional[Literal["a"]], "--x a", "a"),  # noqa: UP045
    ],
)
def test_the_type_of_a_parameter_is_that_of_its_flag(annotation, line, value):
    found = given(function_of(annotation), line)
    assert (found, type(found)) == (value, type(value))


@pytest.mark.parametrize("default", [None, 5, "", "text", (), [1], b"x", Colour.RED, True])
@pytest.mark.parametrize("annotation", [None, str, bool | None, list[int] | None, Colour | None])
def test_what_is_not_given_is_the_functions_own_default(annotation, default):
    assert given(function_of(annotation, default), "") is default


@pytest.mark.parametrize("annotation", [None, int, bool, list[int], Literal["a"], Colour])
def test_what_has_no_default_is_required(annotation):
    with pytest.raises(Misuse, match=r"^Missing option '--x'"):
        given(function_of(annotation), "")


@pytest.mark.parametrize(
    ("annotation", "line", "sentence"),
    [
        (int, "--x a", "'a' is not a valid integer"),
        (float, "--x a", "'a' is not a valid float"),
        (datetime, "--x a", "'a' is not a datetime, such as 2026-01-31T12:00"),
        (Literal["a", 3], "--x b", "'b' is not one of a, 3"),
        (Colour, "--x red", "'red' is not one of RED, BLUE"),
        (list[int], "--x 1 --x b", "'b' is not a valid integer"),
        (int, "--y 1", "No such option '--y'"),
    ],
)
def test_a_value_that_does_not_fit_is_named(annotation, line, sentence):
    with pytest.raises(Misuse, match=sentence):
        given(function_of(annotation), line)


def test_underscores_and_dashes_are_the_same_in_a_flag():
    def function(long_name: int):
        return long_name

    assert given(function, "--long-name 1") == given(function, "--long_name 1") == 1


def test_arguments_go_where_their_parameters_are():
    def function(a, /, b: int = 2, *rest: int, c: int = 3, **more):
        return a, b, rest, c, more

    assert given(function, "--a x 7 8 --c 4") == ("x", 2, (7, 8), 4, {})
    assert given(function, "--a x") == ("x", 2, (), 3, {})


def test_a_type_without_a_flag_needs_a_default():
    assert given(function_of(dict, None), "") is None
    with pytest.raises(
        Misuse, match=r"no flag can be made of the parameter 'x' of function, whose type is dict"
    ):
        given(function_of(dict), "")


def test_annotations_that_nobody_can_evaluate_are_texts():
    def function(x: nowhere.Type = "d"):  # noqa: F821
        return x

    assert given(function, "") == "d"
