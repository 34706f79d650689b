"""Exit hooks: when they run, in which order, how long they may take, and when they do not run."""

from __future__ import annotations

import os
import signal
import threading
import time
from pathlib import Path

import pytest

import modal_nb as modal
from modal_nb.exception import AppStoppedError, ContainerCrashedError, FunctionTimeoutError
from modal_nb.protocol import messages as ms
from tests.e2e import script
from tests.e2e.home import dead, kernel_of, until
from tests.e2e.notebook import Notebook

GRACE = 3.0


@pytest.fixture(scope="module")
def machine():
    return {"MODAL_NB_MAX_CONTAINERS": "8", "MODAL_NB_STOP_GRACE": str(GRACE)}


class Base:
    log: str = modal.parameter()

    def note(self, *words):
        with Path(self.log).open("a") as file:
            file.write(" ".join(map(str, words)) + "\n")

    @modal.exit()
    def first(self):
        self.note("first")


def hooked(app, **options):
    """A class with three exit hooks; each test has one of its own."""

    @app.cls(**{"max_containers": 1, **options})
    class Hooked(Base):
        @modal.exit()
        async def second(self):
            self.note("second")

        @modal.exit()
        def third(self):
            self.note("third")

        @modal.method()
        def where(self):
            return os.environ["MODAL_TASK_ID"]

        @modal.method()
        def die(self, how):
            if how == "crash":
                os._exit(1)
            while True:
                try:
                    time.sleep(1000)
                except BaseException:
                    continue

        @modal.method()
        def hold(self, gate):
            self.note("begun")
            until(Path(gate).exists)
            self.note("ended")
            return "through"

    return Hooked


HOOKS = ["first", "second", "third"]


def lines(path):
    return path.read_text().splitlines() if path.exists() else []


class Calling(threading.Thread):
    """A call on a thread; its value or its exception is there after ``join``."""

    def __init__(self, call):
        super().__init__()
        self._call = call
        self.value = self.error = None
        self.start()

    def run(self):
        try:
            self.value = self._call()
        except BaseException as error:
            self.error = error


# -- each way to an end ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("way", ["scale-down", "app end", "container stop"])
def test_exit_hooks_run_once_in_order(home, tmp_path, way):
    app, log = modal.App("ends"), tmp_path / "log"
    cls = hooked(app, scaledown_window=2 if way == "scale-down" else 60)
    with app.run():
        container = cls(log=str(log)).where.remote()
        if way == "container stop":
            home.ask(ms.ContainerStop(id=container))
        if way != "app end":
            until(lambda: container not in home.ids())
            assert lines(log) == HOOKS
    assert lines(log) == HOOKS
    assert f"container exited id={container} cause=stopped\n" in home.log()


@pytest.mark.parametrize("end", ["modal-nb stop", "SIGTERM", "SIGINT"])
def test_a_supervisor_that_ends_lets_running_inputs_finish_and_runs_exit_hooks_once(home, tmp_path, end):
    app, log, gate = modal.App("drains"), tmp_path / "log", tmp_path / "gate"
    cls = hooked(app)
    with app.run():
        running = Calling(lambda: cls(log=str(log)).hold.remote(str(gate)))
        until(lambda: lines(log) == ["begun"])
        waiting = Calling(cls(log=str(log)).where.remote)
        until(lambda: home.pool("Hooked").queued == 1)
        supervisor = home.supervisor()
        if end == "modal-nb stop":
            stopping = Calling(lambda: script.run(tmp_path, STOP))
        else:
            supervisor.send_signal(getattr(signal, end))
        waiting.join()
        # what waited is refused at once, what runs has its time
        assert isinstance(waiting.error, AppStoppedError)
        gate.touch()
        running.join()
        assert running.value == "through"
        until(lambda: dead(supervisor))
        if end == "modal-nb stop":
            stopping.join()
            assert stopping.value == "Stopped.\n"
    assert lines(log) == ["begun", "ended", *HOOKS]


STOP = "import sys; from modal_nb.cli import main; sys.argv[1:] = ['stop']; main()"


