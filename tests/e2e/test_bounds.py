"""What happens at the bounds: of queues, of payloads, of logs."""

from __future__ import annotations

import asyncio
import itertools
import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

import modal_nb as modal
from modal_nb.client.gather import MOST_OUTSTANDING
from modal_nb.exception import QueueFullError, RequestSizeError
from tests.e2e import script
from tests.e2e.home import until

QUEUE = 1000
MIB = 2**20
app = modal.App("bounds")


@pytest.fixture(scope="module")
def machine():
    return {
        "MODAL_NB_MAX_CONTAINERS": "8",
        "MODAL_NB_QUEUE_BOUND": str(QUEUE),
        "MODAL_NB_MAX_PAYLOAD": "8",
    }


@app.cls(max_containers=1)
class Model:
    data: bytes = modal.parameter(default=b"")

    @modal.method()
    def wait_for(self, gate, x):
        until(Path(gate).exists)
        return x

    @modal.method()
    def size(self, data):
        return len(data)

    @modal.method()
    def make(self, size):
        return bytes(size)

    @modal.method()
    def make_list(self, size):
        return [bytes(size)]

    @modal.method()
    def fail(self, size):
        last = None
        for number in range(49):
            error = ValueError(f"number {number}")
            error.data = bytes(size)
            error.__cause__, last = last, error
        raise last

    @modal.method()
    def where(self, x=0):
        return os.environ["MODAL_TASK_ID"]

    @modal.method()
    def generate(self, sizes):
        for size in sizes:
            yield bytes(size)

    @modal.method()
    def shout(self, megabytes, end):
        line = "x" * 1023
        for _ in range(megabytes * 1024):
            print(line)
        for number in range(3):
            print(f"last line {number}", flush=True)
        if end:
            os._exit(5)


@pytest.fixture(scope="module")
def model(home):
    with app.run():
        yield Model()


# -- queues ---------------------------------------------------------------------------------------------------------


def test_a_call_over_the_queue_bound_is_refused_and_what_was_accepted_is_answered(model, tmp_path):
    gate = tmp_path / "gate"

    async def many():
        calls = [asyncio.ensure_future(model.wait_for.remote.aio(str(gate), x)) for x in range(QUEUE + 200)]
        refused = 0
        while refused < 190:
            done, _ = await asyncio.wait(calls, return_when=asyncio.FIRST_COMPLETED)
            refused = len(done)
            await asyncio.sleep(0.01)
        gate.touch()
        return await asyncio.gather(*calls, return_exceptions=True)

    answers = asyncio.run(many())
    refused = [answer for answer in answers if isinstance(answer, QueueFullError)]
    # one runs, and one more may be in the container before that is known to be slow
    assert 190 <= len(refused) <= 200
    assert all(answer == x for x, answer in enumerate(answers) if not isinstance(answer, QueueFullError))
    assert str(refused[0]) == (
        "the queue of Model.wait_for is full: send fewer inputs at a time, or use .map, which waits; or start the "
        "supervisor with a higher MODAL_NB_QUEUE_BOUND"
    )


def test_a_spawned_call_over_the_queue_bound_is_refused_when_it_is_asked_for(model, tmp_path):
    gate = tmp_path / "gate"
    calls = [model.wait_for.spawn(str(gate), x) for x in range(QUEUE + 50)]
    with pytest.raises(QueueFullError, match=r"the queue of Model.wait_for is full"):
        calls[-1].get()
    gate.touch()
    assert [call.get() for call in calls[:QUEUE]] == list(range(QUEUE))


def test_a_map_waits_for_room_in_a_full_queue(home, model, tmp_path):
    gate = tmp_path / "gate"
    calls = [model.wait_for.spawn(str(gate), x) for x in range(QUEUE)]
    until(lambda: home.pool("Model").queued >= QUEUE - 2)
    results, read = [], []

    def inputs():
        for number in range(3000):
            read.append(number)
            yield number

    mapper = threading.Thread(
        target=lambda: results.extend(model.wait_for.map(itertools.repeat(str(gate)), inputs()))
    )
    mapper.start()
    until(lambda: len(read) >= MOST_OUTSTANDING)
    queued = home.pool("Model").queued
    gate.touch()
    mapper.join()
    # one more may have been fetched ahead before the container was known to be slow; it counts as queued
    assert queued <= QUEUE + 1
    assert results == list(range(3000))
    assert [call.get() for call in calls] == list(range(QUEUE))


