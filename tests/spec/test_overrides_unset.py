"""``UNSET``: what it clears, in which order, and what it leaves alone."""

from __future__ import annotations

import copy
import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st

import modal_nb as modal
from modal_nb.exception import InvalidError
from modal_nb.spec.options import AppDefaults, Options
from modal_nb.spec.overrides import UNSET, Overrides
from modal_nb.spec.retries import Retries
from modal_nb.spec.storage import CloudBucketMount, Volume
from tests.spec.test_options import KEYWORDS, ONE, TWO, defaults, options

VOLUME, OTHER = Volume.from_name("v"), Volume.from_name("w")
#: option -> what a decorator gave, and where the result shows it
GIVEN = {
    "cpu": ((2, 3), lambda made: (made.resources.cpu, made.resources.cpu_limit)),
    "memory": ((256, 512), lambda made: (made.resources.memory, made.resources.memory_limit)),
    "gpu": ("T4", lambda made: made.resources.gpu),
    "env": ({"A": "1"}, lambda made: made.env),
    "secrets": ([ONE], lambda made: made.secrets),
    "volumes": ({"/v": VOLUME}, lambda made: made.volumes),
    "retries": (3, lambda made: made.retries),
    "max_containers": (7, lambda made: made.autoscaler.max_containers),
    "buffer_containers": (2, lambda made: made.autoscaler.buffer_containers),
    "scaledown_window": (99, lambda made: made.autoscaler.scaledown_window),
    "timeout": (7, lambda made: made.limits.timeout),
    "region": ("eu", lambda made: made.placement.region),
    "cloud": ("aws", lambda made: made.placement.cloud),
    "routing_region": ("us-east", lambda made: made.placement.routing_region),
}
EVERYTHING = {name: value for name, (value, _) in GIVEN.items()}


def chain(*given):
    """Several calls of ``with_options``, one after the other."""
    together = Overrides()
    for one in given:
        together = together.then(Overrides.declared(one))
    return together


def after(base, *given):
    return base.merged(chain(*given))


def test_the_table_knows_every_option_of_with_options(app):
    @app.cls()
    class Model: ...

    for name in GIVEN:
        Model.with_options(**{name: UNSET})


@pytest.fixture
def app():
    return modal.App("unset")


# -- one option -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", GIVEN)
def test_what_the_decorator_gave_counts_as_never_given_and_nothing_else_does(name):
    base = options(**EVERYTHING)
    made = after(base, {name: UNSET})
    for other, (_, shown) in GIVEN.items():
        expected = options() if other == name else base
        assert shown(made) == shown(expected), other


@pytest.mark.parametrize("name", GIVEN)
def test_what_an_earlier_call_gave_is_cleared_together_with_the_decorators(name):
    value, shown = GIVEN[name]
    made = after(options(**EVERYTHING), {name: value}, {name: UNSET})
    assert shown(made) == shown(options())


@pytest.mark.parametrize("name", GIVEN)
def test_what_a_later_call_gives_counts(name):
    value, shown = GIVEN[name]
    assert shown(after(options(), {name: UNSET}, {name: value})) == shown(options(**{name: value}))


@pytest.mark.parametrize("name", GIVEN)
def test_cleared_is_cleared_however_often_and_with_whatever_beside_it(name):
    base = options(**EVERYTHING)
    once = after(base, {name: UNSET})
    assert after(base, {name: UNSET}, {name: UNSET}) == once
    assert after(base, {name: UNSET}, {name: None}) == once
    assert after(base, {}, {name: UNSET}, {}) == once


def test_everything_at_once():
    made = after(options(**EVERYTHING), dict.fromkeys(GIVEN, UNSET))
    # the time to start was its own from the decorator on
    assert made == Options.declared(
        {**KEYWORDS, "startup_timeout": EVERYTHING["timeout"]}, AppDefaults(), None
    )


# -- options that are told together -----------------------------------------------------------------------------------


def test_request_and_limit_are_one_option():
    made = after(options(cpu=(1, 2)), {"cpu": UNSET}, {"cpu": 3})
    assert (made.resources.cpu, made.resources.cpu_limit) == (3, None)
    made = after(options(), {"memory": (100, 200)}, {"memory": UNSET})
    assert (made.resources.memory, made.resources.memory_limit) == (options().resources.memory, None)


def test_secrets_and_env_are_cleared_one_by_one():
    base = options(secrets=[ONE], env={"A": "1"})
    assert (after(base, {"env": UNSET}).secrets, after(base, {"env": UNSET}).env) == ((ONE,), ())
    assert (after(base, {"secrets": UNSET}).secrets, after(base, {"secrets": UNSET}).env) == (
        (),
        (("A", "1"),),
    )


def test_a_given_environment_replaces_as_a_whole_also_beside_unset():
    base = options(secrets=[ONE], env={"A": "1"})
    made = after(base, {"env": UNSET, "secrets": [TWO]})
    assert (made.secrets, made.env) == ((TWO,), ())
    made = after(base, {"secrets": [TWO]}, {"env": {"B": "2"}})
    assert (made.secrets, made.env) == ((), (("B", "2"),))


def test_secrets_that_came_and_went_leave_the_decorators_env_where_it_was():
    base = options(secrets=[ONE], env={"A": "1"})
    made = after(base, {"secrets": [TWO]}, {"secrets": UNSET})
    assert (made.secrets, made.env) == ((), (("A", "1"),))
    made = after(base, {"env": {"B": "2"}}, {"env": UNSET})
    assert (made.secrets, made.env) == ((ONE,), ())


