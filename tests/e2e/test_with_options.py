"""Variants of a class: how their options stack, which containers they have, and how ``UNSET`` clears."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

import pytest

import modal_nb as modal
from modal_nb import UNSET
from modal_nb.exception import FunctionTimeoutError, InvalidError
from modal_nb.spec.scaling import Autoscaler

app = modal.App("variants")
TOKEN = modal.Secret.from_dict({"TOKEN": "of the decorator"})
OTHER = modal.Secret.from_dict({"OTHER": "given later"})


@app.cls(
    max_containers=1,
    env={"COLOUR": "green"},
    secrets=[TOKEN],
    cpu=0.1,
    memory=64,
    timeout=100,
    retries=modal.Retries(max_retries=1, initial_delay=0),
)
class Model:
    size: int = modal.parameter(default=1)

    @modal.method()
    def where(self):
        return os.environ["MODAL_TASK_ID"]

    @modal.method()
    def variables(self):
        return tuple(os.environ.get(name) for name in ("COLOUR", "TOKEN", "OTHER"))

    @modal.method()
    def threads(self):
        """As many as the cores that were asked for."""
        return os.environ.get("OMP_NUM_THREADS")

    @modal.method()
    def fail(self, path):
        with Path(path).open("a") as file:
            file.write("ran\n")
        raise LookupError("always")

    @modal.method()
    async def hang(self):
        await asyncio.Event().wait()


@app.cls(max_containers=1)
class Elsewhere:
    """Uses variants inside a container."""

    @modal.method()
    def where(self, cls, **options):
        return (cls.with_options(**options) if options else cls)().where.remote()

    @modal.method()
    def variables(self, cls, **options):
        return (cls.with_options(**options) if options else cls)().variables.remote()

    @modal.method()
    def back(self, value):
        return value


@pytest.fixture(scope="module", autouse=True)
def running(home):
    with app.run():
        yield


def runs(cls, path):
    """How often an input that always fails is run."""
    with pytest.raises(LookupError, match="always"):
        cls().fail.remote(str(path))
    return len(path.read_text().splitlines())


def settings_of(home, cls):
    """Those of the pool of a variant, as the supervisor knows it."""
    container = cls().where.remote()
    (pool,) = [pool for pool in home.pools("Model") if container in {c.id for c in pool.containers}]
    return pool.autoscaler


# -- whose containers -------------------------------------------------------------------------------------------------


def test_a_variant_has_containers_of_its_own_and_leaves_the_original_alone(home):
    before = Model().where.remote()
    variant = Model.with_options(timeout=50)
    assert variant().where.remote() != before
    assert Model().where.remote() == before
    assert variant().where.remote() == variant().where.remote()


def test_each_set_of_parameters_of_a_variant_has_its_own():
    variant = Model.with_options(timeout=50)
    assert variant(size=2).where.remote() != variant().where.remote()
    assert variant(size=1).where.remote() == variant().where.remote()


@pytest.mark.parametrize(
    ("one", "two"),
    [
        (
            lambda cls: cls.with_options(timeout=40, cpu=0.2),
            lambda cls: cls.with_options(cpu=0.2).with_options(timeout=40),
        ),
        (
            lambda cls: cls.with_concurrency(max_inputs=3).with_options(timeout=41),
            lambda cls: cls.with_options(timeout=41).with_concurrency(max_inputs=3),
        ),
        (
            lambda cls: cls.with_options(env={"COLOUR": "red", "TOKEN": "t"}),
            lambda cls: cls.with_options(secrets=[modal.Secret.from_dict({"COLOUR": "red", "TOKEN": "t"})]),
        ),
        (
            lambda cls: cls.with_options(retries=2),
            lambda cls: cls.with_options(
                retries=modal.Retries(max_retries=2, backoff_coefficient=1.0, initial_delay=1.0)
            ),
        ),
        (lambda cls: cls.with_options(timeout=100, memory=64), lambda cls: cls),
        (lambda cls: cls.with_options(gpu=UNSET, cpu=UNSET).with_options(cpu=0.1), lambda cls: cls),
        (
            lambda cls: cls.with_options(timeout=7, gpu="T4").with_options(timeout=UNSET, gpu=UNSET),
            lambda cls: cls.with_options(timeout=UNSET),
        ),
        (
            lambda cls: cls.with_options(secrets=[OTHER]).with_options(secrets=UNSET),
            lambda cls: cls.with_options(env={"COLOUR": "green"}),
        ),
    ],
    ids=[
        "in one call or two",
        "in either order",
        "variables, however they came",
        "a number and its policy",
        "what is so already",
        "cleared and given again",
        "given and cleared",
        "secrets given and cleared",
    ],
)
def test_chains_that_come_to_the_same_share_their_containers(one, two):
    assert one(Model)().where.remote() == two(Model)().where.remote()


def test_what_nothing_means_changes_nothing():
    same = Model.with_options(
        timeout=None, cpu=0, max_containers=0, env={}, secrets=[], volumes={}, region=""
    )
    assert same().where.remote() == Model().where.remote()
    assert Model.with_concurrency(max_inputs=0)().where.remote() == Model().where.remote()


def test_methods_of_a_variant_share_its_pool(home):
    variant = Model.with_options(timeout=60)
    variant().where.remote()
    pools = len(home.pools("Model"))
    variant().variables.remote()
    assert len(home.pools("Model")) == pools


# -- field by field ---------------------------------------------------------------------------------------------------


def test_the_later_call_wins_field_by_field(home, monkeypatch):
    monkeypatch.delenv("OMP_NUM_THREADS")
    variant = (
        Model.with_options(cpu=0.5, max_containers=2)
        .with_options(cpu=1.5, max_containers=3)
        .with_options(scaledown_window=30)
    )
    assert variant().threads.remote() == "2"
    assert settings_of(home, variant) == Autoscaler(max_containers=3, scaledown_window=30)
    assert settings_of(home, Model) == Autoscaler(max_containers=1)


def test_secrets_and_env_are_replaced_as_a_whole_and_reach_containers():
    assert Model().variables.remote() == ("green", "of the decorator", None)
    assert Model.with_options(env={"COLOUR": "red"})().variables.remote() == ("red", None, None)
    assert Model.with_options(secrets=[OTHER])().variables.remote() == (None, None, "given later")
    both = Model.with_options(secrets=[OTHER], env={"OTHER": "env wins"})
    assert both().variables.remote() == (None, None, "env wins")
    later = Model.with_options(secrets=[OTHER]).with_options(env={"COLOUR": "blue"})
    assert later().variables.remote() == ("blue", None, None)


def test_retries_of_zero_override_and_unset_ones_are_none(tmp_path):
    assert runs(Model, tmp_path / "decorated") == 2
    assert runs(Model.with_options(retries=0), tmp_path / "zero") == 1
    assert runs(Model.with_options(retries=UNSET), tmp_path / "unset") == 1
    more = modal.Retries(max_retries=3, initial_delay=0)
    assert runs(Model.with_options(retries=0).with_options(retries=more), tmp_path / "more") == 4
    assert runs(Model.with_options(retries=more).with_options(retries=None), tmp_path / "none") == 4


def test_a_time_limit_of_a_variant_is_its_own():
    with pytest.raises(FunctionTimeoutError):
        Model.with_options(timeout=1, retries=0)().hang.remote()
    assert Model().where.remote()


# -- UNSET ------------------------------------------------------------------------------------------------------------


def test_unset_secrets_and_env_do_not_reach_containers():
    assert Model.with_options(env=UNSET)().variables.remote() == (None, "of the decorator", None)
    assert Model.with_options(secrets=UNSET)().variables.remote() == ("green", None, None)
    assert Model.with_options(env=UNSET, secrets=UNSET)().variables.remote() == (None, None, None)
    given_again = Model.with_options(secrets=[OTHER]).with_options(secrets=UNSET)
    assert given_again().variables.remote() == ("green", None, None)
    assert Model().variables.remote() == ("green", "of the decorator", None)


def test_what_the_app_gave_is_unset_too(home):
    own = modal.App("gives", secrets=[TOKEN])

    @own.cls()
    class Plain:
        @modal.method()
        def token(self):
            return os.environ.get("TOKEN")

    with own.run():
        assert Plain().token.remote() == "of the decorator"
        assert Plain.with_options(secrets=UNSET)().token.remote() is None


def test_unset_requests_and_settings_are_those_of_no_decorator(home, monkeypatch):
    monkeypatch.delenv("OMP_NUM_THREADS")
    assert Model().threads.remote() == "1"
    assert Model.with_options(cpu=UNSET)().threads.remote() is None
    variant = Model.with_options(buffer_containers=1, scaledown_window=9)
    unset = variant.with_options(max_containers=UNSET, buffer_containers=UNSET, scaledown_window=UNSET)
    assert settings_of(home, unset) == Autoscaler()


def test_an_option_that_cannot_be_honoured_can_be_unset():
    variant = Model.with_options(gpu="T4")
    with pytest.raises(modal.exception.UnsupportedOptionError, match="gpu"):
        variant().where.remote()
    assert variant.with_options(gpu=UNSET)().where.remote() == Model().where.remote()


def test_warm_containers_have_another_way():
    with pytest.raises(TypeError, match=r"keep containers of an instance warm by obj\.update_autoscaler"):
        Model.with_options(min_containers=1)
    with pytest.raises(TypeError, match=r"obj\.update_autoscaler"):
        Model.with_options(min_containers=UNSET)


def test_settings_of_a_running_variant_are_those_of_that_variant(home):
    variant = Model.with_options(timeout=70)
    variant().update_autoscaler(min_containers=1)
    assert settings_of(home, variant).min_containers == 1
    assert settings_of(home, Model).min_containers == 0
    variant().update_autoscaler(min_containers=0)


# -- variants that travel ---------------------------------------------------------------------------------------------


def test_a_variant_means_the_same_pool_inside_a_container():
    elsewhere, variant = Elsewhere(), Model.with_options(timeout=80)
    here = variant().where.remote()
    assert elsewhere.where.remote(variant) == here
    assert elsewhere.where.remote(Model, timeout=80) == here
    assert elsewhere.where.remote(Model) == Model().where.remote()


def test_variables_of_a_variant_travel_with_it_and_unset_ones_do_not():
    elsewhere = Elsewhere()
    assert elsewhere.variables.remote(Model) == ("green", "of the decorator", None)
    assert elsewhere.variables.remote(Model.with_options(env={"COLOUR": "red"})) == ("red", None, None)
    bare = Model.with_options(env=UNSET, secrets=UNSET)
    assert elsewhere.variables.remote(bare) == (None, None, None)
    assert elsewhere.variables.remote(Model, env=UNSET, secrets=UNSET) == (None, None, None)


@pytest.mark.parametrize("name", ["env", "secrets"])
def test_of_variables_that_a_container_does_not_know_one_part_alone_cannot_be_unset_there(name):
    with pytest.raises(InvalidError, match=rf"with_options\({name}=UNSET\) of Model cannot be used inside"):
        Elsewhere().variables.remote(Model, **{name: UNSET})
    given = {name: UNSET, "secrets" if name == "env" else "env": [OTHER] if name == "env" else {"OTHER": "x"}}
    assert Elsewhere().variables.remote(Model, **given)[:2] == (None, None)


def test_handles_that_come_back_are_those_that_went():
    """The first one that travels of a class is a variant: the plain one is none because of that."""
    own = modal.App("back")

    @own.cls(max_containers=1)
    class Fresh:
        @modal.method()
        def where(self):
            return os.environ["MODAL_TASK_ID"]

    with own.run():
        variant = Fresh.with_options(timeout=90)
        back = Elsewhere().back.remote
        variant_back, plain_back = back(variant), back(Fresh)
        assert variant_back().where.remote() == variant().where.remote()
        assert plain_back().where.remote() == Fresh().where.remote() != variant().where.remote()
        assert (
            back(variant_back.with_options(timeout=UNSET))().where.remote()
            == Fresh.with_options(timeout=UNSET)().where.remote()
        )
