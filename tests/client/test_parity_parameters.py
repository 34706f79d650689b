"""Parameters as users declare and give them: type and whole sentence of each refusal, asked of every way to call."""

from __future__ import annotations

import asyncio
import enum
import threading
from typing import Any, Literal, Optional, Union

import pytest

import modal_nb as modal
from modal_nb.client import launcher
from modal_nb.exception import ExecutionError, InvalidError, UsageError

app = modal.App("parity")


@app.cls(max_containers=1)
class Model:
    size: int = modal.parameter()
    name: str = modal.parameter(default="small")
    raw: bytes = modal.parameter(default=b"")
    fast: bool = modal.parameter(default=False)
    later: dict = modal.parameter(init=False)

    @modal.method()
    def values(self):
        return self.size, self.name, self.raw, self.fast, hasattr(self, "later")

    @modal.method()
    def items(self):
        yield self.size

    def double(self):
        return self.size * 2


@app.cls(max_containers=1)
class Without:
    @modal.method()
    def values(self): ...


def refusal(kind, make, *args, **kwargs):
    """The sentence of an error that is of exactly this type."""
    with pytest.raises(kind) as caught:
        make(*args, **kwargs)
    assert type(caught.value) is kind
    return str(caught.value)


# ---- declared


class Colour(enum.Enum):
    RED = 1


@pytest.mark.parametrize(
    ("annotation", "shown"),
    [
        (float, "float"),
        (list, "list"),
        (dict, "dict"),
        (list[str], "list[str]"),
        (Optional[int], "typing.Optional[int]"),  # noqa: UP045 - the old spelling is the case
        (Union[int, str], "typing.Union[int, str]"),  # noqa: UP007 - the same
        (int | str, "int | str"),
        (Colour, "Colour"),
        (Literal["a"], "typing.Literal['a']"),
        (Any, "Any"),
        (bytearray, "bytearray"),
    ],
)
def test_no_other_type_than_the_four(annotation, shown):
    other = modal.App("other")
    made = type("Wrong", (), {"__annotations__": {"x": annotation}, "x": modal.parameter()})
    assert refusal(InvalidError, other.cls(), made) == (
        f"{shown} is not a supported parameter type: int, str, bytes, bool (the parameter Wrong.x). Pass other "
        "values to a method, or encode them as str or bytes."
    )
    assert other.registered_classes == {}


@pytest.mark.parametrize(
    ("annotation", "default", "said"),
    [
        (int, "1", "Expected int, got str"),
        (int, None, "Expected int, got NoneType"),
        (bool, 1, "Expected bool, got int"),
        (bytes, "x", "Expected bytes, got str"),
    ],
)
def test_a_default_has_the_type_of_its_parameter(annotation, default, said):
    body = {"__annotations__": {"x": annotation}, "x": modal.parameter(default=default)}
    assert refusal(InvalidError, modal.App("other").cls(), type("Wrong", (), body)) == (
        f"{said} as the default of the parameter Wrong.x"
    )


def test_a_parameter_has_a_type_unless_it_has_no_value():
    sentence = refusal(InvalidError, modal.App("other").cls(), type("Wrong", (), {"x": modal.parameter()}))
    assert sentence == (
        "The parameter Wrong.x has no type annotation; write `x: int = modal_nb.parameter(...)` with one of int, "
        "str, bytes, bool"
    )
    bare = modal.App("other").cls()(type("Right", (), {"x": modal.parameter(init=False)}))
    assert bare.__modal__.spec.parameters == ()


def test_a_parameter_is_declared_by_keywords():
    assert refusal(UsageError, modal.parameter, 3) == (
        "parameter() takes keyword arguments only; write parameter(default=...)"
    )
    assert "unexpected keyword argument 'type'" in refusal(TypeError, modal.parameter, type=int)


# ---- given: one sentence at the first use, by every way to use


@pytest.fixture(scope="module")
def running(home):
    with app.run():
        yield home


USES = {
    "remote": lambda obj: obj.values.remote(),
    "remote.aio": lambda obj: asyncio.run(obj.values.remote.aio()),
    "map": lambda obj: list(obj.values.map([1])),
    "starmap": lambda obj: list(obj.values.starmap([()])),
    "for_each": lambda obj: obj.values.for_each([1]),
    "spawn": lambda obj: obj.values.spawn(),
    "spawn_map": lambda obj: obj.values.spawn_map([1]),
    "stats": lambda obj: obj.values.get_current_stats(),
    "update_autoscaler": lambda obj: obj.update_autoscaler(min_containers=1),
}

