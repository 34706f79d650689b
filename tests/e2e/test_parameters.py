"""Parameters, and which instances share a pool."""

from __future__ import annotations

import os

import pytest

import modal_nb as modal
from modal_nb.exception import InvalidError

app = modal.App("parameters")


class Base:
    size: int = modal.parameter(default=1)
    name: str = modal.parameter(default="base")

    @modal.method()
    def told(self):
        return self.size, self.name


@app.cls(max_containers=1)
class Model(Base):
    name: bytes = modal.parameter(default=b"derived")
    fast: bool = modal.parameter()
    state: list = modal.parameter(init=False)

    @modal.enter()
    def load(self):
        self.unset = not hasattr(self, "state")
        self.state = [self.size]

    @modal.method()
    def values(self):
        return self.size, self.name, self.fast, self.state, self.unset

    @modal.method()
    def where(self):
        return os.environ["MODAL_TASK_ID"]


@app.cls(max_containers=1)
class Inherits(Base):
    pass


@pytest.fixture(scope="module", autouse=True)
def running(home):
    with app.run():
        yield


def test_values_defaults_inheritance_and_init_false():
    assert Model(fast=True).values.remote() == (1, b"derived", True, [1], True)
    assert Model(size=5, name=b"n", fast=False).values.remote() == (5, b"n", False, [5], True)
    assert Model(fast=True).told.remote() == (1, b"derived")


def test_a_class_that_only_inherits_parameters_takes_them():
    assert Inherits(size=3).told.remote() == (3, "base")
    assert Inherits().told.remote() == (1, "base")


def test_one_pool_for_each_set_of_values_whatever_their_order_and_with_defaults(home):
    first = Model(fast=True, size=7).where.remote()
    assert Model(size=7, fast=True).where.remote() == first
    assert Model(size=7, fast=True, name=b"derived").where.remote() == first
    assert Model(size=8, fast=True).where.remote() != first
    assert Model(size=7, fast=False).where.remote() != first


def test_a_variant_with_other_options_has_a_pool_of_its_own():
    first = Model(fast=True).where.remote()
    variant = Model.with_options(max_containers=2)
    other = variant(fast=True).where.remote()
    assert other != first
    assert variant.with_options(timeout=100)(fast=True).where.remote() not in {first, other}
    assert Model.with_options(max_containers=2)(fast=True).where.remote() == other


@pytest.mark.parametrize(
    ("given", "error", "said"),
    [
        ({}, InvalidError, "missing.*'?fast"),
        ({"fast": True, "colour": 1}, InvalidError, "colour.*size, name, fast|colour"),
        ({"fast": True, "size": "big"}, TypeError, "[Ee]xpected int, got str"),
        ({"fast": 1}, TypeError, "[Ee]xpected bool, got int"),
        ({"fast": True, "state": []}, InvalidError, "state"),
    ],
)
def test_constructor_arguments_are_checked_at_first_use(given, error, said):
    model = Model(**given)
    with pytest.raises(error, match=said):
        model.where.remote()


def test_positional_arguments_are_refused_at_first_use_with_the_remedy():
    model = Model(1)
    with pytest.raises(InvalidError, match="keyword"):
        model.where.remote()


def test_an_argument_that_cannot_be_pickled_is_refused_at_once():
    with pytest.raises(ValueError, match=r"The argument 'fast' of Model\(\) cannot be pickled"):
        Model(fast=lambda: True)
