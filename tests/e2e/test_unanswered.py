"""Requests whose answers are lost with their connection: what was done is not done twice, and nothing is lost."""

from __future__ import annotations

import asyncio

import pytest

import modal_nb as modal
from modal_nb.client import launcher
from modal_nb.protocol.stream import Kind
from tests.chaos.proxy import Fate, Proxy, let_pass


@pytest.fixture(scope="module")
def machine():
    return {"MODAL_NB_IDLE_EXIT": "600"}


@pytest.fixture(scope="module")
def proxy(home):
    """Between the supervisor and everybody else; loses the first answer to each request, and its connection."""
    launcher.find_or_start(home.places)
    answers = iter(range(10**6))
    with Proxy(home.places.socket) as found:
        found.plan = lambda seen: (
            Fate.LOSE if seen.kind == Kind.ANSWER and next(answers) % 2 == 0 else Fate.PASS
        )
        yield found
        found.plan = let_pass


def test_what_was_done_and_not_answered_is_not_done_twice(proxy):
    line = modal.Queue.from_name("line", create_if_missing=True)
    lock = modal.Dict.from_name("lock", create_if_missing=True)
    before = proxy.breaks
    for number in range(10):
        line.put(number)
        assert lock.put(number, "mine", skip_if_exists=True)
        assert lock.pop(number) == "mine"
    assert [line.get() for _ in range(10)] == list(range(10))
    assert proxy.breaks == before + 40
    assert (line.len(), lock.len()) == (0, 0)


def test_nor_where_it_is_awaited(proxy):
    async def use():
        line = modal.Queue.from_name("awaited", create_if_missing=True)
        for number in range(10):
            await line.put.aio(number)
        taken = [await line.get.aio() for _ in range(10)]
        return taken, await line.len.aio()

    before = proxy.breaks
    assert asyncio.run(use()) == (list(range(10)), 0)
    assert proxy.breaks == before + 21


def test_an_ephemeral_one_stays_over_broken_connections(proxy):
    with modal.Dict.ephemeral() as here:
        for number in range(5):
            here[number] = number
        assert dict(here.items()) == {number: number for number in range(5)}