def test_an_input_that_outlives_the_grace_of_a_stop_fails_and_its_container_runs_no_hook(home, tmp_path):
    app, log = modal.App("late"), tmp_path / "log"
    cls = hooked(app)
    with app.run():
        running = Calling(lambda: cls(log=str(log)).hold.remote("/nowhere"))
        until(lambda: lines(log) == ["begun"])
        (container,) = home.ids()
        supervisor = home.supervisor()
        supervisor.terminate()
        running.join()
        assert isinstance(running.error, AppStoppedError)
        until(lambda: dead(supervisor))
    assert lines(log) == ["begun"]
    assert f"container exited id={container} cause=did not end within 3 s\n" in home.log()


# -- no exit hooks --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("how", ["crash", "timeout"])
def test_no_exit_hook_runs_after_a_crash_or_a_hard_timeout(home, tmp_path, how):
    app, log = modal.App("dies"), tmp_path / "log"
    cls = hooked(app, timeout=1, startup_timeout=60)
    with app.run():
        before = cls(log=str(log)).where.remote()
        with pytest.raises(ContainerCrashedError if how == "crash" else FunctionTimeoutError):
            cls(log=str(log)).die.remote(how)
        until(lambda: before not in home.ids())
        assert not lines(log)


def test_no_exit_hook_runs_when_an_enter_hook_failed_or_was_not_through(home, tmp_path):
    app, log, gate = modal.App("half"), tmp_path / "log", tmp_path / "gate"

    @app.cls(max_containers=1)
    class Half(Base):
        @modal.enter()
        def load(self):
            self.note("entering")
            if not gate.exists():
                gate.touch()
                raise LookupError("no")
            time.sleep(1000)

        @modal.method()
        def run(self): ...

    with app.run():
        call = Calling(Half(log=str(log)).run.remote)
        until(lambda: lines(log) == ["entering", "entering"])
    call.join()
    assert isinstance(call.error, AppStoppedError)
    assert lines(log) == ["entering", "entering"]


# -- what may disturb them ------------------------------------------------------------------------------------


@pytest.fixture
def slow(home, tmp_path):
    """A container whose exit hook runs until the gate opens, and the processes of it."""
    app, log, gate = modal.App("slow"), tmp_path / "log", tmp_path / "gate"

    @app.cls(max_containers=1)
    class Slow(Base):
        @modal.method()
        def pid(self):
            return os.environ["MODAL_TASK_ID"]

        @modal.exit()
        def wait(self):
            self.note("waiting")
            while not gate.exists():
                time.sleep(0.001)
            self.note("waited")

        @modal.exit()
        def last(self):
            self.note("last")

    with app.run():
        container = Slow(log=str(log)).pid.remote()
        (found,) = home.containers("Slow")
        home.ask(ms.ContainerStop(id=container))
        until(lambda: lines(log) == ["first", "waiting"])
        yield found, log, gate


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGUSR1])
def test_interrupts_and_cancels_are_ignored_while_exit_hooks_run(home, slow, number):
    container, log, gate = slow
    process = kernel_of(container)
    for _ in range(20):
        process.send_signal(number)
        time.sleep(0.002)
    gate.touch()
    until(lambda: container.id not in home.ids())
    assert lines(log) == ["first", "waiting", "waited", "last"]
    assert f"container exited id={container.id} cause=stopped\n" in home.log()


def test_an_exit_hook_that_hangs_is_cut_after_the_grace(home, slow):
    container, log, _ = slow
    until(lambda: container.id not in home.ids())
    assert lines(log) == ["first", "waiting"]
    assert f"container exited id={container.id} cause=did not end within 3 s\n" in home.log()


def test_exit_hooks_run_when_a_notebook_ends_with_a_call_in_flight(home, tmp_path):
    log = tmp_path / "log"
    with Notebook(tmp_path) as notebook:
        notebook.run(f"""
import time
from pathlib import Path
import modal_nb as modal
app = modal.App("notebook")

@app.cls(max_containers=1)
class Model:
    @modal.method()
    def hang(self):
        Path("begun").touch()
        time.sleep(1000)
    @modal.exit()
    def bye(self):
        with open({str(log)!r}, "a") as file: file.write("bye\\n")

call = Model().hang.spawn()
""")
        until((tmp_path / "begun").exists)
        notebook.shutdown()
        until(lambda: not home.ids("Model"))
    assert lines(log) == ["bye"]
