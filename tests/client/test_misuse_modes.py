"""Inputs side by side, batches, retries and variants, asked for wrongly: type and whole sentence of each refusal."""

from __future__ import annotations

import pytest

import modal_nb as modal
from modal_nb.exception import InvalidError, UsageError
from modal_nb.spec.scaling import Batching, Concurrency

UNSET = modal.UNSET
ON = "`on` must be an exception class or a tuple of them, such as on=(ValueError, OSError), not "


@pytest.fixture
def app():
    return modal.App("modes")


@pytest.fixture
def model(app):
    @app.cls(min_containers=2, retries=1)
    @modal.concurrent(max_inputs=3)
    class Model:
        size: int = modal.parameter(default=1)

        @modal.method()
        def one(self): ...

        @modal.method()
        def items(self):
            yield 1

    return Model


def refusal(kind, make, *args, **kwargs):
    """The sentence of an error that is of exactly this type."""
    with pytest.raises(kind) as caught:
        make(*args, **kwargs)
    assert type(caught.value) is kind
    return str(caught.value)


def is_untouched(model):
    options = model.__modal__.options
    return (options.concurrency, options.batching, options.retries.max_retries) == (Concurrency(3), None, 1)


# ---- what the decorators and the variants have in common

CONCURRENCY = [
    ({"max_inputs": -1}, "`max_inputs` must be at least 1, not -1"),
    ({"max_inputs": 2.0}, "`max_inputs` must be an int, not 2.0 (float)"),
    ({"max_inputs": 0.0}, "`max_inputs` must be an int, not 0.0 (float)"),
    ({"max_inputs": "2"}, "`max_inputs` must be an int, not '2' (str)"),
    ({"max_inputs": None}, "`max_inputs` must be an int, not None (NoneType)"),
    ({"max_inputs": True}, "`max_inputs` must be an int, not True (bool)"),
    ({"max_inputs": False}, "`max_inputs` must be an int, not False (bool)"),
    ({"max_inputs": UNSET}, "`max_inputs` must be an int, not modal_nb.UNSET (Unset)"),
    ({"max_inputs": 0, "target_inputs": 1}, "`max_inputs` must be at least 1, not 0"),
    ({"max_inputs": 2, "target_inputs": 0}, "`target_inputs` must be at least 1, not 0"),
    ({"max_inputs": 2, "target_inputs": 1.0}, "`target_inputs` must be an int, not 1.0 (float)"),
    ({"max_inputs": 2, "target_inputs": True}, "`target_inputs` must be an int, not True (bool)"),
    ({"max_inputs": 2, "target_inputs": UNSET}, "`target_inputs` must be an int, not modal_nb.UNSET (Unset)"),
    (
        {"max_inputs": 2, "target_inputs": 3},
        "`target_inputs` (3) cannot be greater than `max_inputs` (2); lower the target or raise the maximum",
    ),
]

BATCHING = [
    ({"max_batch_size": 0, "wait_ms": 1}, "`max_batch_size` must be between 1 and 1000, not 0"),
    ({"max_batch_size": 1001, "wait_ms": 1}, "`max_batch_size` must be between 1 and 1000, not 1001"),
    ({"max_batch_size": 2.0, "wait_ms": 1}, "`max_batch_size` must be an int, not 2.0 (float)"),
    ({"max_batch_size": "2", "wait_ms": 1}, "`max_batch_size` must be an int, not '2' (str)"),
    ({"max_batch_size": True, "wait_ms": 1}, "`max_batch_size` must be an int, not True (bool)"),
    ({"max_batch_size": None, "wait_ms": 1}, "`max_batch_size` must be an int, not None (NoneType)"),
    ({"max_batch_size": UNSET, "wait_ms": 1}, "`max_batch_size` must be an int, not modal_nb.UNSET (Unset)"),
    ({"max_batch_size": 2, "wait_ms": -1}, "`wait_ms` must be between 0 and 600000, not -1"),
    ({"max_batch_size": 2, "wait_ms": 600_001}, "`wait_ms` must be between 0 and 600000, not 600001"),
    ({"max_batch_size": 2, "wait_ms": 0.5}, "`wait_ms` must be an int, not 0.5 (float)"),
    ({"max_batch_size": 2, "wait_ms": False}, "`wait_ms` must be an int, not False (bool)"),
    ({"max_batch_size": 2, "wait_ms": UNSET}, "`wait_ms` must be an int, not modal_nb.UNSET (Unset)"),
]


