"""When entries of Dicts and items of Queues go, and how a take is undone: by days that no test can wait for."""

from __future__ import annotations

import asyncio

import pytest

from modal_nb.protocol import objects as ob
from modal_nb.supervisor.store import dicts, queues, receipts
from modal_nb.supervisor.store.store import Store

DAY = 86400.0
HERE = {"environment": "main", "name": "here", "create": True}


@pytest.fixture
def run(tmp_path):
    """Runs one operation on a store of its own and gives its result."""

    def run(operation):
        async def ask():
            store = Store(tmp_path / "store.db", "normal", asyncio.get_running_loop())
            try:
                return await store.ask(operation)
            finally:
                await asyncio.to_thread(store.close)

        return asyncio.run(ask())

    return run


def write(run, key, now):
    asked = ob.DictPut(**HERE, lane="a", number=1)
    assert run(lambda c: dicts.put(c, asked, [key, b"value"], 1, now))


def keys(run):
    return run(lambda c: dicts.page(c, ob.DictPageAsk(**HERE, values=False), 0.0))[1]


def test_an_entry_goes_seven_days_after_it_was_last_read_or_written(run):
    for key in (b"left alone", b"read", b"written"):
        write(run, key, 0.0)
    assert run(lambda c: dicts.get(c, ob.DictGet(**HERE), b"read", 3 * DAY)) == b"value"
    write(run, b"written", 4 * DAY)
    left = {}
    for day in (6.9, 7.1, 9.9, 10.1, 11.1):
        run(lambda c, day=day: dicts.expire(c, day * DAY))
        left[day] = keys(run)
    everything = [b"left alone", b"read", b"written"]
    assert left == {6.9: everything, 7.1: everything[1:], 9.9: everything[1:], 10.1: [b"written"], 11.1: []}


def take(number, *, again=False):
    return ob.QueueGet(**HERE, lane="taker", number=number, again=again, partition="", most=2, wait=0)


def put(run, values, now=0.0, ttl=DAY):
    asked = ob.QueuePut(**HERE, lane="putter", number=1, partition="", ttl=ttl, wait=0)
    run(lambda c: queues.put(c, queues.Want(asked, values, 1), now))


def taken(run, asked, holder=1, now=1.0):
    found = run(lambda c: queues.take(c, queues.Want(asked, [], holder), now))
    return found and found[1]


def test_what_is_put_back_is_in_front_again_also_when_the_queue_was_empty_meanwhile(run):
    put(run, [b"1", b"2"])
    assert taken(run, take(1)) == [b"1", b"2"]
    put(run, [b"3"])
    assert run(lambda c: queues.undo(c, "taker", 1, None))
    assert not run(lambda c: queues.undo(c, "taker", 1, None))
    assert taken(run, take(2)) == [b"1", b"2"]
    assert taken(run, take(3)) == [b"3"]


def test_who_asks_again_gets_the_same_and_only_its_new_connection_gives_back(run):
    put(run, [b"1", b"2", b"3"])
    assert taken(run, take(1), holder=1) == [b"1", b"2"]
    assert taken(run, take(1, again=True), holder=2) == [b"1", b"2"]
    assert not run(lambda c: queues.undo(c, "taker", 1, holder=1))
    assert taken(run, take(2)) == [b"3"]
    assert taken(run, take(3)) is None


def test_a_receipt_is_kept_for_a_day(run):
    put(run, [b"1"])
    assert taken(run, take(1)) == [b"1"]
    run(lambda c: receipts.expire(c, DAY))
    assert taken(run, take(1, again=True)) == [b"1"]
    run(lambda c: receipts.expire(c, DAY + 2))
    assert taken(run, take(1, again=True)) is None


def test_the_last_put_says_when_a_partition_is_cleared(run):
    put(run, [b"1"], now=0.0, ttl=10)
    put(run, [b"2"], now=9.0, ttl=10)
    run(lambda c: queues.expire(c, 18.0))
    assert taken(run, take(1), now=18.0) == [b"1", b"2"]
    put(run, [b"3"], now=20.0, ttl=DAY)
    put(run, [b"4"], now=21.0, ttl=1)
    assert taken(run, take(2), now=23.0) is None
    assert run(lambda c: queues.length(c, ob.QueueLen(**HERE, partition=None), 23.0)) == 0
