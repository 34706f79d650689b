"""A Queue hands each item to one taker, in order."""

from __future__ import annotations

import asyncio
import itertools
import pickle
import queue
from concurrent.futures import ThreadPoolExecutor

import pytest

import modal_nb as modal
from modal_nb.exception import ExecutionError, InvalidError, NotFoundError, RequestSizeError
from tests.e2e import script
from tests.e2e.home import until

app = modal.App("queues")


@app.cls(max_containers=4)
class Taker:
    @modal.method()
    def take_all(self, items, begun):
        begun.put(1)
        return list(iter(items.get, None))


@pytest.fixture
def line(home):
    with modal.Queue.ephemeral() as found:
        yield found


def test_first_in_first_out(line):
    line.put("a")
    line.put_many(["b", {"c": 3}, None])
    assert line.len() == 4
    assert list(line.iterate()) == ["a", "b", {"c": 3}, None]
    assert line.get() == "a"
    assert line.get_many(2) == ["b", {"c": 3}]
    assert line.get_many(10) == [None]
    assert line.get(block=False) is None
    assert line.get_many(5, block=False) == []
    with pytest.raises(queue.Empty):
        line.get(timeout=0.01)
    with pytest.raises(queue.Empty):
        line.get_many(3, timeout=0)
    with pytest.warns(UserWarning, match="ignored"):
        assert line.get(block=False, timeout=1) is None


def test_partitions_are_queues_of_their_own(line):
    line.put(0)
    line.put(1, partition="foo")
    line.put_many([2, 3], partition="bar")
    assert line.get(partition="bar") == 2
    assert [line.len(), line.len(partition="foo"), line.len(partition="bar"), line.len(total=True)] == [
        1,
        1,
        1,
        3,
    ]
    assert list(line.iterate(partition="foo")) == [1]
    line.clear(partition="foo")
    assert line.get(block=False, partition="foo") is None
    assert line.len(total=True) == 2
    line.clear(all=True)
    assert line.len(total=True) == 0


def test_a_partition_is_cleared_when_its_time_is_over(line):
    line.put("stays", partition="other")
    line.put("goes")
    line.put("goes too", partition_ttl=0.05)
    until(lambda: line.len() == 0)
    assert line.get(block=False) is None
    assert line.len(total=True) == 1


def test_waiting_takers_are_served_in_the_order_in_which_they_came(line):
    async def take():
        takers = []
        for _ in range(5):
            takers.append(asyncio.ensure_future(line.get.aio()))
            await line.len.aio()  # answered behind it
        await line.put_many.aio(range(5))
        return await asyncio.gather(*takers)

    assert asyncio.run(take()) == [0, 1, 2, 3, 4]


def test_the_other_face(home):
    async def use():
        async with modal.Queue.ephemeral() as line:
            takers = [asyncio.ensure_future(line.get.aio()) for _ in range(50)]
            for number in range(50):
                await line.put.aio(number)
            assert sorted(await asyncio.gather(*takers)) == list(range(50))
            await line.put_many.aio([1, 2, 3])
            assert [value async for value in line.iterate.aio()] == [1, 2, 3]
            assert await line.get_many.aio(2) == [1, 2]
            assert await line.len.aio() == 1
            await line.clear.aio()
            assert await line.get.aio(block=False) is None
            with pytest.raises(queue.Empty):
                await line.get.aio(timeout=0.01)
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(line.get.aio(), 0.01)
            await line.put.aio("for the next one")
            assert await line.get.aio() == "for the next one"

    asyncio.run(use())


def test_a_cancelled_get_takes_nothing(line):
    async def cancel_in_every_moment():
        for number in range(100):
            taker = asyncio.ensure_future(line.get.aio())
            putter = asyncio.ensure_future(line.put.aio(number))
            for _ in range(number % 10):
                await asyncio.sleep(0)
            if number % 2:
                await putter
            taker.cancel()
            await asyncio.gather(taker, putter, return_exceptions=True)
            left = [taker.result()] if not taker.cancelled() else []
            assert left + await line.get_many.aio(5, block=bool(not left)) == [number]

    asyncio.run(cancel_in_every_moment())