@pytest.mark.parametrize(("given", "sentence"), CONCURRENCY)
def test_numbers_of_inputs_are_checked_by_the_decorator_and_by_the_variant(model, given, sentence):
    assert refusal(InvalidError, modal.concurrent, **given) == sentence
    assert refusal(InvalidError, model.with_concurrency, **given) == sentence
    assert is_untouched(model)


def test_no_inputs_are_an_error_of_the_decorator_and_nothing_new_to_the_variant(model):
    assert refusal(InvalidError, modal.concurrent, max_inputs=0) == "`max_inputs` must be at least 1, not 0"
    assert is_untouched(model.with_concurrency(max_inputs=0))


@pytest.mark.parametrize(("given", "sentence"), BATCHING)
def test_numbers_of_batches_are_checked_by_the_decorator_and_by_the_variant(model, given, sentence):
    assert refusal(InvalidError, modal.batched, **given) == sentence
    assert refusal(InvalidError, model.with_batching, **given) == sentence
    assert is_untouched(model)


@pytest.mark.parametrize(
    ("face", "given", "end"),
    [
        ("with_concurrency", {}, "missing 1 required keyword-only argument: 'max_inputs'"),
        ("with_concurrency", {"target_inputs": 1}, "missing 1 required keyword-only argument: 'max_inputs'"),
        ("with_concurrency", {"max_inputs": 1, "wait": 1}, "got an unexpected keyword argument 'wait'"),
        ("with_batching", {}, "missing 2 required keyword-only arguments: 'max_batch_size' and 'wait_ms'"),
        ("with_batching", {"max_batch_size": 2}, "missing 1 required keyword-only argument: 'wait_ms'"),
        ("with_batching", {"wait_ms": 2}, "missing 1 required keyword-only argument: 'max_batch_size'"),
    ],
)
def test_keywords_that_lack_or_are_none_are_pythons_own_error(model, face, given, end):
    assert refusal(TypeError, getattr(model, face), **given) == f"Cls.{face}() {end}"
    assert "takes 1 positional argument but 2 were given" in refusal(TypeError, getattr(model, face), 2)


def test_a_batched_generator_is_refused_with_the_remedy(app):
    class Model:
        @modal.batched(max_batch_size=2, wait_ms=1)
        def items(self, xs):
            yield 1

    assert refusal(InvalidError, app.cls(), Model) == (
        "@batched cannot stand on the generator 'items': a batch has one list of results, so return it"
    )


def test_defaults_of_a_batched_method_are_not_looked_at(app):
    @app.cls()
    class Model:
        @modal.batched(max_batch_size=2, wait_ms=1)
        def sums(self, xs, ys=()): ...

    assert Model.__modal__.spec.method("sums").batching == Batching(2, 1)


