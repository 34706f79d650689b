"""Batches without a container: lists made of calls, and outcomes made of a list."""

from __future__ import annotations

import gc
import threading

import pytest

from modal_nb.exception import InvalidError, NotFoundError, RequestSizeError
from modal_nb.runtime.context import process
from modal_nb.runtime.service import Service
from tests.runtime.lists import call, installed, run, told
from tests.runtime.model import method


@pytest.fixture
def runner():
    with installed() as made:
        yield made


# -- lists ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["combine", "a_combine"])
def test_one_list_for_each_parameter_however_the_callers_named_them(runner, name):
    calls = [call(1, 2, c=3), call(b=20, a=10, c=30), call(100, c=300, b=200)]
    assert told(run(runner, name, *calls)) == [(1, 2, 3), (10, 20, 30), (100, 200, 300)]
    assert runner.service.instance.calls == [([1, 10, 100], [2, 20, 200], [3, 30, 300])]


def test_parameters_that_are_positional_only(runner):
    assert told(run(runner, "positional", call("a", "b"), call("c", b="d"))) == ["ab", "cd"]
    assert "'a' parameter is positional only" in str(told(run(runner, "positional", call(a="a", b="b")))[0])


def test_a_batch_of_one_is_a_list_of_one(runner):
    assert told(run(runner, "double", call(4))) == [8]
    assert runner.service.instance.calls == [([4],)]


def test_lists_are_the_methods_to_change(runner):
    assert told(run(runner, "change", call(1), call(2))) == [1, 2]


def test_a_thousand_in_one_batch(runner):
    assert told(run(runner, "double", *map(call, range(1000)))) == [2 * x for x in range(1000)]
    assert len(runner.service.instance.calls) == 1


# -- who does not fit -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("wrong", "problem"),
    [
        (call(1, 2), "missing 'c'"),
        (call(1), "missing 'b', 'c'"),
        (call(), "missing a required argument: 'a'"),
        (call(1, 2, 3), "too many positional arguments"),
        (call(1, 2, c=3, d=4), "got an unexpected keyword argument 'd'"),
        (call(1, a=1, b=2, c=3), "multiple values for argument 'a'"),
    ],
)
def test_one_call_that_does_not_fit_fails_the_whole_batch(runner, wrong, problem):
    found = told(run(runner, "combine", call(1, 2, c=3), wrong, call(4, 5, c=6)))
    assert [type(error) for error in found] == [InvalidError] * 3
    assert str(found[0]).startswith(
        "Model.combine is batched: every caller gives every parameter (a, b, c), and defaults are not used. "
        "One call of this batch does not: "
    )
    assert problem in str(found[0])
    assert runner.service.instance.calls == []


@pytest.mark.parametrize(("name", "sort"), [("many", r"*xs"), ("named", r"**xs")])
def test_a_method_without_names_for_its_parameters_cannot_be_batched(runner, name, sort):
    (error,) = told(run(runner, name, call()))
    assert type(error) is InvalidError
    assert f"Model.{name} is batched, so it cannot take {sort}" in str(error)


def test_a_method_that_does_not_exist(runner):
    assert [type(error) for error in told(run(runner, "nowhere", call(1), call(2)))] == [NotFoundError] * 2


# -- what it returns --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "named"),
    [
        ((1,), "a tuple"),
        (None, "a NoneType"),
        ({1: 1}, "a dict"),
        ("x", "a str"),
        (1, "an int"),
        ({1}, "a set"),
    ],
    ids=repr,
)
def test_a_result_that_is_no_list_fails_all(runner, value, named):
    found = told(run(runner, "give", call(value), call(0)))
    assert [type(error) for error in found] == [InvalidError] * 2
    assert str(found[0]) == (
        f"Model.give is batched, so it must return a list with one result for each input, not {named}"
    )


@pytest.mark.parametrize("length", [0, 1, 3])
def test_a_list_of_another_length_fails_all(runner, length):
    found = told(run(runner, "give", call([0] * length), call(0)))
    assert [type(error) for error in found] == [InvalidError] * 2
    assert f"it got 2 and returned {length}" in str(found[1])


def test_a_method_of_no_parameters_still_answers_each_call(runner):
    assert told(run(runner, "nothing", call())) == ["nothing"]
    assert "it got 2 and returned 1" in str(told(run(runner, "nothing", call(), call()))[0])


def test_a_coroutine_is_no_list_and_nobody_is_warned_of_it(runner):
    class Forgets:
        @method
        def f(self, xs):
            return self.g.local(xs)

        @method
        async def g(self, xs):
            return xs

    runner.service = Service(Forgets)
    (error,) = told(run(runner, "f", call(1)))
    assert "not a coroutine" in str(error)
    gc.collect()


@pytest.mark.parametrize(
    ("make", "kind"),
    [(threading.Lock, TypeError), (lambda: (x for x in ()), InvalidError), (lambda: print, None)],
    ids=["a lock", "a generator", "a function"],
)
def test_a_result_that_cannot_travel_fails_alone(runner, make, kind):
    one, two, three = run(runner, "first_of_all", call(1), call(make), call(3))
    assert told([one, three]) == [1, 3]
    if kind is None:
        assert told([two]) == [print]
    else:
        assert type(told([two])[0]) is kind
        assert "Model.first_of_all" in str(told([two])[0])


def test_a_result_that_is_too_large_fails_alone(runner, monkeypatch):
    monkeypatch.setattr(process, "payload_bound", 2000)
    small, large = told(run(runner, "first_of_all", call(b"x"), call(lambda: bytes(5000))))
    assert small == b"x"
    assert type(large) is RequestSizeError
