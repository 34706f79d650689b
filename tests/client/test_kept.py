"""What is kept of spawned calls: the first outcome counts, the oldest go, and nobody waits for ever."""

from __future__ import annotations

import threading
from types import SimpleNamespace

import pytest

from modal_nb.client import kept
from modal_nb.client.kept import Kept
from modal_nb.exception import (
    AppStoppedError,
    InputCancelledError,
    InvalidError,
    OutputExpiredError,
)
from modal_nb.protocol.stream import Kind, Packet


class Pool:
    """Takes inputs and never answers; ``cancelled`` are those given up, with or without their containers."""

    def __init__(self, store, *, fails=False):
        self.spec = SimpleNamespace(service="Thing")
        self.app = SimpleNamespace(session=self)
        self.store = store
        self.fails = fails
        self.sent = []
        self.cancelled = []

    def submit(self, method, frames, sink, *, call_id, first, parent):
        assert parent == 0, "no code waits for what was spawned"
        if self.fails:
            raise ConnectionError("no supervisor")
        self.sent.append((call_id, first))
        return SimpleNamespace(sink=sink, number=len(self.sent))

    def cancel_for(self, sink):
        """What never left cannot be cancelled."""

    def cancel(self, call, *, terminate):
        self.cancelled.append((call.number, terminate))


@pytest.fixture
def store():
    return Kept()


@pytest.fixture
def pool(store):
    return Pool(store)


def begin(pool, count=1):
    call = pool.store.begin(pool, "method", "module")
    for _ in range(count):
        call.send([b""])
    pool.store.close(call)
    return call


def packet(size=0):
    return Packet(Kind.RESULT, 0, 0, 0, 0, 1, 0, 0, 0.0, bytes(size))


def finish(call, size=0, index=0):
    result = packet(size)
    call.places[index].deliver(None, result)
    return result


def nobody(_):
    raise AssertionError("nobody was to be told")


def is_kept(call):
    try:
        return call.watch(0, lambda _: None) is not None
    except OutputExpiredError:
        return False


def test_ids_name_the_session_and_never_repeat(store):
    ids = {store.next_id() for _ in range(100)}
    assert len(ids) == 100
    assert all(name.startswith(f"fc-{store.session}-") for name in ids)
    assert Kept().session != store.session


def test_inputs_are_sent_as_parts_of_one_call(pool):
    call = begin(pool, 3)
    assert pool.sent == [(call.id, 0), (call.id, 1), (call.id, 2)]
    assert pool.store.of_id(call.id) is call


def test_a_watcher_is_told_once_and_later_ones_see_the_outcome(pool):
    call, told = begin(pool), []
    assert call.watch(0, told.append) is None
    result = finish(call)
    finish(call)
    assert told == [result]
    assert call.watch(0, nobody) is result


def test_who_went_away_is_not_told(pool):
    call = begin(pool)
    call.watch(0, nobody)
    call.unwatch(0, nobody)
    call.unwatch(0, nobody)
    finish(call)


def test_an_error_of_the_connection_is_an_outcome_too(pool):
    call, error = begin(pool), ConnectionError("gone")
    call.places[0].fail(None, error)
    for _ in range(2):
        with pytest.raises(ConnectionError, match="gone"):
            call.value(call.watch(0, nobody))


def test_cancelling_reaches_what_has_no_outcome_and_nothing_else(pool):
    call, told = begin(pool, 3), []
    result = finish(call, index=1)
    call.watch(2, told.append)
    call.cancel(terminate=True)
    assert pool.cancelled == [(1, True), (3, True)]
    assert call.watch(1, nobody) is result
    assert [type(error) for error in told] == [InputCancelledError]
    with pytest.raises(InputCancelledError, match=r"the input of Thing\.method was cancelled"):
        call.value(call.watch(0, nobody))


def test_cancelling_some_inputs_leaves_the_others(pool):
    call = begin(pool, 3)
    call.cancel([1])
    call.cancel([1])
    assert pool.cancelled == [(2, False)]
    assert call.watch(0, lambda _: None) is None


