"""``FunctionCall.logs``: what a call printed, and nothing that another call did."""

from __future__ import annotations

import asyncio
import datetime as dt
import subprocess
import sys
from pathlib import Path

import pytest
from jupyter_client.blocking.client import BlockingKernelClient

import modal_nb as modal
from modal_nb.exception import ContainerCrashedError, InvalidError, NotFoundError, OutputExpiredError
from modal_nb.protocol.call_log import LARGEST, CallFiles
from modal_nb.supervisor.old_logs import remove_old
from tests.e2e.home import until
from tests.e2e.printers import Beside, Printer, Together, app
from tests.e2e.spawned import Gate


@pytest.fixture(scope="module")
def printer(home):
    with app.run():
        yield Printer()


@pytest.fixture
def gate(tmp_path):
    return Gate(tmp_path / "gate")


def said(call):
    return list(call.logs())


def test_the_lines_of_a_call_are_there_after_it_and_for_every_face(printer):
    call = printer.say.spawn("hello", 1)
    call.get()
    assert said(call) == ["hello 1"]
    assert said(modal.FunctionCall.from_id(printer.say.remote("plain"))) == ["plain"]
    (of_a_map,) = set(printer.say.map(["a", "b", "c"]))
    assert sorted(said(modal.FunctionCall.from_id(of_a_map))) == ["a", "b", "c"]
    many = printer.say.experimental_spawn_map(["x", "y"])
    list(many.iter())
    assert sorted(said(many)) == ["x", "y"]


def test_everything_that_python_prints_counts_and_what_others_write_does_not(printer, home):
    call = printer.in_many_ways.spawn()
    call.get()
    assert said(call) == [
        "to stdout",
        "to stderr",
        "bytes, ä",
        "from a thread",
        "from a pool",
        "from another pool",
        "from asyncio",
        "no end",
    ]
    below = printer.below_python.spawn()
    below.get()
    assert said(below) == []
    (container,) = home.containers("Printer")
    log = Path(container.log)
    until(lambda: {"to the descriptor", "a child", "a fork"} <= set(log.read_text().splitlines()))
    assert "entered" in log.read_text().splitlines()


def test_lines_come_while_the_call_runs_and_following_ends_with_its_outcome(printer, gate):
    call = printer.say_and_wait.spawn("word", gate.path)
    gate.await_begun()
    assert said(call) == ["word before"]
    lines = call.logs(follow=True)
    assert next(lines) == "word before"
    gate.open()
    assert list(lines) == ["word after"]
    assert call.get(timeout=0) is None


def test_logs_awaited(printer, gate):
    async def run():
        call = await printer.say_and_wait.spawn.aio("word", gate.path)
        found = []
        async for line in call.logs.aio(follow=True):
            found.append(line)
            gate.open()
        assert found == ["word before", "word after"]
        assert [line async for line in call.logs.aio()] == found
        assert [entry.message async for entry in call.logs.stream.aio()] == ["word before\n", "word after\n"]
        assert [entry.message async for entry in call.logs.tail.aio(1)] == ["word after\n"]
        assert [entry.message async for entry in call.logs.fetch.aio(search_text="before")] == [
            "word before\n"
        ]

    asyncio.run(run())


def test_entries_have_times_sources_and_names(printer):
    before = dt.datetime.now(dt.UTC)
    call = printer.in_many_ways.spawn()
    call.get()
    after = dt.datetime.now(dt.UTC)
    entries = list(call.logs.fetch())
    assert all(before <= entry.timestamp <= after for entry in entries)
    assert {entry.object_id for entry in entries} == {call.object_id}
    (info,) = call.get_call_graph()
    assert entries[0].context_ids == [info.input_id, info.task_id]
    assert [entry.message for entry in call.logs.fetch(source="stderr")] == ["to stderr\n"]
    assert list(call.logs.fetch(until=before)) == list(call.logs.fetch(since=after)) == []
    assert len(list(call.logs.fetch(since=before, until=after))) == len(entries)
    assert list(call.logs.stream()) == entries
    assert list(call.logs.tail(2)) == entries[-2:]


def test_a_stream_ends_when_nothing_comes_for_its_timeout(printer, gate):
    call = printer.say_and_wait.spawn("word", gate.path)
    gate.await_begun()
    assert [entry.message for entry in call.logs.stream(timeout=0.05)] == ["word before\n"]
    gate.open()
    call.get()


def test_a_thread_that_outlives_its_input_prints_for_its_own_call(printer, gate, tmp_path):
    first = printer.leave_a_thread.spawn(gate.path, "late word")
    first.get()
    gate.await_begun()
    other = Gate(tmp_path / "other")
    second = printer.say_and_wait.spawn("second", other.path)
    other.await_begun()
    gate.open()
    until(Path(gate.path + ".printed").exists)
    other.open()
    second.get()
    assert said(second) == ["second before", "second after"]
    assert said(first) == ["late word"]


@pytest.mark.parametrize("method", ["in_threads", "in_tasks"])
def test_calls_side_by_side_never_mix(printer, method, tmp_path):
    words = ["one", "two", "three"]
    calls = [getattr(Beside(), method).spawn(word, str(tmp_path), len(words)) for word in words]
    for call in calls:
        call.get()
    for call, word in zip(calls, words, strict=True):
        assert said(call) == [f"{word} {place} {n}" for n in range(50) for place in ("here", "thread")]


