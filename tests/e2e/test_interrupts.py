"""Ctrl-C once, twice, and again: what was waited for is cancelled, everything else stays."""

from __future__ import annotations

import pytest

from tests.e2e import script
from tests.e2e.home import until
from tests.e2e.notebook import CellFailed, Notebook

#: a client that is interrupted twice in a row, at random distances, while it waits
TWICE = """
import os, random, signal, sys, threading, time
from pathlib import Path
import modal_nb as modal
from modal_nb.client import interrupts, waiting

app = modal.App("twice")
folder, dice = Path({folder!r}), random.Random(3)
pressed = 0

@app.cls(max_containers=2)
class Model:
    @modal.method()
    def hang(self, name):
        with (folder / "notes").open("a") as file:
            file.write(f"begin {{name}}\\n")
        try:
            time.sleep(1000)
        finally:
            with (folder / "notes").open("a") as file:
                file.write(f"end {{name}}\\n")

    @modal.method()
    def where(self):
        return os.environ["MODAL_TASK_ID"]

def press(number, frame):
    global pressed
    pressed += 1
    raise KeyboardInterrupt

def begun(name):
    return (folder / "notes").exists() and f"begin {{name}}\\n" in (folder / "notes").read_text()

def is_waited_for(name):
    # what was spawned and is not waited for yet goes on, as it should
    frame = sys._current_frames()[threading.main_thread().ident]
    return not name.startswith("get") or frame.f_code.co_filename in (waiting.__file__, interrupts.__file__)

def press_twice(name):
    while not (begun(name) and is_waited_for(name)):
        time.sleep(0.002)
    os.kill(os.getpid(), signal.SIGINT)
    while pressed < 1:  # else the two may become one
        pass
    time.sleep(dice.choice([0, 0.0001, 0.0005, 0.002, 0.01]))
    os.kill(os.getpid(), signal.SIGINT)

def wait_through(wait):
    while pressed < 2:
        try:
            try:
                wait()
                raise SystemExit("it came to an end")
            except KeyboardInterrupt:
                while pressed < 2:
                    time.sleep(0.001)
        except KeyboardInterrupt:
            pass

signal.signal(signal.SIGINT, press)
model = Model()
ways = {{
    "remote": lambda name: model.hang.remote(name),
    "map": lambda name: list(model.hang.map([name, name + "+", name + "++"])),
    "get": lambda name: model.hang.spawn(name).get(),
}}
with app.run():
    model.where.remote()
    for round in range({rounds}):
        for way, wait in ways.items():
            pressed, name = 0, f"{{way}}{{round}}"
            presser = threading.Thread(target=press_twice, args=(name,))
            presser.start()
            wait_through(lambda: wait(name))
            presser.join()
    assert model.where.remote().startswith("ct-")
    print("serves", flush=True)
    while not (folder / "over").exists():
        time.sleep(0.01)
"""
ROUNDS = 20


def test_two_interrupts_in_a_row_cancel_what_was_waited_for_and_keep_the_pool(home, tmp_path):
    text = TWICE.format(folder=str(tmp_path), rounds=ROUNDS)
    with script.start(tmp_path, text) as process:
        try:
            assert process.stdout.readline() == "serves\n", process.stderr.read()
            until(lambda: (home.pool("Model").queued, home.pool("Model").running) == (0, 0))
            assert home.log().count("container exited") == 0
        finally:
            (tmp_path / "over").touch()
            process.communicate(timeout=60)
    notes = (tmp_path / "notes").read_text().splitlines()
    begun = {line.split()[1] for line in notes if line.startswith("begin")}
    ended = {line.split()[1] for line in notes if line.startswith("end")}
    assert begun == ended
    assert {f"{way}{number}" for way in ("remote", "map", "get") for number in range(ROUNDS)} <= begun


@pytest.mark.parametrize("how", ["signal", "interrupt_request"])
def test_an_interrupt_in_a_notebook_is_a_keyboard_interrupt_and_the_next_call_answers(home, tmp_path, how):
    with Notebook(tmp_path) as notebook:
        notebook.run("""
import os, time
from pathlib import Path
import modal_nb as modal
app = modal.App("pressed")

@app.cls(max_containers=1)
class Pressed:
    @modal.method()
    def hang(self, x=0):
        Path("begun").touch()
        time.sleep(1000)

    @modal.method()
    def where(self):
        return os.environ["MODAL_TASK_ID"]
""")
        before = notebook.value("Pressed().where.remote()")
        for cell in (
            "Pressed().hang.remote()",
            "list(Pressed().hang.map(range(50)))",
            "Pressed().hang.spawn().get()",
        ):
            (tmp_path / "begun").unlink(missing_ok=True)
            asked = notebook.begin(cell)
            until((tmp_path / "begun").exists)
            if how == "signal":
                notebook.interrupt()
            else:
                notebook.client.control_channel.send(notebook.client.session.msg("interrupt_request"))
            with pytest.raises(CellFailed) as caught:
                notebook.finish(asked)
            assert caught.value.name == "KeyboardInterrupt"
            until(lambda: (home.pool("Pressed").queued, home.pool("Pressed").running) == (0, 0))
            assert notebook.value("Pressed().where.remote()") == before