# ---- with_options


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({"env": "A=1"}, "`env` must be a dict of str to str, not 'A=1' (str)"),
        ({"env": {"A": UNSET}}, "`env` has an Unset for 'A'; values are strings or None"),
        ({"secrets": "x"}, "`secrets` must be a list of modal_nb.Secret objects, not 'x' (str)"),
        (
            {"secrets": {"A": "1"}},
            "`secrets` must be a list of modal_nb.Secret objects, not {'A': '1'} (dict)",
        ),
        (
            {"secrets": [UNSET]},
            "`secrets` must hold modal_nb.Secret objects only, not modal_nb.UNSET (Unset)",
        ),
        ({"volumes": ["/a"]}, "`volumes` must be a dict of paths, not ['/a'] (list)"),
        (
            {"volumes": {"/a": UNSET}},
            "`volumes` has modal_nb.UNSET (Unset) at '/a'; give a modal_nb.Volume or a modal_nb.CloudBucketMount",
        ),
        ({"cpu": True}, "`cpu` must be a number, not True (bool)"),
        ({"cpu": (UNSET, 1)}, "`cpu` must be a number, not modal_nb.UNSET (Unset)"),
        ({"memory": True}, "`memory` must be an int, not True (bool)"),
        (
            {"gpu": [UNSET]},
            "`gpu` must be a string such as 'T4' or 'A100:2', or a list of them, not modal_nb.UNSET (Unset)",
        ),
        ({"max_containers": True}, "`max_containers` must be an int, not True (bool)"),
        ({"buffer_containers": -1}, "`buffer_containers` must be at least 0, not -1"),
        ({"scaledown_window": 30.0}, "`scaledown_window` must be an int, not 30.0 (float)"),
        ({"timeout": True}, "`timeout` must be a number, not True (bool)"),
        ({"timeout": float("nan")}, "`timeout` must be a finite number, not nan"),
        # zeros and empty values change nothing, but for this option: `retries=0` is a policy
        ({"retries": False}, "`retries` must be an int or a modal_nb.Retries, not False (bool)"),
        ({"retries": ""}, "`retries` must be an int or a modal_nb.Retries, not '' (str)"),
        ({"retries": 1.5}, "`retries` must be an int or a modal_nb.Retries, not 1.5 (float)"),
        ({"cloud": ["aws"]}, "`cloud` must be a non-empty string, not ['aws'] (list)"),
        ({"region": [UNSET]}, "`region` must be a non-empty string, not modal_nb.UNSET (Unset)"),
        (
            {"max_containers": 1},
            "`min_containers` (2) cannot be greater than `max_containers` (1); raise the cap or lower the floor",
        ),
    ],
)
def test_what_a_variant_cannot_have_is_named_and_leaves_the_class_as_it_was(model, given, sentence):
    before = model.__modal__.options
    assert refusal(InvalidError, model.with_options, **given) == sentence
    assert refusal(InvalidError, model.with_options(cpu=2).with_options, **given) == sentence
    assert model.__modal__.options == before


def test_variants_are_made_of_the_class_not_of_an_instance(model):
    for face in ("with_options", "with_concurrency", "with_batching", "from_name"):
        assert refusal(AttributeError, getattr, model(), face) == (
            f"{face!r} belongs to the class, not to an instance: write Model.{face}(...)"
        )
    assert refusal(AttributeError, getattr, model(), "with_option") == (
        "Model has no method or attribute 'with_option'; its methods: one, items"
    )


# ---- UNSET


@pytest.mark.parametrize("name", ["min_containers", "image", "startup_timeout", "nothing"])
def test_unset_makes_no_option_of_what_is_none(model, name):
    sentence = refusal(TypeError, model.with_options, cpu=UNSET, **{name: UNSET})
    assert sentence.startswith(f"with_options() got an unexpected keyword argument {name!r}; ")


def test_unset_is_given_by_its_keyword(model):
    assert refusal(UsageError, model.with_options, UNSET) == (
        "with_options() takes keyword arguments only, such as with_options(max_containers=2)"
    )


@pytest.mark.parametrize(
    ("option", "sentence"),
    [
        ("env", "`env` must be a dict of str to str, not modal_nb.UNSET (Unset)"),
        ("secrets", "`secrets` must be a list of modal_nb.Secret objects, not modal_nb.UNSET (Unset)"),
        ("volumes", "`volumes` must be a dict of paths, not modal_nb.UNSET (Unset)"),
        ("cpu", "`cpu` must be a number, not modal_nb.UNSET (Unset)"),
        ("max_containers", "`max_containers` must be an int, not modal_nb.UNSET (Unset)"),
        ("retries", "`retries` must be an int or a modal_nb.Retries, not modal_nb.UNSET (Unset)"),
        ("timeout", "`timeout` must be a number, not modal_nb.UNSET (Unset)"),
        ("image", "`image` must be a modal_nb.Image, not modal_nb.UNSET (Unset)"),
        ("block_network", "`block_network` must be True or False, not modal_nb.UNSET (Unset)"),
    ],
)
def test_a_decorator_has_nothing_to_unset(app, option, sentence):
    assert refusal(InvalidError, app.cls, **{option: UNSET}) == sentence
    assert refusal(InvalidError, app.function, **{option: UNSET}) == sentence


