"""Time limits and retry policies."""

from __future__ import annotations

import pytest

from modal_nb.exception import InvalidError, TimeoutError
from modal_nb.spec import retries
from modal_nb.spec.limits import Limits
from modal_nb.spec.retries import Retries


def test_the_startup_timeout_is_the_timeout_unless_said():
    assert Limits.declared(timeout=20).startup_timeout == 20
    assert Limits.declared(timeout=20, startup_timeout=3).startup_timeout == 3


@pytest.mark.parametrize(
    ("timeout", "sentence"),
    [
        (None, "`timeout` cannot be None; give seconds, at most 86400, or leave it out"),
        (-1, "`timeout` must be between 0 and 86400.0, not -1"),
        (0, "`timeout` must be more than 0 seconds; leave it out for the default"),
        (86_401, "`timeout` must be between 0 and 86400.0, not 86401"),
        ("5", "`timeout` must be a number, not '5' (str)"),
        (True, "`timeout` must be a number, not True (bool)"),
        (float("nan"), "`timeout` must be a finite number, not nan"),
    ],
)
def test_a_timeout_that_does_not_fit_is_refused(timeout, sentence):
    with pytest.raises(InvalidError) as caught:
        Limits.declared(timeout=timeout)
    assert str(caught.value) == sentence


def test_the_startup_timeout_is_named_when_it_does_not_fit():
    with pytest.raises(InvalidError, match="`startup_timeout` must be between"):
        Limits.declared(timeout=1, startup_timeout=-2)


def test_single_use_is_a_boolean():
    assert Limits.declared(timeout=1, single_use_containers=True).single_use
    with pytest.raises(InvalidError, match="`single_use_containers` must be True or False, not 1"):
        Limits.declared(timeout=1, single_use_containers=1)


def test_an_int_means_extra_attempts_one_second_apart():
    assert retries.declared(3) == Retries(max_retries=3, backoff_coefficient=1.0, initial_delay=1.0)
    assert retries.declared(None) is None


@pytest.mark.parametrize(
    ("option", "low", "high"),
    [("backoff_coefficient", 1, 10), ("initial_delay", 0, 60), ("max_delay", 1, 60)],
)
def test_the_ranges_of_a_policy(option, low, high):
    Retries(max_retries=1, **{option: low})
    Retries(max_retries=1, **{option: high})
    for wrong in (low - 0.5, high + 0.5):
        with pytest.raises(InvalidError, match=f"`{option}` must be between"):
            Retries(max_retries=1, **{option: wrong})


@pytest.mark.parametrize("wrong", ["3", 1.5, True, [1]])
def test_other_types_are_no_policy(wrong):
    with pytest.raises(InvalidError, match=r"`retries` must be an int or a modal_nb.Retries, not"):
        retries.declared(wrong)


def test_attempts_cannot_be_negative():
    with pytest.raises(InvalidError, match="`retries` must be at least 0, not -1"):
        retries.declared(-1)
    with pytest.raises(InvalidError, match="`max_retries` must be at least 0, not -1"):
        Retries(max_retries=-1)


def test_a_policy_takes_keywords_only():
    with pytest.raises(TypeError):
        Retries(3)


def test_the_scheduler_is_told_numbers_only():
    given = Retries(max_retries=2, backoff_coefficient=3.0, initial_delay=4.0, max_delay=5.0)
    assert retries.policy_of(given) == retries.RetryPolicy(2, 3.0, 4.0, 5.0, on_timeout=True)
    assert retries.policy_of(Retries(max_retries=2, on=ValueError)).on_timeout is False
    assert retries.policy_of(Retries(max_retries=2, on=(ValueError, TimeoutError))).on_timeout


def test_no_attempts_are_no_policy():
    assert retries.policy_of(None) is None
    assert retries.policy_of(Retries(max_retries=0)) is None


def test_the_face_of_a_policy_is_modals():
    assert [name for name in dir(Retries) if not name.startswith("_")] == [
        "backoff_coefficient",
        "initial_delay",
        "max_delay",
        "max_retries",
        "on",
    ]
