"""Many inputs that go on by themselves: ``.spawn_map``, with and without results."""

from __future__ import annotations

import asyncio
import threading

import pytest

import modal_nb as modal
from modal_nb.client.call_graph import InputStatus
from modal_nb.exception import InvalidError
from tests.e2e.home import until
from tests.e2e.spawned import Thing, aio, app


@pytest.fixture(scope="module")
def thing(home):
    with app.run():
        yield Thing()


async def _numbers(n):
    for i in range(n):
        await asyncio.sleep(0)
        yield i


@pytest.mark.parametrize("face", ["blocking", "awaited"])
@pytest.mark.parametrize("kind", ["plain", "async"])
def test_spawn_map_runs_every_input_and_returns_nothing(thing, tmp_path, face, kind):
    numbers = range(700) if kind == "plain" else _numbers(700)
    if face == "blocking":
        assert thing.append.spawn_map(numbers, kwargs={"folder": str(tmp_path)}) is None
    else:
        assert aio(thing.append.spawn_map.aio(numbers, kwargs={"folder": str(tmp_path)})) is None
    until(lambda: len(list(tmp_path.iterdir())) == 700)
    assert {int(path.name) for path in tmp_path.iterdir()} == set(range(700))


def test_spawn_map_ends_with_the_shortest_iterable_and_waits_where_too_many_are_outstanding(
    thing, tmp_path, monkeypatch
):
    monkeypatch.setattr("modal_nb.client.spawning.MOST_OUTSTANDING", 16)
    thing.append.spawn_map(range(90), [str(tmp_path)] * 60)
    asyncio.run(thing.append.spawn_map.aio(_numbers(100), kwargs={"folder": str(tmp_path)}))
    until(lambda: len(list(tmp_path.iterdir())) == 100)


@pytest.mark.parametrize("face", ["spawn_map", "experimental_spawn_map"])
def test_an_error_of_the_input_iterator_is_raised_here(thing, face, tmp_path):
    def inputs():
        yield 1
        raise KeyError("mine")

    with pytest.raises(KeyError, match="mine"):
        getattr(thing.append, face)(inputs(), kwargs={"folder": str(tmp_path)})
    with pytest.raises(TypeError, match="argument 1 of append"):
        getattr(thing.append, face)([threading.Lock()], kwargs={"folder": str(tmp_path)})
    assert thing.double.remote(1) == 2


@pytest.mark.parametrize("face", ["blocking", "awaited"])
def test_a_spawn_map_that_keeps_results(thing, face):
    if face == "blocking":
        call = thing.double.experimental_spawn_map(range(50), kwargs={"plus": 1})
        assert call.num_inputs() == 50
        assert [call.get(index=n) for n in (49, 0)] == [99, 1]
        assert list(call.iter()) == [2 * n + 1 for n in range(50)]
        assert list(call.iter(start=48)) == [97, 99]
        assert list(call.iter(start=1, end=3)) == [3, 5]
        assert list(call.iter(start=50)) == []
        return

    async def run():
        call = await thing.double.experimental_spawn_map.aio(_numbers(50))
        assert await call.num_inputs.aio() == 50
        assert await call.get.aio(index=49) == 98
        assert [x async for x in call.iter.aio(start=40)] == [2 * n for n in range(40, 50)]
        assert [x async for x in call.iter.aio()] == [2 * n for n in range(50)]
        assert {info.status for info in await call.get_call_graph.aio()} == {InputStatus.SUCCESS}

    asyncio.run(run())


def test_a_spawn_map_of_nothing(thing):
    call = thing.double.experimental_spawn_map([])
    assert (call.num_inputs(), list(call.iter()), call.get_call_graph()) == (0, [], [])
    with pytest.raises(
        InvalidError, match=r"index=0 is out of range of fc-.*: it has no inputs, counted from 0"
    ):
        call.get()
    with pytest.raises(InvalidError, match="out of range"):
        modal.FunctionCall.gather(call)


def test_the_inputs_of_a_spawn_map_have_their_own_ids_in_one_call(thing):
    call = thing.ids.experimental_spawn_map(range(3))
    found = [(info.function_call_id, info.input_id, False) for info in call.get_call_graph()]
    assert list(call.iter()) == found
    assert len(set(found)) == 3