WRONG = [
    (
        lambda: Model(1),
        InvalidError,
        (
            "Model() takes keyword arguments only; write Model(size=...) instead of positional arguments. Its "
            "parameters: size, name, raw, fast."
        ),
    ),
    (Model, InvalidError, "Model() is missing required parameters: 'size'. Write Model(size=...)."),
    (
        lambda: Model(size=1, colour="red"),
        InvalidError,
        "Model() got unknown parameters: 'colour'. It has: size, name, raw, fast.",
    ),
    (
        lambda: Model(size=1, later={}),
        InvalidError,
        "Model() got unknown parameters: 'later'. It has: size, name, raw, fast.",
    ),
    (lambda: Model(size="1"), TypeError, "Expected int, got str for the parameter 'size' of Model"),
    (lambda: Model(size=1.0), TypeError, "Expected int, got float for the parameter 'size' of Model"),
    (lambda: Model(size=1, fast=1), TypeError, "Expected bool, got int for the parameter 'fast' of Model"),
    (
        lambda: Model(size=1, raw="x"),
        TypeError,
        "Expected bytes, got str for the parameter 'raw' of Model",
    ),
    (
        lambda: Without(1),
        InvalidError,
        (
            "Without() takes no arguments: the class has no parameters. Declare each as a class attribute, such as "
            "`size: int = modal.parameter()`."
        ),
    ),
    (
        lambda: Model(size=1, name="x" * 20_000),
        InvalidError,
        (
            "The parameters of Model() take 20006 bytes, more than 16384. Pass large values to a method, or a path or "
            "a key to the constructor."
        ),
    ),
]


@pytest.mark.parametrize(("make", "kind", "sentence"), WRONG)
def test_every_first_use_says_what_is_wrong_with_the_arguments_and_starts_nothing(
    running, make, kind, sentence
):
    obj = make()
    for use in USES.values():
        assert refusal(kind, use, obj) == sentence
    assert not running.pools("Model")
    assert not running.pools("Without")


def test_a_generator_says_so_at_its_first_step(running):
    items = Model(1).items.remote_gen()
    assert refusal(InvalidError, next, items).startswith("Model() takes keyword arguments only")


@pytest.mark.parametrize("value", [lambda: 1, [threading.Lock()], (x for x in ())])
def test_only_what_cannot_be_pickled_is_told_at_construction(value):
    sentence = refusal(ValueError, Model, size=value)
    assert sentence.startswith("The argument 'size' of Model() cannot be pickled (")
    assert sentence.endswith(
        "): parameters are plain values of type int, str, bytes or bool. Pass other values to a method."
    )


def test_making_instances_asks_nobody(home):
    other = modal.App("quiet")
    made = other.cls()(type("Quiet", (), {"use": modal.method()(lambda self: 1)}))
    before = launcher.find(home.places)
    variants = [made(), made(1), made(x=1), made.with_options(cpu=2)()]
    assert all(variant.use is variant.use for variant in variants)
    assert launcher.find(home.places) == before
    assert refusal(ExecutionError, variants[0].use.remote).startswith("the app 'quiet' is not running")


# ---- here, by Python's own binding


def test_an_attribute_that_is_read_here_uses_pythons_binding():
    assert refusal(TypeError, lambda: Model().double()) == "missing a required argument: 'size'"
    assert refusal(TypeError, lambda: Model(1).double()) == "too many positional arguments"
    assert refusal(TypeError, lambda: Model(size=1, colour="red").double()) == (
        "got an unexpected keyword argument 'colour'"
    )
    assert Model(size="ab").double() == "abab"


def test_a_parameter_without_a_value_is_an_attribute_error_until_it_is_set():
    assert refusal(AttributeError, lambda: Model(size=1).later) == (
        "The parameter 'later' of Model has no value yet."
    )


# ---- in a container


def test_the_four_types_arrive_as_they_are_and_a_bool_as_int_is_one(running):
    assert Model(size=True, name="n", raw=b"r", fast=True).values.remote() == (1, "n", b"r", True, False)
    assert Model(size=1, name="n", raw=b"r", fast=True).values.remote() == (1, "n", b"r", True, False)
    assert len(running.pools("Model")) == 1