def test_a_full_partition(line):
    line.put_many(range(5_000))
    with pytest.raises(queue.Full):
        line.put(1, block=False)
    with pytest.raises(queue.Full):
        line.put_many([1, 2], timeout=0.01)
    line.put(1, partition="other")
    with ThreadPoolExecutor(1) as threads:
        waiting = threads.submit(line.put_many, ["x", "y"])
        assert line.get() == 0
        assert line.get() == 1
        waiting.result()
    assert line.len() == 5_000
    with pytest.raises(queue.Full):
        line.put(1, block=False)


def test_clearing_makes_room(line):
    line.put_many(range(5_000))
    with ThreadPoolExecutor(1) as threads:
        waiting = threads.submit(line.put, "x")
        line.clear()
        waiting.result()
    assert line.get() == "x"


def test_bounds_and_wrong_arguments_are_named(line):
    with pytest.raises(RequestSizeError, match="a value of a Queue takes 1,048,"):
        line.put(bytes(1024**2))
    line.put(bytes(1024**2 - 100))
    with pytest.raises(RequestSizeError, match="5,001 values are too many"):
        line.put_many(range(5_001))
    wrong = {
        "partition": lambda: line.put(1, partition=""),
        "64 bytes": lambda: line.get(partition="x" * 65),
        "partition_ttl": lambda: line.put(1, partition_ttl=100_000),
        "timeout": lambda: line.get(timeout=-1),
        "n_values": lambda: line.get_many(0),
        "exclude": lambda: line.len(partition="a", total=True),
        "exclude each other": lambda: line.clear(partition="a", all=True),
        "item_poll_timeout": lambda: line.iterate(item_poll_timeout=-1),
        "block": lambda: line.get("x"),
    }
    for word, use in wrong.items():
        with pytest.raises(InvalidError, match=word):
            use()
    assert line.len() == 1


def test_an_item_that_cannot_be_opened_here_is_taken_and_the_next_one_comes(tmp_path, line):
    (tmp_path / "elsewhere.py").write_text("class Thing: pass\n")
    put = f"import pickle, elsewhere\nq = pickle.loads({pickle.dumps(line)!r})\nq.put_many([elsewhere.Thing(), 'good'])"
    script.run(tmp_path, put)
    with pytest.raises(ExecutionError, match="elsewhere"):
        line.get()
    assert line.get() == "good"


def test_an_iteration_waits_for_more(line):
    line.put(1)
    seen = []

    def read():
        for value in line.iterate(item_poll_timeout=3):
            seen.append(value)  # noqa: PERF402 - one at a time, as they come

    with ThreadPoolExecutor(1) as threads:
        reading = threads.submit(read)
        until(lambda: seen == [1])
        line.put(3)
        reading.result()
    assert seen == [1, 3]
    assert line.len() == 2


def test_who_waits_is_told_when_the_queue_is_deleted(home):
    line = modal.Queue.from_name("deleted", create_if_missing=True)

    async def wait_in_vain():
        waiting = asyncio.ensure_future(line.get.aio())
        await line.len.aio()  # answered behind it
        await modal.Queue.objects.delete.aio("deleted")
        with pytest.raises(NotFoundError, match="was deleted"):
            await waiting

    asyncio.run(wait_in_vain())
    with pytest.raises(NotFoundError, match="there is no Queue 'deleted'"):
        modal.Queue.from_name("deleted").len()


def test_four_containers_take_every_one_of_a_thousand_items_once(line):
    with app.run(), modal.Queue.ephemeral() as begun:
        taking = [Taker().take_all.spawn(line, begun) for _ in range(4)]
        for _ in taking:
            begun.get()
        with ThreadPoolExecutor(4) as threads:
            list(threads.map(line.put, range(1_000)))
        line.put_many([None] * 4)
        taken = [call.get() for call in taking]
    assert sorted(itertools.chain(*taken)) == list(range(1_000))
    assert all(taken), "each of them had its share"
