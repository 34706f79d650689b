"""kill -9 of containers and of the supervisor while inputs run: no input is lost and no result is wrong."""

from __future__ import annotations

import os
import random
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from itertools import count
from pathlib import Path

import modal_nb as modal
from tests.chaos.storm import kill
from tests.e2e.home import kernel_of, until

app = modal.App("kills")

#: of the map, at least
INPUTS = 1000
#: of them on their way at a time
AHEAD = 100
KILLS = 20


@app.cls(max_containers=4)
class Noted:
    """Each container notes in a file of its own what it begins and what it ends."""

    folder: str = modal.parameter()

    @modal.enter()
    def open(self):
        path = Path(self.folder, os.environ["MODAL_TASK_ID"])
        self.file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)

    @modal.method()
    def run(self, x):
        os.write(self.file, f"begin {x}\n".encode())
        time.sleep(0.02)
        os.write(self.file, f"end {x}\n".encode())
        return x * x + 7


class Notes:
    """What the containers noted."""

    def __init__(self, folder):
        self.folder = folder

    def last(self, container):
        path = self.folder / container
        return path.read_text().splitlines()[-1:] if path.exists() else []

    def runs(self, container):
        """The input that it has begun and not ended."""
        last = self.last(container)
        return int(last[0].split()[1]) if last and last[0].startswith("begin") else None

    def begun(self):
        """Input -> times it was begun."""
        lines = [line for path in self.folder.iterdir() for line in path.read_text().splitlines()]
        return Counter(int(line.split()[1]) for line in lines if line.startswith("begin"))


def kill_one(home, notes):
    """kill -9 a container in the middle of an input; (container, input), or None if it was between two."""
    containers = home.containers("Noted")
    random.shuffle(containers)
    begun = notes.begun()
    for container in containers:
        # no input is hit twice: one that dies again and again is poison and given up, which is tested elsewhere
        if begun[notes.runs(container.id)] != 1:
            continue
        kernel = kernel_of(container)
        if kernel is None:
            continue
        kernel.kill()
        until(lambda container=container: container.id not in home.ids("Noted"))
        hit = notes.runs(container.id)  # it is dead: what it had begun and not ended was hit
        return None if hit is None else (container.id, hit)
    return None


def read(run, kills):
    """The results of a map that has inputs until all kills are done, however slow they are."""
    results = []

    def inputs():
        for x in count():
            if x >= INPUTS and len(kills) >= KILLS:
                return
            until(lambda x=x: x < len(results) + AHEAD)
            yield x

    for result in run.map(inputs()):
        results.append(result)  # noqa: PERF402 - what was read lets inputs on
    return results


def test_a_map_is_right_over_20_kills_of_containers_while_an_input_runs(home, tmp_path):
    notes, kills = Notes(tmp_path), []
    with app.run(), ThreadPoolExecutor() as threads:
        mapped = threads.submit(read, Noted(folder=str(tmp_path)).run, kills)
        until(lambda: home.pools("Noted"))
        while not mapped.done() and len(kills) < KILLS:
            confirmed = kill_one(home, notes)
            if confirmed:
                kills.append(confirmed)
        results = mapped.result(60)
    inputs = len(results)
    assert results == [x * x + 7 for x in range(inputs)]
    assert inputs >= INPUTS
    assert len(kills) >= KILLS
    begun = notes.begun()
    assert set(begun) == set(range(inputs))
    for container, hit in kills:
        assert f"container exited id={container} cause=killed by signal 9 (SIGKILL)" in home.log()
        assert begun[hit] >= 2, f"input {hit} was hit and did not run again"
    reruns = begun.total() - inputs
    print(f"{len(kills)} kills confirmed, {reruns} inputs begun again")
    assert reruns >= len(kills)


def test_a_map_and_a_call_are_right_over_kills_of_the_supervisor(home, tmp_path):
    notes = Notes(tmp_path)
    with app.run(), ThreadPoolExecutor() as threads:
        noted = Noted(folder=str(tmp_path))
        mapped = threads.submit(lambda: list(noted.run.map(range(300))))
        single = threads.submit(lambda: [noted.run.remote(x) for x in range(1000, 1100)])
        for enough in (30, 120, 220):
            until(lambda enough=enough: len(notes.begun()) >= enough)
            kill(home.supervisor())
        assert mapped.result(60) == [x * x + 7 for x in range(300)]
        assert single.result(60) == [x * x + 7 for x in range(1000, 1100)]


def test_a_call_in_flight_is_sent_again_to_a_new_supervisor(home, tmp_path):
    begun, gate = tmp_path / "begun", tmp_path / "gate"
    own = modal.App("flight")

    @own.cls()
    class Waiting:
        @modal.method()
        def run(self, begun, gate):
            Path(begun).write_text(os.environ["MODAL_TASK_ID"])
            while not Path(gate).exists():
                time.sleep(0.01)
            return os.environ["MODAL_TASK_ID"]

    with own.run(), ThreadPoolExecutor() as threads:
        call = threads.submit(Waiting().run.remote, str(begun), str(gate))
        first = until(lambda: begun.exists() and begun.read_text())
        home.supervisor().kill()
        until(lambda: begun.read_text() not in ("", first))
        gate.touch()
        assert call.result(60) == begun.read_text()
