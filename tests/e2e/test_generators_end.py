"""How a generator ends before its end: its reader leaves, or something dies."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import signal
import sys
import threading

import pytest

from modal_nb.exception import AppStoppedError, ContainerCrashedError
from tests.e2e.generators import Single, Stream, app
from tests.e2e.home import kernel_of, until


@pytest.fixture(scope="module")
def running(home):
    with app.run():
        yield


@pytest.fixture
def stream(running, tmp_path):
    return Stream(folder=str(tmp_path))


@pytest.fixture
def notes(tmp_path):
    def read():
        return {file.name: file.read_text().splitlines() for file in tmp_path.iterdir()}

    return read


# --- the reader leaves ---
# each has read item 0 and leaves when the generator is where the test wants it


def close(method, ready):
    items = method.remote_gen()
    assert next(items) == 0
    ready()
    items.close()
    assert list(items) == []
    items.close()


def leave_the_loop(method, ready):
    for item in method.remote_gen():
        assert item == 0
        ready()
        break


def raise_in_the_loop(method, ready):
    with contextlib.suppress(ZeroDivisionError):
        for item in method.remote_gen():
            ready()
            print(1 / item)


def drop(method, ready):
    items = method.remote_gen()
    assert next(items) == 0
    ready()
    del items


def drop_in_a_circle(method, ready):
    items = method.remote_gen()
    assert next(items) == 0
    circle = [items]
    circle.append(circle)
    ready()
    del items, circle
    gc.collect()


def interrupt(method, ready):
    main = threading.main_thread().ident

    def press():
        ready()
        until(lambda: sys._current_frames()[main].f_code.co_name in ("_next", "take"))
        signal.pthread_kill(main, signal.SIGINT)

    items = method.remote_gen()
    assert next(items) == 0
    thread = threading.Thread(target=press)
    thread.start()
    with pytest.raises(KeyboardInterrupt):
        next(items)
    thread.join()
    assert list(items) == []


def aclose(method, ready):
    async def go():
        items = method.remote_gen.aio()
        assert await anext(items) == 0
        await asyncio.to_thread(ready)
        await items.aclose()
        assert [item async for item in items] == []

    asyncio.run(go())


def leave_the_async_loop(method, ready):
    async def go():
        async for item in method.remote_gen.aio():
            assert item == 0
            await asyncio.to_thread(ready)
            break

    asyncio.run(go())


def cancel_in_the_loop(method, ready):
    async def read(got):
        async for _ in method.remote_gen.aio():
            got.set()
            await asyncio.Event().wait()

    asyncio.run(_cancelled(read, ready))


def cancel_in_a_step(method, ready):
    async def read(got):
        items = method.remote_gen.aio()
        assert await anext(items) == 0
        got.set()
        await anext(items)

    asyncio.run(_cancelled(read, ready))


async def _cancelled(read, ready):
    got = asyncio.Event()
    task = asyncio.ensure_future(read(got))
    await got.wait()
    await asyncio.to_thread(ready)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


def end_the_loop(method, ready):
    """A loop that ends with the iterator still held."""

    async def go():
        items = method.remote_gen.aio()
        assert await anext(items) == 0
        await asyncio.to_thread(ready)
        return items

    kept = asyncio.run(go())
    del kept


#: the reader has read one item and the generator waits with 64 begun; or it runs and gives nothing more
WAITING, RUNNING = "63", "stuck"
WAYS = [
    *[
        (way, name, WAITING)
        for way in (
            close,
            leave_the_loop,
            raise_in_the_loop,
            drop,
            drop_in_a_circle,
            aclose,
            leave_the_async_loop,
        )
        for name in ("noted", "a_noted")
    ],
    *[
        (way, name, RUNNING)
        for way in (close, drop, interrupt, aclose, cancel_in_a_step)
        for name in ("stuck", "a_stuck")
    ],
    (cancel_in_the_loop, "noted", WAITING),
    (end_the_loop, "noted", WAITING),
]


@pytest.fixture(scope="module")
def single(running, tmp_path_factory):
    """A pool with one container, for all the readers that leave; and what it wrote."""
    folder = tmp_path_factory.mktemp("notes")
    single = Single(folder=str(folder))
    return single, folder / single.where.remote()


def lines(path):
    return path.read_text().splitlines() if path.exists() else []


@pytest.mark.parametrize(("way", "name", "state"), WAYS, ids=lambda value: getattr(value, "__name__", value))
def test_a_reader_that_leaves_closes_the_generator_and_the_container_lives_on(single, home, way, name, state):
    stream, path = single
    before = len(lines(path))
    way(getattr(stream, name), lambda: until(lambda: lines(path)[before:][-1:] == [state]))
    until(lambda: lines(path)[-1] == "finally")
    begun = [*map(str, range(64)), "finally"] if state == WAITING else ["stuck", "finally"]
    assert lines(path)[before:] == begun
    assert stream.where.remote() == path.name
    assert home.ids("Single") == {path.name}


def test_a_reader_that_leaves_a_generator_in_the_queue_takes_it_out(single, home):
    stream, path = single
    with contextlib.closing(stream.noted.remote_gen()) as first:
        assert next(first) == 0

        async def read(got):
            got.set()
            await anext(stream.stuck.remote_gen.aio())

        asyncio.run(_cancelled(read, lambda: until(lambda: home.pool("Single").queued == 1)))
    assert stream.where.remote() == path.name
    assert lines(path)[-1] == "finally"


# --- when something dies ---


def read_over_a_death(stream, notes, kill, n=1000):
    """All items over a kill in the middle."""
    items = stream.noted.remote_gen(n)
    got = [next(items) for _ in range(300)]
    kill()
    got += list(items)
    assert got == list(range(n))
    one, other = sorted(notes().values(), key=len)
    assert 300 <= len(one) <= 300 + 96
    assert other == [*map(str, range(n)), "finally"]


def test_over_kill_9_of_its_container_it_goes_on_behind_what_was_read(stream, notes, home):
    def kill():
        (id_,) = notes()
        (container,) = [one for one in home.containers("Stream") if one.id == id_]
        kernel_of(container).kill()

    read_over_a_death(stream, notes, kill)


def test_over_kill_9_of_the_supervisor_it_goes_on_behind_what_was_read(stream, notes, home):
    read_over_a_death(stream, notes, lambda: home.supervisor().kill())


def test_one_that_kills_its_containers_ends_with_the_cause(running):
    items = Stream().poison.remote_gen()
    assert next(items) == 1
    with pytest.raises(ContainerCrashedError, match=r"containers died while running Stream\.poison"):
        next(items)
    assert list(items) == []


def test_an_app_that_ends_ends_its_streams(home, tmp_path):
    with app.run():
        items = Stream(folder=str(tmp_path)).noted.remote_gen()
        assert next(items) == 0
    with pytest.raises(AppStoppedError, match="the app ended"):
        list(items)
    (file,) = tmp_path.iterdir()
    assert file.read_text().endswith("finally\n")
