"""Failed inputs that are tried again: exactly as often as the policy says, each for itself."""

from __future__ import annotations

import asyncio

import pytest

import modal_nb as modal
from modal_nb.exception import ContainerCrashedError, FunctionTimeoutError, InvalidError
from tests.e2e import script
from tests.e2e.flaky import (
    RETRIES,
    Fatal,
    Flaky,
    Hasty,
    Notes,
    Transient,
    VeryTransient,
    Wide,
    app,
)

ATTEMPTS = RETRIES + 1


@pytest.fixture(scope="module", autouse=True)
def running(home):
    with app.run():
        yield


@pytest.fixture
def notes(tmp_path):
    return Notes(tmp_path)


@pytest.fixture(params=[Flaky, Wide], ids=["one by one", "side by side"])
def flaky(request, tmp_path):
    return request.param(folder=str(tmp_path))


def variant(tmp_path, **policy):
    """Of a class that is tried again by this policy, at once."""
    return Flaky.with_options(retries=modal.Retries(**{"max_retries": 2, "initial_delay": 0, **policy}))(
        folder=str(tmp_path)
    )


# -- how often --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["run", "a_run"])
def test_an_input_runs_until_it_succeeds_and_not_once_more(flaky, notes, name):
    for failures in range(ATTEMPTS):
        assert getattr(flaky, name).remote(f"x{failures}", failures) == (f"x{failures}", failures + 1)
        assert notes.runs(f"x{failures}") == failures + 1


@pytest.mark.parametrize("name", ["run", "a_run"])
def test_when_its_attempts_are_used_up_the_caller_gets_the_last_exception(flaky, notes, name):
    with pytest.raises(ValueError, match=f"(?m)^{ATTEMPTS}$") as caught:
        getattr(flaky, name).remote("x", 99)
    assert caught.value.args == (ATTEMPTS,)
    assert notes.runs("x") == ATTEMPTS


@pytest.mark.parametrize("retries", [0, 1, 5])
def test_as_often_as_the_policy_says(tmp_path, notes, retries):
    with pytest.raises(ValueError, match=f"(?m)^{retries + 1}$"):
        variant(tmp_path, max_retries=retries).run.remote("x", 99)
    assert notes.runs("x") == retries + 1


def test_a_number_is_that_many_extra_attempts(tmp_path, notes):
    assert Flaky.with_options(retries=1)(folder=str(tmp_path)).run.remote("x", 1) == ("x", 2)
    with pytest.raises(ValueError, match=r"(?m)^2$"):
        Flaky.with_options(retries=1)(folder=str(tmp_path)).run.remote("y", 2)
    assert notes.runs("y") == 2


def test_awaited_and_spawned_calls_too(flaky, notes):
    assert asyncio.run(flaky.run.remote.aio("a", 2)) == ("a", 3)
    calls = [flaky.run.spawn(f"s{x}", x) for x in range(ATTEMPTS + 1)]
    assert [call.get() for call in calls[:-1]] == [(f"s{x}", x + 1) for x in range(ATTEMPTS)]
    with pytest.raises(ValueError, match=f"(?m)^{ATTEMPTS}$"):
        calls[-1].get()
    assert [notes.runs(f"s{x}") for x in range(ATTEMPTS + 1)] == [1, 2, 3, 3]


def test_an_input_keeps_its_ids_over_its_attempts(flaky, notes):
    call = flaky.ids.spawn("x", 2)
    call.get()
    assert notes.lines("ids-x") == [f"in-{call.object_id.removeprefix('fc-')}-0 {call.object_id}"] * 3


def test_where_a_container_serves_one_input_each_attempt_has_its_own(tmp_path, notes):
    own = modal.App("single")

    @own.cls(single_use_containers=True, retries=modal.Retries(max_retries=2, initial_delay=0))
    class Single(Flaky.__wrapped__):
        pass

    with own.run():
        assert Single(folder=str(tmp_path)).where.remote("x", 2) == ("x", 3)
    assert len({*notes.lines("where-x")}) == 3


