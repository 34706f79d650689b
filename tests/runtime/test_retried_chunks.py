"""Chunks under a retry policy: what may be tried again goes back, and what stays is told as final."""

from __future__ import annotations

import asyncio

import pytest

from modal_nb.runtime.attempt import Told
from modal_nb.runtime.payload import dumps_chunk
from modal_nb.runtime.runner import Runner
from modal_nb.runtime.service import Service
from tests.runtime.model import answers, method


class Transient(Exception):
    pass


class Fatal(Exception):
    pass


class Model:
    """An input says how it ends; "stop" has the rest of its chunk called back first."""

    def end(self, x):
        self.ran = [*getattr(self, "ran", []), x]
        if x == "stop":
            self.runner.recall(1)
            raise Fatal(x)
        if x in {"again", "fatal"}:
            raise (Transient if x == "again" else Fatal)(x)
        return x

    @method
    def plain(self, x):
        return self.end(x)

    @method
    async def awaited(self, x):
        return self.end(x)


@pytest.fixture(params=["plain", "awaited"])
def name(request):
    return request.param


def run(name, values, retried=(Transient,)):
    """The reply, and what ran."""
    runner = Runner(Service(Model), told=Told(retried))
    instance = runner.service.instance
    instance.runner = runner
    ticket = runner.expect(1, count=len(values))
    frames = dumps_chunk([((value,), {}) for value in values])
    if name == "awaited":
        reply = asyncio.run(runner.run_async(ticket, name, frames))
    else:
        reply = runner.run_sync(ticket, name, frames)
    return reply, instance.ran


def outcomes(reply):
    return [value if ok else type(value) for ok, value in answers(reply, reply.begun)]


def test_the_one_that_may_be_tried_again_goes_back_with_all_behind_it(name):
    reply, ran = run(name, ["a", "again", "c"])
    assert (reply.outcome, reply.begun, reply.failed) == ("ok", 1, True)
    assert outcomes(reply) == ["a"]
    assert ran == ["a", "again"]


def test_where_the_first_one_does_nothing_is_told_of_the_chunk(name):
    reply, ran = run(name, ["again", "b"])
    assert (reply.begun, reply.failed, ran) == (0, True, ["again"])


@pytest.mark.parametrize(
    ("values", "begun", "failed"),
    [
        (["fatal", "again"], 1, True),
        (["fatal", "again", "c"], 1, True),
        (["a", "fatal", "again"], 2, True),
        (["fatal", "b"], 2, False),
        (["stop", "b", "c"], 1, False),
    ],
    ids=str,
)
def test_what_stays_is_final_also_where_it_is_the_only_one_that_is_left(name, values, begun, failed):
    """A message of one that failed is tried again if the policy has attempts left: not so the rest of this one."""
    reply, _ = run(name, values)
    assert (reply.outcome, reply.begun, reply.failed) == ("final", begun, failed)
    assert Fatal in outcomes(reply)


@pytest.mark.parametrize(("value", "outcome"), [("again", "error"), ("fatal", "final"), ("a", "ok")])
def test_a_chunk_of_one_is_told_as_an_input_by_itself(name, value, outcome):
    reply, _ = run(name, [value])
    assert (reply.outcome, reply.begun, reply.failed) == (outcome, 1, False)


def test_without_a_policy_nothing_goes_back_and_nothing_is_final(name):
    reply, ran = run(name, ["a", "again", "fatal", "d"], retried=())
    assert (reply.outcome, reply.begun, reply.failed) == ("error", 4, False)
    assert outcomes(reply) == ["a", Transient, Fatal, "d"]
    assert len(ran) == 4


# -- exceptions of cells that have run again --------------------------------------------------------------------------


def of_a_cell(name, base=Exception):
    """A class as a cell of a notebook defines it."""
    return type(name, (base,), {"__module__": "__main__"})


def test_a_class_whose_cell_has_run_again_counts_by_its_name():
    """The policy has the class of the old cell, and the method, whose code is new, raises that of the new one."""
    old, new, other = of_a_cell("Flaky"), of_a_cell("Flaky"), of_a_cell("Other")
    told = Told((old,))
    assert told.again("error", old())
    assert told.again("error", new())
    assert told.again("error", of_a_cell("Derived", new)())
    assert not told.again("error", other())
    assert (told.outcome("error", new()), told.outcome("error", other())) == ("error", "final")


def test_elsewhere_a_name_says_nothing():
    assert not Told((Fatal,)).again("error", of_a_cell("Fatal")())
    assert not Told((of_a_cell("Fatal"),)).again("error", Fatal())
    assert not Told(()).again("error", Fatal())