def test_neither_has_an_app_nor_an_autoscaler_nor_a_parameter(model):
    assert refusal(InvalidError, modal.App, "x", secrets=UNSET) == (
        "`secrets` must be a list of modal_nb.Secret objects, not modal_nb.UNSET (Unset)"
    )
    assert refusal(InvalidError, model().update_autoscaler, max_containers=UNSET) == (
        "`max_containers` must be an int, not modal_nb.UNSET (Unset)"
    )
    assert refusal(TypeError, model(size=UNSET).__modal__.parameters) == (
        "Expected int, got Unset for the parameter 'size' of Model"
    )


# ---- Retries


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({"max_retries": -1}, "`max_retries` must be at least 0, not -1"),
        ({"max_retries": 1.5}, "`max_retries` must be an int, not 1.5 (float)"),
        ({"max_retries": "1"}, "`max_retries` must be an int, not '1' (str)"),
        ({"max_retries": True}, "`max_retries` must be an int, not True (bool)"),
        ({"max_retries": None}, "`max_retries` must be an int, not None (NoneType)"),
        ({"max_retries": UNSET}, "`max_retries` must be an int, not modal_nb.UNSET (Unset)"),
        ({"backoff_coefficient": 0.5}, "`backoff_coefficient` must be between 1.0 and 10.0, not 0.5"),
        ({"backoff_coefficient": 10.5}, "`backoff_coefficient` must be between 1.0 and 10.0, not 10.5"),
        ({"backoff_coefficient": "2"}, "`backoff_coefficient` must be a number, not '2' (str)"),
        ({"initial_delay": -1}, "`initial_delay` must be between 0.0 and 60.0, not -1"),
        ({"initial_delay": 61}, "`initial_delay` must be between 0.0 and 60.0, not 61"),
        ({"initial_delay": float("nan")}, "`initial_delay` must be a finite number, not nan"),
        ({"max_delay": 0.5}, "`max_delay` must be between 1.0 and 60.0, not 0.5"),
        ({"max_delay": 61}, "`max_delay` must be between 1.0 and 60.0, not 61"),
        ({"max_delay": float("inf")}, "`max_delay` must be a finite number, not inf"),
        ({"max_delay": None}, "`max_delay` must be a number, not None (NoneType)"),
        ({"on": "ValueError"}, f"{ON}'ValueError' (str)"),
        ({"on": int}, f"{ON}<class 'int'> (class int)"),
        ({"on": LookupError("x")}, f"{ON}LookupError('x') (LookupError)"),
        ({"on": (ValueError, 3)}, f"{ON}(<class 'ValueError'>, 3) (int)"),
        ({"on": {ValueError}}, f"{ON}{{<class 'ValueError'>}} (set)"),
        ({"on": UNSET}, f"{ON}modal_nb.UNSET (Unset)"),
        ({"on": ()}, "`on` must name at least one exception class, not (); leave it out for all of them"),
        ({"on": []}, "`on` must name at least one exception class, not []; leave it out for all of them"),
    ],
)
def test_a_policy_is_checked_where_it_is_written(given, sentence):
    assert refusal(InvalidError, modal.Retries, **{"max_retries": 1, **given}) == sentence


def test_a_policy_has_modals_keywords_and_one_more():
    assert refusal(TypeError, modal.Retries) == (
        "Retries.__init__() missing 1 required keyword-only argument: 'max_retries'"
    )
    assert "takes 1 positional argument but 2 were given" in refusal(TypeError, modal.Retries, 3)
    assert refusal(TypeError, modal.Retries, max_retries=1, delay=2) == (
        "Retries.__init__() got an unexpected keyword argument 'delay'"
    )


def test_one_exception_a_tuple_and_a_list_mean_the_same():
    policies = [modal.Retries(max_retries=1, on=on) for on in (OSError, (OSError,), [OSError])]
    assert policies[0] == policies[1] == policies[2]