# -- what counts ------------------------------------------------------------------------------------------------------


def test_without_on_whatever_is_raised_counts(flaky, notes):
    for error, kind in (("exit", SystemExit), ("group", ExceptionGroup), ("fatal", Fatal)):
        assert flaky.run.remote(f"{error}-1", 2, error) == (f"{error}-1", 3)
        with pytest.raises(kind):
            flaky.run.remote(error, 99, error)
        assert notes.runs(error) == ATTEMPTS


def test_an_interrupt_inside_is_not_tried_again(flaky, notes):
    with pytest.raises(KeyboardInterrupt):
        flaky.run.remote("x", 99, "interrupt")
    assert notes.runs("x") == 1


def test_a_result_that_cannot_travel_counts(flaky, notes):
    with pytest.raises(TypeError, match="cannot be pickled"):
        flaky.give_lock.remote("x")
    assert notes.runs("x") == ATTEMPTS


@pytest.mark.parametrize("name", ["run", "a_run"])
def test_on_names_what_is_tried_again(tmp_path, notes, name):
    picky = variant(tmp_path, on=(Transient, ValueError))
    for error, kind, runs in (
        ("transient", Transient, 3),
        ("very transient", VeryTransient, 3),
        ("value", ValueError, 3),
        ("fatal", Fatal, 1),
        ("exit", SystemExit, 1),
        ("group", ExceptionGroup, 1),
    ):
        with pytest.raises(kind):
            getattr(picky, name).remote(error, 99, error)
        assert notes.runs(error) == runs


def test_an_exception_that_counts_no_more_is_told_at_once(tmp_path, notes):
    """Of each attempt its own exception is looked at."""
    picky = variant(tmp_path, max_retries=9, on=Transient)
    assert picky.run.remote("x", 4, "transient") == ("x", 5)
    found = list(
        picky.run.map(
            [f"m{x}" for x in range(300)],
            [9 if x % 3 else 0 for x in range(300)],
            ["transient" if x % 2 else "fatal" for x in range(300)],
            return_exceptions=True,
        )
    )
    for x, outcome in enumerate(found):
        if x % 3 == 0:
            assert outcome == (f"m{x}", 1)
        elif x % 2:
            assert outcome == (f"m{x}", 10)
        else:
            assert (type(outcome), notes.runs(f"m{x}")) == (Fatal, 1)


def test_on_may_be_a_class_of_a_script_and_of_its_functions(home, tmp_path):
    text = f"""
import modal_nb as modal
from pathlib import Path

class Transient(Exception):
    pass

def local_one():
    class Local(Transient):
        pass
    return Local

Local = local_one()
app = modal.App("script")

@app.cls(retries=modal.Retries(max_retries=2, initial_delay=0, on=Transient))
class Model:
    @modal.method()
    def run(self, name, kind):
        with Path({str(tmp_path)!r}, name).open("a") as file:
            file.write(".")
        raise kind(name)

with app.run():
    for name, kind in (("transient", Transient), ("local", Local), ("other", KeyError)):
        try:
            Model().run.remote(name, kind)
        except Exception as error:
            print(type(error) is kind, Path({str(tmp_path)!r}, name).read_text())
"""
    assert script.run(tmp_path, text) == "True ...\nTrue ...\nTrue .\n"


@pytest.mark.parametrize("wrong", [(), "ValueError", (ValueError, "x"), ValueError("x"), (int,)])
def test_on_takes_exception_classes_only(wrong):
    with pytest.raises(InvalidError, match="`on` must"):
        modal.Retries(max_retries=1, on=wrong)


# -- maps -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["run", "a_run"])
def test_each_input_of_a_map_is_tried_again_for_itself_also_where_they_travel_in_chunks(flaky, notes, name):
    method = getattr(flaky, name)
    list(method.map(range(1500)))  # from now on they are known to be short
    failures = [x % 7 if x % 7 <= ATTEMPTS else 0 for x in range(1500)]
    names = [f"m{x}" for x in range(1500)]
    found = list(method.map(names, failures, return_exceptions=True))
    for x, outcome in enumerate(found):
        if failures[x] == ATTEMPTS:
            assert (type(outcome), outcome.args) == (ValueError, (ATTEMPTS,))
        else:
            assert outcome == (f"m{x}", failures[x] + 1)
    assert [notes.runs(name) for name in names] == [min(n + 1, ATTEMPTS) for n in failures]


