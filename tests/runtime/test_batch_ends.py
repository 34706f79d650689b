"""How batches end: failures of all and of one, chunks, cancels."""

from __future__ import annotations

import asyncio
import threading

import pytest

from modal_nb.exception import DeserializationError
from modal_nb.runtime import context
from modal_nb.runtime.attempt import Told
from modal_nb.runtime.payload import dumps_chunk
from modal_nb.runtime.runner import Runner
from modal_nb.runtime.service import Service
from tests.runtime.lists import Model, call, installed, messages, run, told
from tests.runtime.model import later


@pytest.fixture
def runner():
    with installed() as made:
        yield made


# -- what it raises ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["fail", "a_fail"])
def test_what_it_raises_is_raised_to_everybody(runner, name):
    found = told(run(runner, name, call(1), call(2), call(3)))
    assert [(type(error), error.args) for error in found] == [(LookupError, ("of all", 3))] * 3
    assert len({id(error) for error in found}) == 3


@pytest.mark.parametrize("name", ["leave", "a_leave"])
def test_sys_exit_is_an_ordinary_failure(runner, name):
    assert [(type(error), error.code) for error in told(run(runner, name, call(1), call(2)))] == [
        (SystemExit, 3)
    ] * 2


@pytest.mark.parametrize(
    ("retried", "outcome"),
    [((), "error"), ((LookupError,), "error"), ((BaseException,), "error"), ((OSError,), "final")],
)
def test_each_outcome_says_whether_it_may_be_tried_again(runner, retried, outcome):
    runner = Runner(Service(Model), told=Told(retried))
    assert [reply.outcome for reply in run(runner, "fail", call(1), call(2))] == [outcome] * 2


def test_an_interrupt_is_never_tried_again():
    runner = Runner(Service(Model), told=Told((BaseException,)))
    replies = run(runner, "interrupted", call(1), call(2))
    assert [reply.outcome for reply in replies] == ["interrupted"] * 2
    assert [type(error) for error in told(replies)] == [KeyboardInterrupt] * 2


# -- arguments that cannot be rebuilt ---------------------------------------------------------------------------------


class Trap:
    def __reduce__(self):
        return _refuse, ()


def _refuse():
    raise ZeroDivisionError("on purpose")


def test_an_argument_that_cannot_be_rebuilt_fails_alone_and_the_others_run(runner):
    one, two, three = told(run(runner, "double", call(1), call(Trap()), call(3)))
    assert (one, three) == (2, 6)
    assert type(two) is DeserializationError
    assert runner.service.instance.calls == [([1, 3],)]


@pytest.mark.parametrize("name", ["double", "a_combine"])
def test_where_none_can_be_rebuilt_the_method_does_not_run(runner, name):
    found = told(run(runner, name, call(Trap()), call(Trap())))
    assert [type(error) for error in found] == [DeserializationError] * 2
    assert runner.service.instance.calls == []


def test_a_message_that_cannot_be_read_fails_alone(runner):
    one, two, three = run(runner, "double", call(1), [b"junk"], call(3))
    assert (told([one]), two.outcome, told([three])) == ([2], "error", [6])


# -- chunks -----------------------------------------------------------------------------------------------------------


def chunk(runner, number, values, *, first=0, count=None):
    frames = dumps_chunk([((value,), {}) for value in values])
    return runner.expect(number, first=first, count=len(values) if count is None else count), frames


def test_chunks_ranges_and_single_inputs_are_one_batch(runner):
    made = [
        chunk(runner, 1, [1, 2, 3]),
        (runner.expect(2), call(4)),
        chunk(runner, 3, range(100), first=50, count=2),
        chunk(runner, 4, [7], count=1),
    ]
    replies = runner.run_batch(made, "double")
    assert [reply.begun for reply in replies] == [3, 1, 2, 1]
    assert [told([reply]) for reply in replies] == [[2, 4, 6], [8], [100, 102], [14]]
    assert runner.service.instance.calls == [([1, 2, 3, 4, 50, 51, 7],)]


def test_in_a_chunk_too_what_cannot_travel_fails_alone(runner):
    made = [(runner.expect(1), call(0)), chunk(runner, 2, [1, threading.Lock, 3])]
    replies = runner.run_batch(made, "first_of_all")
    assert [reply.outcome for reply in replies] == ["ok", "error"]
    one, lock, three = told([replies[1]])
    assert (one, type(lock), three) == (1, TypeError, 3)


