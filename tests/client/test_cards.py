"""What a class and a function show of themselves: true, and found out without starting or building anything."""

from __future__ import annotations

import pickle

import pytest

import modal_nb as modal
from modal_nb.client import cards


class Loud:
    def __repr__(self):
        raise RuntimeError("no text")


@pytest.fixture
def app():
    return modal.App("zoo")


@pytest.fixture
def served(app):
    @app.cls(
        max_containers=2, timeout=60, retries=3, memory=512, env={"TOKEN": "hush"},
        secrets=[modal.Secret.from_dict({"KEY": "hidden"})],
    )  # fmt: skip
    class Model:
        """A model of things.

        It has more to say.
        """

        name: str = modal.parameter()
        size: int = modal.parameter(default=3)

        @modal.enter()
        def load(self):
            raise AssertionError("it was entered")

        @modal.method()
        def predict(self, x: int, *, k: float = 2.0) -> int:
            """Predict x."""
            return x * self.size

        @modal.method()
        async def items(self, loud=Loud()):  # noqa: B008 - has no text
            yield 1

        def helper(self): ...

    return Model


def rows(card):
    return {row.heading: row.lines for row in card.rows}


def test_a_class_shows_what_it_offers(served):
    card = cards.of_cls(served)
    assert (card.kind, card.name, card.says) == ("Cls", "Model of app 'zoo'", "A model of things.")
    assert rows(card) == {
        "parameters": ("name: str", "size: int = 3"),
        "methods": ("predict(x: int, *, k: float = 2.0) -> int", "items(...)  # async, generator"),
        "options": (
            "secrets: 1", "env: TOKEN", "memory=512", "max_containers=2", "timeout=60.0", "startup_timeout=60.0",
            "retries=3",
        ),
        "runs": (
            "nothing yet: the first call starts a container, such as Model(name=...).predict.remote(...)",
        ),
    }  # fmt: skip


def test_values_of_variables_and_secrets_are_not_shown(served):
    text = repr(cards.of_cls(served))
    assert "hush" not in text
    assert "hidden" not in text


def test_a_variant_shows_its_own_options(served):
    variant = served.with_options(max_containers=5).with_concurrency(max_inputs=4)
    options = rows(cards.of_cls(variant))["options"]
    assert {"max_containers=5", "max_inputs=4"} <= set(options)


def test_a_class_without_anything_has_no_empty_rows(app):
    @app.cls()
    class Bare:
        @modal.method()
        def run(self): ...

    card = cards.of_cls(Bare)
    assert list(rows(card)) == ["methods", "runs"]
    assert card.says == ""


def test_a_class_that_travelled_is_shown_without_its_code(served):
    there = pickle.loads(pickle.dumps(served))
    assert rows(cards.of_cls(there))["methods"] == ("predict(...)", "items(...)  # async, generator")


def test_a_method_shows_how_to_call_it(served):
    function = served(name="a").predict
    card = cards.of_function(function._obj, function._spec, function)
    assert (card.kind, card.name, card.says) == ("Function", "Model.predict of app 'zoo'", "Predict x.")
    assert rows(card) == {
        "signature": ("predict(x: int, *, k: float = 2.0) -> int",),
        "instance": ("<Obj Model(name='a') of app 'zoo'>",),
        "call it": (".remote(...), .map(...), .spawn(...); Model.predict.local(...) runs it here",),
    }


def test_a_generator_shows_its_way(served):
    function = served(name="a").items
    assert rows(cards.of_function(function._obj, function._spec, function))["call it"][0].startswith(
        ".remote_gen("
    )


def test_a_function_shows_no_instance(app):
    @app.function()
    def double(x, y=2):
        """Twice."""

    card = cards.of_function(double._obj, double._spec, double)
    assert card.name == "double of app 'zoo'"
    assert rows(card)["signature"] == ("double(x, y=2)",)
    assert "instance" not in rows(card)


def test_of_a_looked_up_function_only_what_is_known_is_shown():
    found = modal.Function.from_name("shop", "pay")
    card = cards.of_function(found._obj, found._spec, found)
    assert rows(card) == {"call it": (".remote(...), .map(...), .spawn(...)",)}


def test_outside_of_a_kernel_there_is_only_the_line(served):
    for one in (served, served(name="a").predict, modal.FunctionCall.from_id("fc-1-1")):
        assert one._repr_mimebundle_() == {}
