"""Items of generators, one by one from a container: in order, and no faster than they are read."""

from __future__ import annotations

import asyncio
import threading
import time

import pytest

import modal_nb as modal
from modal_nb.exception import DeadlockError, FunctionTimeoutError, InvalidError, NotFoundError
from tests.e2e.generators import MIB, Hasty, Single, Stream, app, collect, only
from tests.e2e.home import until


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


# --- items ---


@pytest.mark.parametrize("name", ["count", "a_count"])
def test_items_come_in_order_by_both_faces(running, name):
    method = getattr(Stream(), name)
    assert list(method.remote_gen(200)) == list(range(200))
    assert collect(lambda: method.remote_gen.aio(n=200)) == list(range(200))


@pytest.mark.parametrize("name", ["count", "a_count"])
def test_ten_thousand_items(running, name):
    assert list(getattr(Stream(), name).remote_gen(10_000)) == list(range(10_000))


def test_an_empty_one(running):
    assert list(Stream().count.remote_gen(0)) == []


@pytest.mark.parametrize(("n", "size"), [(40, MIB), (3, 60 * MIB)])
def test_big_items(running, n, size):
    seen = 0
    for number, item in enumerate(Stream().count.remote_gen(n, size)):
        assert item.nbytes == size
        assert item[0] == item[-1] == number
        seen += 1
    assert seen == n


@pytest.mark.parametrize("name", ["fails", "a_fails"])
def test_an_exception_comes_as_itself_behind_the_items(running, name):
    got = []
    items = getattr(Stream(), name).remote_gen(100)
    with pytest.raises(KeyError, match="in the middle") as raised:
        got.extend(items)
    assert got == list(range(100))
    assert list(items) == []
    assert name in [entry.name for entry in raised.traceback]


def test_a_plain_method_that_returns_an_iterator(running):
    assert list(Stream().returns_an_iterator.remote_gen(3)) == ["0", "1", "2"]


def test_generators_call_each_other_inside(running):
    assert list(Stream().through_self.remote_gen(3)) == [(True, 0), (True, 1), (True, 2)]
    assert list(Stream().nested.remote_gen(100)) == [2 * number for number in range(100)]


def test_a_reader_inside_that_leaves_closes_it_too(stream, notes):
    assert stream.leaves_a_nested_one.remote() == 10
    until(lambda: only(notes)[-1] == "finally")
    assert 11 + 1 <= len(only(notes)) <= 64 + 1


def test_one_that_can_never_begin_says_so(running):
    with pytest.raises(
        DeadlockError, match=r"Single\.count can never start: its pool is at max_containers=1"
    ):
        list(Single().nested.remote_gen(3))


def test_ids_are_known_inside(running):
    input_id, call_id = Stream().ids.remote_gen()
    assert input_id.startswith("in-")
    assert call_id.startswith("fc-")


def test_local_gives_the_iterator_of_an_entered_instance(running):
    assert list(Stream().through_self.local(2)) == [(True, 0), (True, 1)]
    assert collect(lambda: Stream().a_count.local(3)) == [0, 1, 2]


def test_two_readers_side_by_side(running):
    first, second = Stream().count.remote_gen(1000), Stream().a_count.remote_gen(1000)
    assert [(next(first), next(second)) for _ in range(1000)] == [(n, n) for n in range(1000)]
    assert list(first) == list(second) == []


# --- flow ---


@pytest.mark.parametrize("name", ["noted", "a_noted"])
def test_a_slow_reader_stops_a_fast_writer(stream, notes, name):
    """The writer would write a thousand lines in the time in which it writes none here."""
    items = getattr(stream, name).remote_gen()
    for read, begun in [(1, 64), (31, 64), (32, 96), (63, 96), (64, 128)]:
        while next(items) < read - 1:
            pass
        until(lambda begun=begun: len(only(notes)) >= begun)
        assert only(notes) == [str(number) for number in range(begun)]
    items.close()
    until(lambda: only(notes)[-1] == "finally")
    assert len(only(notes)) == 128 + 1


