"""How parameters and variants are called: one bounded line each, and never the same for two."""

from __future__ import annotations

import pytest

import modal_nb as modal
from modal_nb.client.labels import parameters_label, variant_label
from modal_nb.client.subject import of_app, of_cls, of_obj

app = modal.App("labels")


@app.cls()
class Model:
    trees: int = modal.parameter(default=100)
    name: str = modal.parameter(default="")
    deep: bool = modal.parameter(default=False)


def label(**parameters):
    instance = Model(**parameters).__modal__
    return parameters_label(instance.declaration, instance.parameters())


@pytest.mark.parametrize(
    ("parameters", "expected"),
    [
        ({}, ""),
        ({"trees": 100}, ""),
        ({"trees": 200}, "trees=200"),
        ({"name": "a", "deep": True}, "name='a', deep=True"),
        ({"name": "a', deep=True"}, 'name="a\', deep=True"'),
    ],
)
def test_what_differs_from_the_defaults_is_told(parameters, expected):
    assert label(**parameters) == expected


def test_long_ones_are_cut_and_still_differ():
    one, other = label(name="x" * 1000), label(name="x" * 1001)
    assert one != other
    assert len(one) == len(other) == 200


@pytest.mark.parametrize(
    ("variant", "expected"),
    [
        (Model, ""),
        (Model.with_options(max_containers=2, cpu=1.0), "cpu=1.0, max_containers=2"),
        (Model.with_options(timeout=5), "timeout=5.0"),
        (Model.with_concurrency(max_inputs=4), "max_inputs=4"),
    ],
)
def test_what_a_variant_changed_is_told(variant, expected):
    assert variant_label(variant.__modal__.overrides) == expected


def test_values_of_variables_are_not_shown():
    variant = Model.with_options(env={"TOKEN": "secret-value"})
    assert "secret" not in variant_label(variant.__modal__.overrides)
    other = Model.with_options(env={"TOKEN": "another"})
    assert variant_label(variant.__modal__.overrides) != variant_label(other.__modal__.overrides)


def test_subjects_have_a_title_and_ask_nobody():
    assert of_app(app).title == "app 'labels'"
    assert of_app(modal.App()).title == "an app without a name"
    assert of_cls(Model).title == "Model of app 'labels'"
    assert of_obj(Model(trees=3)).title == "Model(trees=3) of app 'labels'"


@pytest.mark.parametrize("arguments", [{"wrong": 1}, {"trees": "many"}])
def test_arguments_that_do_not_fit_are_a_subject_without_pools(arguments):
    assert of_obj(Model(**arguments)).runs() == []


def test_a_class_that_is_looked_up_is_a_subject_without_pools():
    looked_up = modal.Cls.from_name("other", "Model")
    assert (of_cls(looked_up).runs(), of_obj(looked_up()).runs()) == ([], [])