def test_a_result_that_comes_after_a_cancel_changes_nothing(pool):
    call = begin(pool)
    call.cancel()
    finish(call)
    assert isinstance(call.watch(0, nobody), InputCancelledError)


def test_of_a_result_and_a_cancel_at_the_same_time_one_counts(pool):
    for _ in range(300):
        call, told = begin(pool), []
        call.watch(0, told.append)
        start = threading.Barrier(2)
        thread = threading.Thread(target=lambda c=call, s=start: (s.wait(), finish(c)))
        thread.start()
        start.wait()
        call.cancel()
        thread.join()
        assert told == [call.watch(0, nobody)]


def test_beyond_so_many_results_the_oldest_go(pool, monkeypatch):
    monkeypatch.setattr(kept, "MOST_RESULTS", 3)
    calls = [begin(pool) for _ in range(5)]
    for call in calls:
        finish(call)
    assert [is_kept(call) for call in calls] == [False, False, True, True, True]
    with pytest.raises(OutputExpiredError, match=f"the result of {calls[0].id} is not kept any more"):
        pool.store.of_id(calls[0].id)


def test_beyond_so_many_bytes_the_oldest_go_but_never_the_newest(pool, monkeypatch):
    monkeypatch.setattr(kept, "MOST_BYTES", 100)
    calls = [begin(pool) for _ in range(4)]
    for call, size in zip(calls, (60, 30, 20, 500), strict=True):
        finish(call, size)
        assert is_kept(call)
    assert [is_kept(call) for call in calls] == [False, False, False, True]
    finish(small := begin(pool), 1)
    assert is_kept(small)
    assert not is_kept(calls[3])


def test_the_oldest_is_the_one_that_came_first_not_the_one_asked_first(pool, monkeypatch):
    monkeypatch.setattr(kept, "MOST_RESULTS", 1)
    first, second = begin(pool), begin(pool)
    finish(second)
    finish(first)
    assert (is_kept(first), is_kept(second)) == (True, False)


def test_a_call_of_which_some_results_expired_is_still_known(pool, monkeypatch):
    monkeypatch.setattr(kept, "MOST_RESULTS", 1)
    call = begin(pool, 2)
    finish(call, index=0)
    finish(call, index=1)
    assert pool.store.of_id(call.id) is call
    with pytest.raises(OutputExpiredError):
        call.watch(0, nobody)


def test_an_outcome_that_expires_at_once_still_reaches_who_waits(pool, monkeypatch):
    monkeypatch.setattr(kept, "MOST_RESULTS", 0)
    call, told = begin(pool), []
    call.watch(0, told.append)
    result = finish(call)
    finish(begin(pool))
    assert told == [result]
    assert not is_kept(call)


def test_when_the_app_ends_its_results_go_and_who_waits_is_told(store, pool):
    done, waiting, told = begin(pool), begin(pool), []
    finish(done, 10)
    waiting.watch(0, told.append)
    other = begin(Pool(store))
    finish(other)
    store.forget(pool.app)
    assert [type(error) for error in told] == [AppStoppedError]
    assert str(told[0]) == f"the app ended before {waiting.id} was through"
    for call in (done, waiting):
        with pytest.raises(OutputExpiredError):
            store.of_id(call.id)
    assert is_kept(other)
    finish(waiting)
    assert store.of_id(other.id) is other


def test_a_call_that_could_not_be_sent_is_dropped(store):
    pool = Pool(store, fails=True)
    call = store.begin(pool, "method", "module")
    with pytest.raises(ConnectionError):
        call.send([b""])
    store.drop(call)
    with pytest.raises(OutputExpiredError):
        store.of_id(call.id)


@pytest.mark.parametrize(
    "name", ["", "fc-", "fc-1", "in-1-2", "fc-0-1", "fc-{}-0", "fc-{}-2", "fc-{}-²", "fc-{}-1-1"]
)
def test_what_never_was_is_not_found(store, pool, name):
    begin(pool)
    assert store.of_id(name.format(store.session)) is None


@pytest.mark.parametrize("index", [-1, 2, True, 1.0, None])
def test_an_index_that_is_none_is_refused(pool, index):
    with pytest.raises(InvalidError, match="index"):
        begin(pool, 2).watch(index, nobody)