def test_big_items_are_counted_in_bytes(stream, notes):
    items = stream.noted.remote_gen(size=MIB)
    next(items)
    until(lambda: len(only(notes)) >= 4)
    next(items)
    until(lambda: len(only(notes)) >= 6)
    items.close()
    until(lambda: only(notes)[-1] == "finally")
    assert len(only(notes)) == 6 + 1


def test_the_time_of_a_slow_reader_is_not_of_the_timeout(running):
    items = Hasty().count.remote_gen(200)
    assert next(items) == 0
    time.sleep(2.5)
    assert list(items) == list(range(1, 200))


def test_the_time_of_the_generator_itself_is(running):
    got = []
    with pytest.raises(FunctionTimeoutError, match=r"Hasty\.count ran longer than timeout=2 seconds"):
        for item in Hasty().count.remote_gen(200, 0.2):
            got.append(item)  # noqa: PERF402 - what came before the end
    assert got == list(range(len(got)))
    assert 3 <= len(got) <= 10
    assert list(Hasty().count.remote_gen(3)) == [0, 1, 2]


# --- misuse ---


def test_remote_gen_of_a_method_that_is_no_generator(running):
    with pytest.raises(InvalidError) as raised:
        Stream().where.remote_gen()
    assert str(raised.value) == (
        "Stream.where is not a generator, so it cannot be called with .remote_gen: use .remote(...) for its one result"
    )
    with pytest.raises(InvalidError, match="not a generator"):
        Stream().where.remote_gen.aio()


@pytest.mark.parametrize(
    ("face", "remedy"),
    [
        ("remote", "iterate .remote_gen(...) instead"),
        ("spawn", "call .remote_gen for each input"),
        ("map", "call .remote_gen for each input"),
        ("starmap", "call .remote_gen for each input"),
        ("for_each", "call .remote_gen for each input"),
        ("spawn_map", "call .remote_gen for each input"),
    ],
)
def test_other_faces_of_a_generator(running, face, remedy):
    with pytest.raises(InvalidError) as raised:
        getattr(Stream().count, face)([1])
    assert str(raised.value) == f"Stream.count is a generator, which cannot be called with .{face}: {remedy}"


def test_one_that_is_never_iterated_says_so(running):
    with pytest.warns(RuntimeWarning, match=r"Stream\.count\.remote_gen\(\.\.\.\) was never iterated, so it"):
        Stream().count.remote_gen(3)
    with pytest.warns(RuntimeWarning, match=r"Stream\.count\.remote_gen\.aio\(\.\.\.\) was never iterated"):
        Stream().count.remote_gen.aio(3)


def test_a_blocking_loop_on_an_event_loop_is_refused(running):
    async def go():
        for _ in Stream().count.remote_gen(3):
            pass

    with pytest.raises(
        InvalidError, match=r"Stream\.count\.remote_gen\(\.\.\.\) would block the running event loop"
    ):
        asyncio.run(go())


def test_the_wrong_for(running):
    items, a_items = Stream().count.remote_gen(3), Stream().count.remote_gen.aio(3)
    with pytest.raises(TypeError, match="not iterable"):
        list(a_items)
    with pytest.raises(TypeError, match="async for"):
        collect(lambda: items)
    items.close()
    asyncio.run(a_items.aclose())


def test_arguments_that_cannot_travel(running):
    with pytest.raises(TypeError, match="argument 1 of count"):
        next(Stream().count.remote_gen(threading.Lock()))


def test_an_app_that_does_not_run(home):
    other = modal.App("idle")

    @other.cls()
    class Idle:
        @modal.method()
        def f(self):
            yield 1

    with pytest.raises(modal.exception.ExecutionError, match="not running"):
        next(Idle().f.remote_gen())


def test_an_unknown_method(running):
    with pytest.raises((AttributeError, NotFoundError)):
        Stream().nothing.remote_gen()
