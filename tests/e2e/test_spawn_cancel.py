"""Spawned calls that are cancelled, terminated, interrupted."""

from __future__ import annotations

import os
import threading
import time
from pathlib import Path

import pytest

import modal_nb as modal
from modal_nb.client.call_graph import InputStatus
from modal_nb.exception import InputCancelledError, RemoteError
from tests.e2e import script
from tests.e2e.home import until
from tests.e2e.spawned import Gate, Thing, aio, app


@pytest.fixture(scope="module")
def thing(home):
    with app.run():
        yield Thing()


@pytest.fixture
def gate(tmp_path):
    return Gate(tmp_path / "gate")


@pytest.mark.parametrize("face", ["blocking", "awaited"])
def test_a_cancelled_call_ends_with_its_error_and_the_container_lives_on(thing, gate, face):
    call = thing.wait_for.spawn(gate.path)
    container = gate.await_begun()
    waiting = []

    def wait():
        try:
            call.get()
        except RemoteError as error:
            waiting.append(error)

    thread = threading.Thread(target=wait)
    thread.start()
    if face == "blocking":
        call.cancel()
        call.cancel()
    else:
        aio(call.cancel.aio())
    thread.join()
    assert [type(error) for error in waiting] == [InputCancelledError]
    assert str(waiting[0]) == "the input of Thing.wait_for was cancelled"
    with pytest.raises(InputCancelledError):
        call.get()
    assert [info.status for info in call.get_call_graph()] == [InputStatus.TERMINATED]
    # while it ends what was cancelled, the other container may serve a whole map
    until(lambda: container in set(thing.where.map(range(20))))


def test_cancelling_what_is_through_changes_nothing(thing):
    call = thing.double.spawn(2)
    assert call.get() == 4
    call.cancel(terminate_containers=True)
    assert call.get() == 4


def test_cancelling_a_spawn_map_keeps_the_results_that_are_there(thing, gate):
    call = thing.wait_for.experimental_spawn_map([gate.path + x for x in "abc"])
    Path(gate.path + "a").touch()
    assert call.get(index=0) == "there"
    call.cancel()
    assert call.get(index=0) == "there"
    for index in (1, 2):
        with pytest.raises(InputCancelledError):
            call.get(index=index)
    with pytest.raises(InputCancelledError):
        list(call.iter())
    assert thing.double.remote(3) == 6


def test_terminate_containers_kills_the_container_that_runs_it(thing, gate, home):
    call = thing.wait_for.spawn(gate.path)
    container = gate.await_begun()
    call.cancel(terminate_containers=True)
    with pytest.raises(InputCancelledError):
        call.get()
    until(lambda: container not in home.ids("Thing"))
    assert thing.double.remote(1) == 2


def test_others_in_a_killed_container_run_elsewhere(home, tmp_path):
    other = modal.App("neighbours")

    @other.cls(max_containers=1)
    class One:
        @modal.method()
        def wait_for(self, path):
            Path(path + ".began").write_text(os.environ["MODAL_TASK_ID"])
            while not Path(path).exists():
                time.sleep(0.005)
            return os.environ["MODAL_TASK_ID"]

    first, second = Gate(tmp_path / "first"), Gate(tmp_path / "second")
    with other.run():
        running, waiting = One().wait_for.spawn(first.path), One().wait_for.spawn(second.path)
        container = first.await_begun()
        running.cancel(terminate_containers=True)
        second.open()
        assert waiting.get() != container


_INTERRUPTED = """
import modal_nb as modal, os, signal, sys, threading, time
from modal_nb.client import interrupts, waiting
app = modal.App("interrupted")

@app.cls(max_containers=1)
class Thing:
    @modal.method()
    def wait_for(self, path):
        open(path + ".began", "w").close()
        while not os.path.exists(path):
            time.sleep(0.005)
        return os.environ["MODAL_TASK_ID"]

    @modal.method()
    def where(self):
        return os.environ["MODAL_TASK_ID"]

def interrupt_when_begun(path):
    # the method runs, and this call is waited for: no interrupt shall hit anything else
    while not (os.path.exists(path + ".began") and is_waiting()):
        time.sleep(0.005)
    os.kill(os.getpid(), signal.SIGINT)

def is_waiting():
    frame = sys._current_frames()[threading.main_thread().ident]
    return frame.f_code.co_filename in (waiting.__file__, interrupts.__file__)

def interrupted(path, wait):
    threading.Thread(target=interrupt_when_begun, args=(path,)).start()
    try:
        wait()
    except KeyboardInterrupt:
        return
    raise SystemExit("no interrupt")

def state(call):
    return [info.status.name for info in call.get_call_graph()]

with app.run():
    thing = Thing()
    before = thing.where.remote()
    call, other = thing.wait_for.spawn("a"), thing.where.spawn()
    interrupted("a", call.get)
    assert state(call) == ["TERMINATED"], state(call)
    assert other.get() == thing.where.remote() == before

    call, other = thing.wait_for.spawn("b"), thing.where.spawn()
    interrupted("b", lambda: modal.FunctionCall.gather(call, other))
    assert state(call) == state(other) == ["TERMINATED"]

    call = thing.wait_for.experimental_spawn_map("cdef")
    open("c", "w").close()
    assert call.get(index=0) == before
    interrupted("d", lambda: call.get(index=1))
    open("e", "w").close()
    assert call.get(index=2) == before
    interrupted("f", lambda: list(call.iter(start=2)))
    assert state(call) == ["SUCCESS", "TERMINATED", "SUCCESS", "TERMINATED"]
    assert thing.where.remote() == before
print("good")
"""


def test_an_interrupt_of_a_blocking_get_cancels_exactly_its_inputs_and_keeps_the_pool(home, tmp_path):
    assert script.run(tmp_path, _INTERRUPTED).splitlines()[-1] == "good"
