"""What becomes of inputs: outcomes, chunks, recalls, cancels; all on the main thread of the test run."""

from __future__ import annotations

import gc
import threading

import pytest

from modal_nb.exception import InputCancellation, InvalidError, NotFoundError
from modal_nb.runtime import context
from modal_nb.runtime.payload import dumps_arguments, dumps_chunk
from modal_nb.runtime.service import Service
from tests.runtime.model import answers, chunk, method, one

# --- single inputs ---


def test_a_value_is_ok(runner):
    reply = one(runner, "double", 4, plus=1)
    assert (reply.outcome, reply.begun) == ("ok", 1)
    assert answers(reply) == [(True, 9)]


def test_a_failure_is_an_error_and_the_next_input_runs(runner):
    [(ok, error)] = answers(one(runner, "fail", 3))
    assert not ok
    assert error.args == ("odd", 3)
    assert answers(one(runner, "fail", 2)) == [(True, 2)]


def test_sys_exit_is_an_ordinary_failure(runner):
    [(_, error)] = answers(one(runner, "leave"))
    assert type(error) is SystemExit
    assert error.code == 4


def test_a_result_that_cannot_be_pickled_is_an_error_that_names_the_method(runner):
    [(_, error)] = answers(one(runner, "give_lock"))
    assert type(error) is TypeError
    assert "result of Model.give_lock (a _thread.lock) cannot be pickled" in str(error)


@pytest.mark.parametrize("name", ["give_coroutine", "give_generator"])
def test_a_plain_method_may_not_return_what_is_unfinished(runner, name):
    [(_, error)] = answers(one(runner, name))
    assert type(error) is InvalidError
    assert "is_generator=True" in str(error)
    gc.collect()


def test_a_generator_is_not_called(runner):
    [(_, error)] = answers(one(runner, "stream"))
    assert type(error) is InvalidError
    assert "remote_gen" in str(error)


def test_an_unknown_method_and_unreadable_frames_are_errors(runner):
    [(_, error)] = answers(one(runner, "nothing"))
    assert type(error) is NotFoundError
    reply = runner.run_sync(runner.expect(1), "double", [b"junk"])
    assert reply.outcome == "error"
    reply = runner.run_sync(runner.expect(1, count=5), "double", dumps_arguments((1,), {}))
    assert [ok for ok, _ in answers(reply, 5)] == [False] * 5


def test_a_cancellation_raised_by_hand_is_a_failure(runner):
    [(_, error)] = answers(one(runner, "raises_cancellation"))
    assert type(error) is InputCancellation


def test_ids_are_known_inside_and_only_there(runner):
    assert answers(one(runner, "where", number=5)) == [(True, ("in-5", "fc-7"))]
    assert answers(one(runner, "where", number="in-x")) == [(True, ("in-x", "fc-7"))]
    assert context.current_input_id() is None


def test_inputs_run_on_the_main_thread_in_place(runner):
    assert not runner.busy
    reply = one(runner, "keep", 1)
    assert reply.seconds >= 0
    assert not runner.busy


# --- chunks ---


def test_a_chunk_gives_an_outcome_for_each_input(runner):
    reply = chunk(runner, "fail", range(6))
    assert (reply.outcome, reply.begun) == ("error", 6)
    assert [value if ok else error_args(value) for ok, value in answers(reply, 6)] == [
        0,
        ("odd", 1),
        2,
        ("odd", 3),
        4,
        ("odd", 5),
    ]


def error_args(error):
    return error.args


def test_a_range_of_a_chunk_runs_only_that_range(runner):
    reply = chunk(runner, "double", range(10), first=3, count=4)
    assert answers(reply, 4) == [(True, 6), (True, 8), (True, 10), (True, 12)]


def test_results_of_a_chunk_are_as_they_were_when_returned(runner):
    assert answers(chunk(runner, "keep", [1, 2, 3]), 3) == [(True, [1]), (True, [1, 2]), (True, [1, 2, 3])]


def test_unpicklable_results_spoil_only_their_input(runner):
    class Mixed:
        @method
        def f(self, x):
            return threading.Lock() if x == 1 else x

    runner.service = Service(Mixed)
    said = answers(chunk(runner, "f", [0, 1, 2]), 3)
    assert [ok for ok, _ in said] == [True, False, True]


def test_inputs_of_a_chunk_have_ids_of_their_own(runner):
    said = answers(chunk(runner, "where", [0, 0], first=0, number=3), 2)
    assert [value for _, value in said] == [("in-3.0", "fc-1"), ("in-3.1", "fc-1")]


def test_a_recalled_chunk_returns_early_with_how_many_were_begun(runner):
    class Long:
        @method
        def f(self, x):
            if x == 2:
                Long.begun = runner.recall(9)
                Long.again = runner.recall(9)
            return x

    runner.service = Service(Long)
    reply = chunk(runner, "f", range(8))
    assert (Long.begun, Long.again) == (3, None)
    assert (reply.outcome, reply.begun) == ("ok", 3)
    assert answers(reply, 3) == [(True, 0), (True, 1), (True, 2)]


def test_what_is_not_begun_can_be_recalled_whole(runner):
    ticket = runner.expect(4, count=2)
    assert runner.recall(4) == 0
    reply = runner.run_sync(ticket, "double", dumps_chunk([((1,), {}), ((2,), {})]))
    assert (reply.outcome, reply.begun) == ("returned", 0)


def test_a_recall_that_comes_too_late_gives_nothing_back(runner):
    one(runner, "double", 1, number=6)
    assert runner.recall(6) is None

    class Late:
        @method
        def f(self, x):
            return runner.recall(9)

    runner.service = Service(Late)
    assert answers(chunk(runner, "f", [0]))[0] == (True, None)


def test_input_ids_are_those_of_the_function_call_where_the_caller_says_which_input_it_is(runner):
    ticket = runner.expect(9, first=2, count=3, call_id="fc-ab12-7", base=100)
    assert [ticket.name_of(index, many=True) for index in (2, 4)] == ["in-ab12-7-102", "in-ab12-7-104"]