def test_a_map_ends_with_the_first_input_that_has_used_up_its_attempts(flaky, notes):
    results = iter(flaky.run.map(["a", "b", "c", "d"], [2, 1, 99, 0]))
    assert [next(results), next(results)] == [("a", 3), ("b", 2)]
    with pytest.raises(ValueError, match=f"(?m)^{ATTEMPTS}$"):
        next(results)
    assert notes.runs("c") == ATTEMPTS


def test_every_other_way_to_call_many(flaky, notes):
    names, failures = [f"x{x}" for x in range(30)], [x % 3 for x in range(30)]
    assert list(flaky.run.starmap(zip(names, failures, strict=True))) == [
        (name, n + 1) for name, n in zip(names, failures, strict=True)
    ]
    call = flaky.run.experimental_spawn_map([f"y{x}" for x in range(30)], failures)
    assert [n for _, n in call.iter()] == [n + 1 for n in failures]
    flaky.run.for_each([f"z{x}" for x in range(30)], failures)
    assert [notes.runs(f"z{x}") for x in range(30)] == [n + 1 for n in failures]


def test_chunks_that_are_slow_here_and_fail_there_over_two_containers(tmp_path, notes):
    """Parts are called back and run elsewhere while others are tried again: each runs as often as it should."""
    method = Flaky.with_options(max_containers=2)(folder=str(tmp_path)).slow_or_fail
    list(method.map([f"warm{x}" for x in range(1000)], [0] * 1000, [0] * 1000))
    names = [f"m{x}" for x in range(2000)]
    failures = [x % 5 if x % 5 <= RETRIES else 0 for x in range(2000)]
    seconds = [0.1 if x % 401 == 7 else 0 for x in range(2000)]
    found = list(method.map(names, failures, seconds))
    assert found == [(f"m{x}", failures[x] + 1) for x in range(2000)]
    assert [notes.runs(name) for name in names] == [n + 1 for n in failures]


# -- timeouts, deaths -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["hang", "a_hang"])
def test_a_timeout_counts_as_a_failure(tmp_path, notes, name):
    method = getattr(Hasty(folder=str(tmp_path)), name)
    assert method.remote("x", 1) == "x"
    assert notes.runs("x") == 2
    with pytest.raises(FunctionTimeoutError):
        method.remote("y", 99)
    assert notes.runs("y") == ATTEMPTS


@pytest.mark.parametrize(
    ("on", "runs"),
    [(ValueError, 1), (FunctionTimeoutError, 2), (modal.exception.TimeoutError, 2), (Exception, 2)],
)
def test_with_on_it_counts_where_on_says_so(tmp_path, notes, on, runs):
    retries = modal.Retries(max_retries=1, initial_delay=0, on=on)
    with pytest.raises(FunctionTimeoutError):
        Hasty.with_options(retries=retries)(folder=str(tmp_path)).a_hang.remote("x", 99)
    assert notes.runs("x") == runs


@pytest.mark.parametrize("fates", ["dfdf.", "dddff."])
def test_containers_that_die_use_up_no_attempt(tmp_path, notes, fates):
    assert Flaky(folder=str(tmp_path)).die_or_fail.remote("x", fates) == "x"
    assert notes.runs("x") == len(fates)


def test_nor_do_failures_use_up_what_an_input_may_kill(tmp_path, notes):
    with pytest.raises(ValueError, match="x"):
        Flaky(folder=str(tmp_path)).die_or_fail.remote("x", "fddfdf")
    assert notes.runs("x") == 6
    with pytest.raises(ContainerCrashedError):
        Flaky(folder=str(tmp_path)).die_or_fail.remote("y", "fddfdd")
    assert notes.runs("y") == 6
