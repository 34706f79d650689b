"""Many inputs in both worlds: awaited faces, loops, ``.for_each``, bad input, an interrupt."""

from __future__ import annotations

import asyncio

import pytest

from modal_nb.exception import InvalidError
from tests.e2e import script
from tests.e2e.home import until
from tests.e2e.mapped import Mapper, app, gathered, lines


@pytest.fixture(scope="module")
def mapper(home):
    with app.run():
        yield Mapper()


async def counted(n):
    for i in range(n):
        await asyncio.sleep(0)
        yield i


# -- the awaited face, and loops ----------------------------------------------------------------------------------


def test_async_for_over_map_and_its_aio_face(mapper):
    assert asyncio.run(gathered(mapper.square.map(range(300)))) == [i * i for i in range(300)]
    assert asyncio.run(gathered(mapper.square.map.aio(range(3)))) == [0, 1, 4]
    assert asyncio.run(gathered(mapper.combine.starmap.aio([(1, 2)]))) == [(1, 2, 0)]


@pytest.mark.parametrize("world", ["sync", "async"])
def test_inputs_may_come_from_an_async_iterable(mapper, world):
    results = mapper.combine.map(counted(1500), range(5000))
    got = list(results) if world == "sync" else asyncio.run(gathered(results))
    assert got == [(i, i, 0) for i in range(1500)]


def test_leaving_async_for_early_cancels_too(mapper, home):
    async def first():
        results = mapper.square.map(range(10**9)).__aiter__()
        found = [await anext(results), await anext(results)]
        await results.aclose()
        return found

    assert asyncio.run(first()) == [0, 1]
    until(lambda: home.pool("Mapper").running == 0 and home.pool("Mapper").queued == 0)


def test_a_plain_for_in_a_running_loop_is_an_error_in_a_script(mapper):
    async def blocking():
        return list(mapper.square.map(range(3)))

    with pytest.raises(InvalidError, match=r"a plain `for` over square.map.* write `async for`"):
        asyncio.run(blocking())


def test_two_maps_at_a_time_do_not_mix(mapper):
    async def two():
        return await asyncio.gather(
            gathered(mapper.square.map(range(500))), gathered(mapper.square_async.map(range(500, 1000)))
        )

    assert asyncio.run(two()) == [[i * i for i in range(500)], [i * i for i in range(500, 1000)]]


# -- for_each -----------------------------------------------------------------------------------------------------


def test_for_each_returns_none_when_all_is_done(mapper, tmp_path):
    log = tmp_path / "log"
    assert mapper.note.for_each([str(log)] * 100, range(100)) is None
    assert sorted(map(int, lines(log))) == list(range(100))
    asyncio.run(mapper.note.for_each.aio([str(log)] * 3, range(3)))
    assert len(lines(log)) == 103


def test_for_each_raises_unless_exceptions_are_ignored(mapper):
    with pytest.raises(ValueError, match="2 is even"):
        mapper.odd_only.for_each([1, 2, 3])
    assert mapper.odd_only.for_each([1, 2, 3], ignore_exceptions=True) is None


# -- bad input ----------------------------------------------------------------------------------------------------


def test_what_cannot_be_mapped_over_is_refused_by_position(mapper):
    with pytest.raises(TypeError, match=r"square\.map\(\) needs at least one iterable of inputs"):
        mapper.square.map()
    with pytest.raises(TypeError, match=r"argument 2 of \.map\(\) is not iterable: 5"):
        mapper.square.map([1], 5)
    with pytest.raises(TypeError, match=r"square\.for_each\(\) needs at least one iterable of inputs"):
        mapper.square.for_each()
    with pytest.warns(UserWarning, match="`wrap_returned_exceptions` has no effect"):
        mapper.square.map([1], wrap_returned_exceptions=False)


def test_an_interrupt_during_a_map_cancels_it(home, tmp_path):
    log = tmp_path / "log"
    text = f"""
import os, signal, threading, time
import modal_nb as modal

app = modal.App("interrupted")

@app.cls(max_containers=1)
class Sleeper:
    @modal.method()
    def sleep(self, x):
        open({str(log)!r}, "a").write(f"{{x}}\\n")
        time.sleep(1000)

def interrupt():
    while not (os.path.exists({str(log)!r}) and os.path.getsize({str(log)!r})):
        time.sleep(0.01)
    os.kill(os.getpid(), signal.SIGINT)

with app.run():
    threading.Thread(target=interrupt).start()
    try:
        list(Sleeper().sleep.map(range(10)))
    except KeyboardInterrupt:
        print("interrupted")
"""
    assert script.run(tmp_path, text) == "interrupted\n"
    assert lines(log) == ["0"]