def test_a_map_has_at_most_1000_inputs_on_their_way(home, model, tmp_path):
    read = []

    def inputs():
        for number in range(2000):
            read.append(number)
            yield number

    gate = tmp_path / "gate"
    results = iter(model.wait_for.map(itertools.repeat(str(gate)), inputs()))
    taker = threading.Thread(target=lambda: results_of.extend(results))
    results_of = []
    taker.start()
    until(lambda: len(read) >= MOST_OUTSTANDING)
    pool, ahead = home.pool("Model"), len(read)
    gate.touch()
    taker.join()
    assert pool.queued + pool.running <= MOST_OUTSTANDING
    assert ahead <= MOST_OUTSTANDING + 1
    assert results_of == list(range(2000))


#: one of eight clients; each sends more than its queue takes, before anything is answered
FLOOD = """
import asyncio, os, sys
from pathlib import Path
import modal_nb as modal
from modal_nb.exception import QueueFullError

app = modal.App("flood")
here = Path.cwd()

@app.cls(max_containers=1)
class Flooded:
    @modal.method()
    def run(self, x):
        while not Path(here, "gate").exists():
            __import__("time").sleep(0.01)
        return x * x

async def flood():
    async def one(x):
        try:
            return await Flooded().run.remote.aio(x)
        except QueueFullError:
            return None
    calls = [asyncio.ensure_future(one(x)) for x in range({sent})]
    while sum(call.done() for call in calls) < {sent} - {queue} - 2:
        await asyncio.sleep(0.01)
    print("flooded", flush=True)
    return await asyncio.gather(*calls)

with app.run():
    answers = asyncio.run(flood())
    assert all(answer in (None, x * x) for x, answer in enumerate(answers))
    print(sum(answer is not None for answer in answers), flush=True)
    assert list(Flooded().run.map(range({sent}))) == [x * x for x in range({sent})]
    print("served", flush=True)
"""
CLIENTS = 8
#: all together: ten times what one queue takes, and each more than its own
SENT = 10 * QUEUE // CLIENTS


@pytest.mark.timeout(240)
def test_eight_clients_flood_their_queues_and_nothing_that_was_accepted_is_lost(home, tmp_path):
    (tmp_path / "script.py").write_text(FLOOD.format(sent=SENT, queue=QUEUE))
    clients = [
        subprocess.Popen([sys.executable, "script.py"], cwd=tmp_path, stdout=subprocess.PIPE, text=True)
        for _ in range(CLIENTS)
    ]
    try:
        for client in clients:
            assert client.stdout.readline() == "flooded\n"
        (tmp_path / "gate").touch()
        accepted = [int(client.stdout.readline()) for client in clients]
        assert [client.stdout.readline() for client in clients] == ["served\n"] * CLIENTS
    finally:
        for client in clients:
            client.kill()
            client.communicate()
    assert all(QUEUE <= count <= QUEUE + 2 for count in accepted), accepted
    until(lambda: not home.pools("Flooded"))


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("MODAL_NB_QUEUE_BOUND", "999", "MODAL_NB_QUEUE_BOUND=999 is less than 1000"),
        ("MODAL_NB_QUEUE_BOUND", "many", "MODAL_NB_QUEUE_BOUND='many' is not a positive int"),
        ("MODAL_NB_MAX_PAYLOAD", "0", "MODAL_NB_MAX_PAYLOAD='0' is not a positive float"),
        ("MODAL_NB_STOP_GRACE", "-1", "MODAL_NB_STOP_GRACE='-1' is not a positive float"),
    ],
)
def test_a_setting_that_makes_no_sense_is_named(tmp_path, monkeypatch, name, value, said):
    monkeypatch.setenv("MODAL_NB_HOME", str(tmp_path))
    monkeypatch.setenv(name, value)
    with pytest.raises(modal.exception.ConnectionError, match=said):
        modal.client.session.current().ask(modal.protocol.messages.StatusAsk(), object)


# -- payloads ---------------------------------------------------------------------------------------------------------


def test_arguments_over_the_bound_are_refused_before_anything_is_sent(home, model):
    before = model.where.remote()
    data = bytes(9 * MIB)
    said = (
        r"the arguments of Model.size take 9.0 MiB, over the limit of 8.0 MiB for one input: pass less, or a path in "
        r"place of the data; or start the supervisor with a higher MODAL_NB_MAX_PAYLOAD"
    )
    for call in (
        lambda: model.size.remote(data),
        lambda: asyncio.run(model.size.remote.aio(data)),
        lambda: model.size.spawn(data),
        lambda: list(model.size.map([data])),
    ):
        with pytest.raises(RequestSizeError, match=said):
            call()
    assert home.status().refused == 0
    assert model.size.remote(bytes(7 * MIB)) == 7 * MIB
    assert model.where.remote() == before