def test_a_failure_is_that_of_each_input_of_a_chunk(runner):
    replies = runner.run_batch([chunk(runner, 1, [1, 2]), (runner.expect(2), call(3))], "fail")
    assert [error.args for error in told(replies)] == [("of all", 3)] * 3


def test_the_time_of_a_batch_is_shared_out_over_its_inputs(runner):
    three, one = runner.run_batch([chunk(runner, 1, [1, 2, 3]), (runner.expect(2), call(4))], "double")
    assert three.seconds == pytest.approx(3 * one.seconds)


# -- cancels ----------------------------------------------------------------------------------------------------------


def test_those_that_were_given_up_before_it_began_are_left_out(runner):
    made = messages(runner, [call(1), call(2), call(3)])
    assert runner.cancel(2)
    replies = runner.run_batch(made, "double")
    assert [reply.outcome for reply in replies] == ["ok", "cancelled", "ok"]
    assert (told([replies[0]]), replies[1].begun, told([replies[2]])) == ([2], 0, [6])
    assert runner.service.instance.calls == [([1, 3],)]


@pytest.mark.parametrize("name", ["double", "a_combine"])
def test_where_all_were_given_up_nothing_runs(runner, name):
    made = messages(runner, [call(1), call(2)])
    assert runner.cancel(1)
    assert runner.cancel(2)
    replies = (
        asyncio.run(runner.run_batch_async(made, name))
        if name.startswith("a_")
        else runner.run_batch(made, name)
    )
    assert [(reply.outcome, reply.begun) for reply in replies] == [("cancelled", 0)] * 2
    assert runner.service.instance.calls == []


def test_its_code_ends_when_the_last_of_them_is_given_up(runner):
    instance = runner.service.instance
    seen = []

    def give_up():
        for number in (1, 3, 2):
            seen.append(list(instance.log))
            runner.cancel(number)

    thread = later(instance.began, give_up)
    replies = run(runner, "wait", call(1), call(2), call(3))
    thread.join()
    assert [reply.outcome for reply in replies] == ["cancelled"] * 3
    assert (seen, instance.log) == ([[], [], []], ["ended"])
    assert told(run(runner, "double", call(1))) == [2]


def test_one_that_is_given_up_leaves_the_others_alone(runner):
    instance = runner.service.instance

    def give_one_up():
        runner.cancel(1)
        instance.never.set()

    thread = later(instance.began, give_one_up)
    replies = run(runner, "wait", call("a"), call("b"))
    thread.join()
    assert instance.log == []
    assert told([replies[1]]) == ["b"]


@pytest.mark.parametrize("given_up", [(1,), (1, 2)], ids=["one of them", "both"])
def test_the_same_where_it_is_async(runner, given_up):
    instance = runner.service.instance

    async def both():
        made = messages(runner, [call("a"), call("b")])
        batch = asyncio.ensure_future(runner.run_batch_async(made, "a_wait"))
        await asyncio.to_thread(instance.began.wait, 30)
        for number in given_up:
            runner.cancel(number)
        if len(given_up) == 1:
            instance.gate.set()
        return await batch

    replies = asyncio.run(both())
    if len(given_up) == 1:
        assert told([replies[1]]) == ["b"]
    else:
        assert [reply.outcome for reply in replies] == ["cancelled"] * 2
    assert instance.log == ["ended"]


# -- names ------------------------------------------------------------------------------------------------------------


def test_its_code_runs_in_the_name_of_its_first_input(runner):
    assert told(run(runner, "ids", call(1), call(2))) == [("in-1", "fc-1", 1)] * 2
    assert (context.current_input_id(), context._served) == (None, [])


def test_in_the_name_of_the_first_that_runs(runner):
    made = messages(runner, [call(1), call(2)])
    runner.cancel(1)
    _, second = runner.run_batch(made, "ids")
    assert told([second]) == [("in-2", "fc-2", 2)]


def test_when_it_is_over_it_is_forgotten(runner):
    run(runner, "double", call(1), call(2))
    assert not runner.cancel(1)
    assert runner.recall(2) is None
