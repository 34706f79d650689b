"""Whoever waits when the supervisor dies is told, or goes on waiting with the next one: nobody waits for ever."""

from __future__ import annotations

import threading
import time
from pathlib import Path

import pytest

import modal_nb as modal
from modal_nb.client.doors import HomeDoor
from modal_nb.client.pool import Pool
from tests.chaos.storm import kill
from tests.e2e import script
from tests.e2e.home import until

app = modal.App("gates")


@app.cls(max_containers=1)
class Gate:
    @modal.method()
    def wait_for(self, path):
        Path(path + ".began").touch()
        while not Path(path).exists():
            time.sleep(0.005)
        return "there"


def test_who_knows_an_id_only_goes_on_waiting_over_the_end_of_the_supervisor(home, tmp_path):
    app.deploy()
    path = str(tmp_path / "gate")
    call = modal.Cls.from_name("gates", "Gate")().wait_for.spawn(path)
    until(Path(path + ".began").exists)
    text = f"""
import threading, time
import modal_nb as modal
from modal_nb.client import session

def say():
    while not session.current().held:
        time.sleep(0.005)
    print("waits", flush=True)

threading.Thread(target=say, daemon=True).start()
print(modal.FunctionCall.from_id({call.object_id!r}).get())
"""
    with script.start(tmp_path, text) as process:
        try:
            assert process.stdout.readline() == "waits\n"
            kill(home.supervisor())
            Path(path).touch()
            printed, errors = process.communicate(timeout=30)
        finally:
            process.kill()
    assert (printed, process.returncode) == ("there\n", 0), errors


def test_when_none_can_be_had_a_map_fails_whose_inputs_are_being_sent(home, tmp_path):
    path = str(tmp_path / "gate")
    down, sending = threading.Event(), threading.Event()
    submit = Pool.submit
    raised: list[BaseException] = []

    def no_door(*_args, **_kwargs):
        down.set()
        assert sending.wait(30), "an input is sent meanwhile"
        raise modal.exception.ConnectionError("none can be started")

    def seen(*args, **kwargs):
        if down.is_set():
            sending.set()
        return submit(*args, **kwargs)

    def inputs():
        yield path
        assert down.wait(30)
        yield path

    def run():
        try:
            list(Gate().wait_for.map(inputs()))
        except modal.exception.ConnectionError as error:
            raised.append(error)

    with app.run():
        mapping = threading.Thread(target=run, daemon=True)
        mapping.start()
        until(Path(path + ".began").exists)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(HomeDoor, "connect", no_door)
            patch.setattr(Pool, "submit", seen)
            kill(home.supervisor())
            mapping.join(30)
        assert raised, "it waits for ever"
        Path(path).touch()
        assert Gate().wait_for.remote(path) == "there", "the next call finds one"
