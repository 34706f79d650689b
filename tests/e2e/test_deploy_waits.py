"""Waits for calls of deployed apps that end early: interrupted, or given up on an event loop."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import threading
import time
from pathlib import Path

import pytest

import modal_nb as modal
from modal_nb.client import session
from tests.e2e.home import until

app = modal.App("waits")


@app.cls(max_containers=2, timeout=60)
class Keeps:
    @modal.method()
    def double(self, x):
        return 2 * x

    @modal.method()
    def wait_for(self, path):
        Path(path + ".began").touch()
        while not Path(path).exists():
            time.sleep(0.005)
        return "there"


@pytest.fixture(scope="module")
def keeps(home):
    app.deploy()
    return modal.Cls.from_name("waits", "Keeps")()


def begun(path):
    until(Path(path + ".began").exists)


@pytest.mark.parametrize("face", ["get", "iter", "gather"])
def test_interrupting_a_wait_only_ends_the_wait(keeps, tmp_path, face):
    path = str(tmp_path / "gate")
    call = keeps.wait_for.spawn(path)
    begun(path)
    waits = {
        "get": call.get,
        "iter": lambda: list(call.iter()),
        "gather": lambda: modal.FunctionCall.gather(call),
    }
    with interrupted_when(attached), pytest.raises(KeyboardInterrupt):
        waits[face]()
    assert not attached(), "nobody waits any more"
    Path(path).touch()
    assert call.get() == modal.FunctionCall.from_id(call.object_id).get() == "there"


def test_interrupting_remote_cancels_its_input(keeps, tmp_path):
    path = str(tmp_path / "gate")
    with interrupted_when(Path(path + ".began").exists), pytest.raises(KeyboardInterrupt):
        keeps.wait_for.remote(path)
    until(lambda: not keeps.double.get_current_stats().num_running_inputs)


def attached():
    """What the session of this process waits for."""
    return [call.number for call in session.current().held.all()]


@contextlib.contextmanager
def interrupted_when(condition):
    """Ctrl-C in this process, once the condition holds."""

    def press():
        until(condition)
        os.kill(os.getpid(), signal.SIGINT)

    alarm = threading.Thread(target=press)
    alarm.start()
    yield
    alarm.join()


def test_a_wait_on_a_loop_that_is_given_up_leaves_nothing_behind(keeps, tmp_path, monkeypatch):
    path = str(tmp_path / "gate")
    call = keeps.wait_for.spawn(path)
    again = session.Session.again
    sending, given_up = threading.Event(), threading.Event()

    def seen(self, call):
        sending.set()
        assert given_up.wait(30)
        again(self, call)

    async def poll():
        waits = asyncio.ensure_future(call.get.aio())
        await asyncio.to_thread(sending.wait, 30)
        waits.cancel()
        await asyncio.wait([waits])
        given_up.set()

    monkeypatch.setattr(session.Session, "again", seen)
    asyncio.run(poll())
    monkeypatch.undo()
    assert not attached()
    Path(path).touch()
    assert call.get() == "there"
