"""A container's life as its class sees it: enter, serve, exit."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

import pytest

import modal_nb as modal
from modal_nb.exception import ContainerCrashedError
from tests.e2e import script
from tests.e2e.home import until
from tests.e2e.notebook import Notebook

app = modal.App("lifecycle")


def lines(path):
    return path.read_text().splitlines() if path.exists() else []


class Base:
    log: str = modal.parameter()

    def note(self, word):
        with Path(self.log).open("a") as file:
            file.write(f"{word}\n")

    @modal.enter()
    def base_enter(self):
        self.note("base enter")

    @modal.enter()
    def overridden(self):
        self.note("never")

    @modal.exit()
    def base_exit(self):
        self.note("base exit")


@app.cls(scaledown_window=2, max_containers=1)
class Hooked(Base):
    @modal.exit()
    async def derived_exit(self):
        await asyncio.sleep(0)
        self.note("derived exit")

    @modal.exit()
    def failing_exit(self):
        self.note("failing exit")
        raise RuntimeError("nobody sees this but the log")

    @modal.exit()
    def last_exit(self, kind, error, traceback):
        self.note(f"last exit {kind} {error} {traceback}")

    @modal.enter()
    def overridden(self):
        self.note("derived, in the place of the base's")

    @modal.enter()
    async def loop_enter(self):
        self.loop = asyncio.get_running_loop()
        self.queue = asyncio.Queue()
        self.note("async enter")

    @modal.enter(snap=True)
    def snap(self):
        self.note("snap")

    @modal.enter(snap=True)
    async def async_snap(self):
        self.note("async snap")

    @modal.method()
    async def same_loop(self):
        await self.queue.put(1)
        return asyncio.get_running_loop() is self.loop and await self.queue.get() == 1

    @modal.method()
    def answer(self):
        self.note("method")
        return os.environ["MODAL_TASK_ID"]

    @modal.method()
    def die(self):
        os._exit(3)


ENTERED = [
    "snap",
    "async snap",
    "base enter",
    "derived, in the place of the base's",
    "async enter",
]
EXITED = ["base exit", "derived exit", "failing exit", "last exit None None None"]


def test_hooks_run_in_order_around_the_methods_and_exit_hooks_at_the_end_of_the_app(home, tmp_path):
    log = tmp_path / "log"
    with app.run():
        hooked = Hooked(log=str(log))
        assert hooked.same_loop.remote()
        container = hooked.answer.remote()
        assert lines(log) == [*ENTERED, "method"]
    assert lines(log) == [*ENTERED, "method", *EXITED]
    said = (home.places.logs / f"{container}.log").read_text()
    assert "nobody sees this but the log" in said


def test_exit_hooks_run_at_scale_down(home, tmp_path):
    log = tmp_path / "log"
    with app.run():
        container = Hooked(log=str(log)).answer.remote()
        until(lambda: not home.ids("Hooked"))
        assert lines(log) == [*ENTERED, "method", *EXITED]
        assert f"container exited id={container} cause=stopped\n" in home.log(), "a normal end is named so"
    assert lines(log) == [*ENTERED, "method", *EXITED]


def test_a_container_that_crashed_runs_no_exit_hook(home, tmp_path):
    log = tmp_path / "log"
    with app.run():
        with pytest.raises(ContainerCrashedError):
            Hooked(log=str(log)).die.remote()
        until(lambda: not home.ids("Hooked"))
    assert set(lines(log)) == set(ENTERED)


def test_stopping_the_supervisor_runs_exit_hooks(home, tmp_path):
    log = tmp_path / "log"
    with app.run():
        hooked = Hooked(log=str(log))
        hooked.answer.remote()
        text = "import sys; from modal_nb.cli import main; sys.argv[1:] = ['stop']; main()"
        assert script.run(tmp_path, text) == "Stopped.\n"
        assert lines(log) == [*ENTERED, "method", *EXITED]


def test_exit_hooks_run_when_a_script_ends(home, tmp_path):
    log = tmp_path / "log"
    text = f"""
import modal_nb as modal
app = modal.App("script")

@app.cls()
class Model:
    @modal.method()
    def answer(self): return 42
    @modal.exit()
    def bye(self): open({str(log)!r}, "a").write("bye\\n")

with app.run():
    print(Model().answer.remote())
    1 / 0
"""
    with script.start(tmp_path, text) as process:
        printed, errors = process.communicate(timeout=60)
    assert printed == "42\n"
    assert "ZeroDivisionError" in errors
    assert lines(log) == ["bye"]


@pytest.mark.parametrize(("end", "said"), [("shutdown", ["bye"]), ("kill", [])])
def test_exit_hooks_run_when_the_notebooks_kernel_ends_in_good_order(home, tmp_path, end, said):
    log = tmp_path / "log"
    with Notebook(tmp_path) as notebook:
        notebook.run(f"""
import modal_nb as modal
app = modal.App("notebook")

@app.cls()
class Model:
    @modal.method()
    def answer(self): return 42
    @modal.exit()
    def bye(self): open({str(log)!r}, "a").write("bye\\n")
""")
        assert notebook.value("Model().answer.remote()") == 42
        getattr(notebook, end)()
        until(lambda: not home.ids("Model"))
    assert lines(log) == said


def test_a_single_use_container_serves_one_input_and_runs_its_exit_hooks(home, tmp_path):
    other = modal.App("single")
    log = str(tmp_path / "log")

    @other.cls(single_use_containers=True, max_containers=2)
    class Once:
        @modal.method()
        def where(self, x):
            return os.environ["MODAL_TASK_ID"]

        @modal.exit()
        def bye(self):
            with Path(log).open("a") as file:
                file.write(os.environ["MODAL_TASK_ID"] + "\n")

    with other.run():
        once = Once()
        served = [once.where.remote(0), once.where.remote(1), *once.where.map(range(4))]
        assert len(set(served)) == 6
    assert sorted(lines(tmp_path / "log")) == sorted(served)


def test_snap_hooks_come_first(home):
    other = modal.App("snapshot")

    @other.cls(enable_memory_snapshot=True)
    class Snapped:
        @modal.enter()
        def plain(self):
            self.order.append("plain")

        @modal.enter(snap=True)
        def snap(self):
            self.order = ["snap"]

        @modal.method()
        def told(self):
            return self.order

    with other.run():
        assert Snapped().told.remote() == ["snap", "plain"]