def test_one_input_of_a_map_over_the_bound_fails_alone(model):
    sizes = [1, 9 * MIB, 3 * MIB, 7 * MIB, 2, *[MIB // 2] * 60]
    answers = list(model.size.map(map(bytes, sizes), return_exceptions=True))
    assert isinstance(answers.pop(1), RequestSizeError)
    del sizes[1]
    assert answers == sizes


@pytest.mark.parametrize("method", ["make", "make_list"])
def test_a_result_over_the_bound_is_an_error_of_its_input_and_the_container_lives(model, method):
    before = model.where.remote()
    with pytest.raises(
        RequestSizeError,
        match=rf"the result of Model.{method} takes 9.0 MiB, over the limit of 8.0 MiB for one input: return less",
    ):
        getattr(model, method).remote(9 * MIB)
    assert len(getattr(model, method).remote(7 * MIB)) in (1, 7 * MIB)
    assert model.where.remote() == before


def test_results_of_a_map_that_are_large_together_travel_apart(model):
    list(model.make.map([1] * 500))  # now inputs travel in chunks
    sizes = [MIB] * 100 + [9 * MIB] + [7 * MIB] * 3
    answers = list(model.make.map(sizes, return_exceptions=True))
    assert isinstance(answers.pop(100), RequestSizeError)
    del sizes[100]
    assert list(map(len, answers)) == sizes


def test_an_item_over_the_bound_is_an_error_in_its_place(model):
    items = model.generate.remote_gen([1, 9 * MIB, 2])
    assert next(items) == b"\0"
    with pytest.raises(RequestSizeError, match=r"over the limit of 8.0 MiB"):
        next(items)


def test_a_failure_that_is_too_large_is_told_by_a_sentence(model):
    before = model.where.remote()
    with pytest.raises(RequestSizeError, match=r"a reply of 46\.\d MiB is more than can be sent"):
        model.fail.remote(MIB * 95 // 100)
    assert model.where.remote() == before


# -- logs ----------------------------------------------------------------------------------------------------------


def log_of(home, container):
    return home.places.logs / f"{container}.log"


def test_a_container_that_prints_without_end_keeps_a_bounded_log_with_the_newest_lines(home, model):
    log = log_of(home, model.where.remote())
    model.shout.remote(30, False)
    until(lambda: log.read_text().endswith("last line 0\nlast line 1\nlast line 2\n"))
    assert 3 * MIB < log.stat().st_size <= 8 * MIB
    cut, *lines = log.read_text().splitlines()
    assert cut == "[modal_nb: what stood here is no longer kept]"
    assert {len(line) for line in lines[:-3]} == {1023}


def test_the_last_lines_before_a_crash_are_whole_though_the_log_is_full(model):
    with pytest.raises(modal.exception.ContainerCrashedError) as caught:
        model.shout.remote(10, True)
    assert str(caught.value).endswith("    last line 0\n    last line 1\n    last line 2")


def test_the_oldest_logs_of_containers_are_removed(home, model):
    for number in range(300):
        old = log_of(home, f"ct-{number}-older")
        old.touch()
        os.utime(old, (number, number))
    other = modal.App("short")

    @other.cls()
    class Short:
        @modal.method()
        def run(self):
            return os.environ["MODAL_TASK_ID"]

    with other.run():
        container = Short().run.remote()
    left = sorted(home.places.logs.glob("ct-*.log"), key=lambda log: log.stat().st_mtime)
    assert len(left) <= 201
    assert log_of(home, container) in left
    assert log_of(home, model.where.remote()).exists()
    assert not log_of(home, "ct-0-older").exists()
    assert log_of(home, "ct-299-older").exists()


def test_a_supervisor_removes_old_logs_when_it_starts(tmp_path, monkeypatch):
    logs = tmp_path / "logs"
    logs.mkdir(mode=0o700)
    for number in range(250):
        (logs / f"ct-{number}-older.log").touch()
        os.utime(logs / f"ct-{number}-older.log", (number, number))
    monkeypatch.setenv("MODAL_NB_HOME", str(tmp_path))
    monkeypatch.setenv("MODAL_NB_IDLE_EXIT", "0.1")
    text = "import sys; from modal_nb.cli import main; sys.argv[1:] = ['supervisor', 'start']; main()"
    assert script.run(tmp_path, text).startswith("The supervisor runs: pid")
    assert sorted(int(log.name.split("-")[1]) for log in logs.glob("ct-*.log")) == list(range(50, 250))
    until(lambda: not (tmp_path / "run" / "supervisor.json").exists())