def test_an_env_without_values_is_given_and_so_replaces():
    base = options(secrets=[ONE], env={"A": "1"})
    made = after(base, {"env": {"B": None}})
    assert (made.secrets, made.env) == ((), ())
    assert after(base, {"env": {"B": None}}, {"env": UNSET}).secrets == (ONE,)


def test_of_secrets_and_env_that_were_given_together_one_stays():
    made = after(options(secrets=[ONE]), {"secrets": [TWO], "env": {"B": "2"}}, {"secrets": UNSET})
    assert (made.secrets, made.env) == ((), (("B", "2"),))


def test_volumes_and_buckets_are_one_option():
    base = options(volumes={"/v": VOLUME, "/b": CloudBucketMount("b")})
    assert after(base, {"volumes": UNSET}).volumes == ()
    assert after(base, {"volumes": {"/w": OTHER}}, {"volumes": UNSET}).volumes == ()


def test_what_the_app_gave_is_cleared_too():
    base = options(defaults(secrets=[ONE], volumes={"/v": VOLUME}), secrets=[TWO])
    made = after(base, {"secrets": UNSET, "volumes": UNSET})
    assert (made.secrets, made.volumes) == ((), ())


def test_a_time_limit_goes_back_to_the_default_and_the_time_to_start_stays():
    made = after(options(timeout=20), {"timeout": UNSET})
    assert (made.limits.timeout, made.limits.startup_timeout) == (300, 20)


def test_no_retries_and_unset_retries():
    base = options(retries=3)
    assert after(base, {"retries": UNSET}).retries is None
    assert after(base, {"retries": 0}).retries == Retries(
        max_retries=0, backoff_coefficient=1.0, initial_delay=1.0
    )
    assert after(base, {"retries": 0}, {"retries": UNSET}).retries is None
    assert after(base, {"retries": UNSET}, {"retries": 0}).retries.max_retries == 0


def test_a_cleared_cap_does_not_contradict_a_floor_above_it():
    base = options(min_containers=2, max_containers=2)
    with pytest.raises(InvalidError, match="cannot be greater than `max_containers`"):
        after(base, {"max_containers": 1})
    made = after(base, {"max_containers": UNSET})
    assert (made.autoscaler.min_containers, made.autoscaler.max_containers) == (2, None)


# -- what two chains have in common -----------------------------------------------------------------------------------


def test_chains_that_come_to_the_same_have_the_same_key():
    base = options(max_containers=2, timeout=9)
    one = after(base, {"timeout": UNSET, "cpu": 1})
    two = after(base, {"cpu": 4}, {"timeout": 5}, {"timeout": UNSET}, {"cpu": 1})
    assert one == two
    assert one.key({}) == two.key({})


def test_clearing_what_was_never_given_changes_no_key():
    base = options(max_containers=2)
    assert after(base, {"gpu": UNSET}).key({}) == base.key({})


STEPS = st.fixed_dictionaries(
    {},
    optional={
        "secrets": st.sampled_from([UNSET, [ONE], [TWO]]),
        "env": st.sampled_from([UNSET, {"A": "1"}, {"B": "2"}]),
        "volumes": st.sampled_from([UNSET, {"/w": OTHER}, {"/b": CloudBucketMount("b")}]),
        "cpu": st.sampled_from([UNSET, 1, (2, 3)]),
        "cloud": st.sampled_from([UNSET, "aws"]),
        "retries": st.sampled_from([UNSET, 0, 2]),
    },
)


@given(STEPS, st.lists(STEPS, max_size=4))
def test_it_is_as_if_neither_decorator_nor_an_earlier_call_had_given_it(decorator, calls):
    history = [{name: value for name, value in decorator.items() if value is not UNSET}]
    for call in calls:
        cleared = {name for name, value in call.items() if value is UNSET}
        history = [{name: step[name] for name in step.keys() - cleared} for step in history]
        history.append({name: value for name, value in call.items() if value is not UNSET})
    given = {name: value for name, value in decorator.items() if value is not UNSET}
    assert after(options(**given), *calls) == after(options(**history[0]), *history[1:])


@given(st.lists(STEPS, min_size=2, max_size=5), st.integers(1, 4))
def test_however_calls_are_grouped_they_come_to_the_same(steps, at):
    base = options(secrets=[TWO], env={"C": "3"}, volumes={"/v": VOLUME}, cpu=7)
    one_by_one = chain(*steps)
    in_two_parts = chain(*steps[:at]).then(chain(*steps[at:]))
    assert one_by_one == in_two_parts
    assert base.merged(one_by_one) == base.merged(in_two_parts)


# -- the value itself -------------------------------------------------------------------------------------------------


def test_it_is_one_value_everywhere():
    assert modal.UNSET is UNSET
    assert repr(modal.UNSET) == "modal_nb.UNSET"
    assert pickle.loads(pickle.dumps(UNSET)) is UNSET
    assert copy.deepcopy(UNSET) is UNSET


def test_only_with_options_knows_it(app):
    for make in (
        lambda: app.cls(retries=UNSET),
        lambda: app.cls(timeout=UNSET),
        lambda: app.cls(max_containers=UNSET),
        lambda: modal.concurrent(max_inputs=UNSET),
        lambda: modal.batched(max_batch_size=UNSET, wait_ms=1),
        lambda: Retries(max_retries=UNSET),
    ):
        with pytest.raises(InvalidError, match="UNSET"):
            make()


def test_inside_a_list_it_is_no_option():
    with pytest.raises(InvalidError, match="`secrets` must hold modal_nb"):
        Overrides.declared({"secrets": [UNSET]})
