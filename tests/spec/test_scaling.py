"""Containers per pool, inputs per container, inputs per batch: defaults and bounds."""

from __future__ import annotations

import pytest

from modal_nb.exception import InvalidError
from modal_nb.spec.scaling import Autoscaler, Batching, Concurrency, autoscaler_changes


def test_modals_defaults():
    assert Autoscaler.declared() == Autoscaler(0, None, 0, 60)


@pytest.mark.parametrize(
    ("option", "value", "sentence"),
    [
        ("min_containers", "2", "`min_containers` must be an int, not '2' (str)"),
        ("min_containers", 1.5, "`min_containers` must be an int, not 1.5 (float)"),
        ("min_containers", True, "`min_containers` must be an int, not True (bool)"),
        ("min_containers", -1, "`min_containers` must be at least 0, not -1"),
        ("max_containers", 0, "`max_containers` must be at least 1, not 0"),
        ("max_containers", None.__class__, "`max_containers` must be an int, not"),
        ("buffer_containers", -3, "`buffer_containers` must be at least 0, not -3"),
        ("scaledown_window", 1, "`scaledown_window` must be between 2 and 3600, not 1"),
        ("scaledown_window", 3601, "`scaledown_window` must be between 2 and 3600, not 3601"),
        ("scaledown_window", 30.0, "`scaledown_window` must be an int, not 30.0 (float)"),
    ],
)
def test_a_setting_that_does_not_fit_is_named(option, value, sentence):
    with pytest.raises(InvalidError) as caught:
        Autoscaler.declared(**{option: value})
    assert str(caught.value).startswith(sentence)


@pytest.mark.parametrize("window", [2, 3600])
def test_the_bounds_of_the_window_belong_to_it(window):
    assert Autoscaler.declared(scaledown_window=window).scaledown_window == window


def test_a_floor_above_the_cap_is_refused():
    with pytest.raises(InvalidError) as caught:
        Autoscaler.declared(min_containers=3, max_containers=2)
    assert str(caught.value) == (
        "`min_containers` (3) cannot be greater than `max_containers` (2); raise the cap or lower the floor"
    )


def test_only_what_is_given_changes():
    assert autoscaler_changes(min_containers=0, max_containers=4) == {
        "min_containers": 0,
        "max_containers": 4,
    }


def test_concurrency_is_checked():
    assert Concurrency.declared(max_inputs=4, target_inputs=4) == Concurrency(4, 4)
    with pytest.raises(
        InvalidError, match=r"`target_inputs` \(5\) cannot be greater than `max_inputs` \(4\)"
    ):
        Concurrency.declared(max_inputs=4, target_inputs=5)
    with pytest.raises(InvalidError, match="`max_inputs` must be at least 1, not 0"):
        Concurrency.declared(max_inputs=0)


@pytest.mark.parametrize(("size", "wait"), [(1, 0), (1000, 600_000)])
def test_the_bounds_of_batches_belong_to_them(size, wait):
    assert Batching.declared(max_batch_size=size, wait_ms=wait) == Batching(size, wait)


@pytest.mark.parametrize(
    ("size", "wait", "sentence"),
    [
        (0, 1, "`max_batch_size` must be between 1 and 1000, not 0"),
        (1001, 1, "`max_batch_size` must be between 1 and 1000, not 1001"),
        (1, -1, "`wait_ms` must be between 0 and 600000, not -1"),
        (1, 600_001, "`wait_ms` must be between 0 and 600000, not 600001"),
        ("4", 1, "`max_batch_size` must be an int, not '4' (str)"),
    ],
)
def test_batches_out_of_bounds_are_refused(size, wait, sentence):
    with pytest.raises(InvalidError) as caught:
        Batching.declared(max_batch_size=size, wait_ms=wait)
    assert str(caught.value) == sentence