@pytest.mark.parametrize(("cls", "method"), [(Printer, "items"), (Beside, "items"), (Beside, "async_items")])
def test_generators_side_by_side_print_for_their_calls(printer, cls, method):
    first, second = (getattr(cls(), method).remote_gen(word, 3) for word in ("g", "h"))
    (ids, others) = zip(*zip(first, second, strict=True), strict=True)
    for found, word in ((ids, "g"), (others, "h")):
        (call_id,) = set(found)
        assert said(modal.FunctionCall.from_id(call_id)) == [f"{word} {n}" for n in range(3)]


def test_a_batch_prints_for_every_call_of_it(printer):
    calls = [Together().batch.spawn(word) for word in ("a", "b", "c")]
    for call in calls:
        call.get()
    lines = {line for call in calls for line in said(call)}
    assert len(lines) == 1
    assert sorted(lines.pop().removeprefix("batch of ").split()) == ["a", "b", "c"]


@pytest.mark.parametrize("way", ["replaced", "reconfigured", "surrogates", "None"])
def test_streams_that_user_code_changed_break_nothing(printer, way):
    call = printer.misuse.spawn(way)
    assert call.get() == way
    lines = said(call)
    assert lines[0] == "as ever"
    assert lines[-1] == "still here"
    assert printer.say.remote("and after") is not None


def test_with_a_console_attached_everything_is_as_before(home):
    """ipykernel puts streams of its own in the place of ours."""
    other = modal.App("attached")

    @other.cls(max_containers=1)
    class Watched:
        @modal.method()
        def say(self, word):
            print(word, "and", end=" ")
            print("more")
            print("no end", end="")

    with other.run():
        before = Watched().say.spawn("before")
        before.get()
        (container,) = home.containers("Watched")
        client = BlockingKernelClient(connection_file=container.connection_file)
        client.load_connection_file()
        client.start_channels()
        try:
            client.wait_for_ready(timeout=30)
            after = Watched().say.spawn("after")
            after.get()
            client.execute_interactive("print('in a cell')", timeout=30, output_hook=lambda _: None)
        finally:
            client.stop_channels()
        assert said(before) == ["before and more", "no end"]
        assert said(after) == ["after and more", "no end"]


def test_what_was_printed_before_kill_9_is_there(printer):
    call = printer.die.spawn("last words")
    with pytest.raises(ContainerCrashedError):
        call.get()
    found = said(call)
    assert found[:1] == ["last words"]
    assert sorted(set(found)) == ["half a line", "last words"]


def test_another_process_of_the_home_reads_and_follows_by_id(printer, gate):
    code = """if True:
        import sys, modal_nb as modal
        for line in modal.FunctionCall.from_id(sys.argv[1]).logs(follow=True):
            print(line, flush=True)
    """
    call = printer.say_and_wait.spawn("word", gate.path)
    gate.await_begun()
    with subprocess.Popen(
        [sys.executable, "-c", code, call.object_id], stdout=subprocess.PIPE, text=True
    ) as reader:
        assert reader.stdout is not None
        assert reader.stdout.readline() == "word before\n"
        gate.open()
        assert reader.stdout.read() == "word after\n"
    call.get()


def test_a_call_that_printed_nothing_has_no_lines_and_an_unknown_one_is_told(printer, tmp_path):
    silent = printer.say_nothing.spawn()
    silent.get()
    assert said(silent) == []
    assert list(silent.logs(follow=True)) == []
    unknown = modal.FunctionCall.from_id("fc-00000000-1")
    with pytest.raises(NotFoundError, match="no function call 'fc-00000000-1'"):
        unknown.logs()

    async def ask():
        return [line async for line in unknown.logs.aio()]

    with pytest.raises(NotFoundError):
        asyncio.run(ask())


def test_wrong_arguments_are_told(printer):
    logs = printer.say_nothing.spawn().logs
    with pytest.raises(InvalidError, match="source"):
        logs.fetch(source="stdin")
    with pytest.raises(InvalidError, match="since"):
        logs.fetch(since=3)
    with pytest.raises(InvalidError, match="entries"):
        logs.tail(0)
    with pytest.raises(InvalidError, match="follow"):
        logs(follow=1)


def test_lines_survive_their_app_and_when_they_are_gone_that_is_told(home):
    other = modal.App("brief")

    @other.cls(max_containers=1)
    class Brief:
        @modal.method()
        def say(self):
            print("brief")

    with other.run():
        call = Brief().say.spawn()
        call.get()
    assert said(call) == list(call.logs(follow=True)) == ["brief"]
    remove_old(home.places.logs, {Path(one.log) for one in home.containers()}, kept=0)
    with pytest.raises(OutputExpiredError, match="is not kept any more"):
        call.logs()
    with pytest.raises(OutputExpiredError):
        call.logs.fetch()


def test_a_container_that_floods_is_bounded_and_its_calls_say_what_is_missing(printer, home):
    first = printer.say.spawn("before the flood")
    flood = printer.flood.spawn(60_000, "flood")
    last = printer.say.spawn("after the flood")
    for call in (first, flood, last):
        call.get()
    (container,) = home.containers("Printer")
    files = CallFiles(home.places.logs, container.id)
    assert sum(path.stat().st_size for path in (files.current, files.former)) <= 2 * LARGEST
    cut, *lines = said(flood)
    assert cut == "[modal_nb: what stood here is no longer kept]"
    assert [line.split()[1] for line in lines] == [str(n) for n in range(60_000 - len(lines), 60_000)]
    assert said(last) == ["after the flood"]
    with pytest.raises(OutputExpiredError):
        first.logs()
