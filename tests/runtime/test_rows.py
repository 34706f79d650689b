"""Chunks of plain values run in one loop: outcomes, names, recalls and cancels are those of single inputs."""

from __future__ import annotations

import pytest

from modal_nb.runtime.context import current_input_id
from modal_nb.runtime.payload import dumps_chunk
from modal_nb.runtime.runner import Runner
from modal_nb.runtime.service import Service
from tests.runtime.model import answers, chunk, method

VALUES = [1, None, 2.5, True, "short", b"bytes", "long" * 5_000, [1, {"a": 2}], (1, 2), 1j]


class Rows:
    def __init__(self) -> None:
        self.seen = []

    @method
    def give(self, index):
        return VALUES[index]

    @method
    def fail(self, x):
        if x % 3 == 1:
            raise ValueError(x)
        return [x] if x % 3 else x

    @method
    def name(self, x):
        return current_input_id()

    @method
    def count(self, x):
        Rows.calls.append(x)
        if x == 2:
            Rows.then()
        return x


@pytest.fixture
def rows():
    Rows.calls, Rows.then = [], lambda: None
    runner = Runner(Service(Rows))
    runner.install()
    return runner


def test_results_of_all_kinds_keep_their_places(rows):
    assert answers(chunk(rows, "give", range(len(VALUES))), len(VALUES)) == [(True, v) for v in VALUES]


def test_failures_and_values_keep_their_places(rows):
    said = answers(chunk(rows, "fail", range(9)), 9)

    assert [ok for ok, _ in said] == [x % 3 != 1 for x in range(9)]
    assert [value for ok, value in said if ok] == [0, [2], 3, [5], 6, [8]]
    assert [error.args for ok, error in said if not ok] == [(1,), (4,), (7,)]


def test_each_has_its_name(rows):
    said = answers(chunk(rows, "name", range(3)), 3)
    assert [name for _, name in said] == ["in-9.0", "in-9.1", "in-9.2"]


def test_a_recall_in_the_middle_leaves_what_is_not_begun(rows):
    Rows.then = lambda: Rows.said.append(rows.recall(9))
    Rows.said = []

    reply = chunk(rows, "count", range(10))

    assert Rows.said == [3]
    assert (reply.outcome, reply.begun) == ("ok", 3)
    assert Rows.calls == [0, 1, 2]
    assert answers(reply, 10) == [(True, 0), (True, 1), (True, 2)]


def test_a_cancel_in_the_middle_begins_nothing_more(rows):
    ticket = rows.expect(9, count=10)
    Rows.then = lambda: setattr(ticket, "cancelled", True)

    reply = rows.run_sync(ticket, "count", dumps_chunk([((x,), {}) for x in range(10)]))

    assert (reply.outcome, reply.begun) == ("cancelled", 3)
    assert Rows.calls == [0, 1, 2]


def test_a_range_of_a_chunk(rows):
    reply = chunk(rows, "count", range(10), first=4, count=3)

    assert answers(reply, 3) == [(True, 4), (True, 5), (True, 6)]
    assert Rows.calls == [4, 5, 6]


def test_a_result_over_the_bound_is_the_outcome_of_its_input_alone(rows, monkeypatch):
    monkeypatch.setattr("modal_nb.runtime.context.process.payload_bound", 3)

    said = answers(chunk(rows, "give", [0, 4, 1]), 3)

    assert [ok for ok, _ in said] == [True, False, True]
    assert "over the limit" in str(said[1][1])
