"""A notebook whose kernel is restarted finds its warm containers; one that does not come back leaves nothing."""

from __future__ import annotations

import os
import signal

import psutil
import pytest

from modal_nb.client import notebook as notebook_of_this_process
from modal_nb.protocol import messages as ms
from modal_nb.protocol.stream import ConnectionEnded
from tests.e2e import script
from tests.e2e.home import NoSupervisor, until
from tests.e2e.notebook import Notebook


@pytest.fixture(scope="module")
def machine():
    """A supervisor that nobody needs ends at once: it waits for what lingers."""
    return {"MODAL_NB_MAX_CONTAINERS": "8", "MODAL_NB_IDLE_EXIT": "0.1"}


IMPORTS = """
import os, secrets, time
from pathlib import Path
import modal_nb as modal
app = modal.App("restarts"{options})
"""
HELPER = """
def helper():
    return 1
"""
CLASS = """
@app.cls(max_containers=2{options})
class Model:
    @modal.enter()
    def load(self):
        self.token = secrets.token_hex()

    @modal.method()
    def tell(self):
        return self.token, helper()

    @modal.method()
    def hold(self, begun, ended):
        Path(begun).touch()
        try:
            time.sleep(1000)
        finally:
            Path(ended).touch()

    @modal.exit()
    def bye(self):
        Path("bye").touch()
"""


def cells(notebook, app="", cls="", helper=HELPER):
    for cell in (IMPORTS.format(options=app), helper, CLASS.replace("{options}", cls)):
        notebook.run(cell)


def token(notebook):
    found, _ = notebook.value("Model().tell.remote()")
    return found


@pytest.fixture
def notebook(home, tmp_path):
    with Notebook(tmp_path, path=str(tmp_path / "here.ipynb")) as found:
        yield found
    home.stop()  # as ``modal-nb stop``: it ends what lingers, too


def apps(home):
    """None if the supervisor has ended, for nothing needed it, or ends in this moment."""
    try:
        return home.status().apps
    except (OSError, ConnectionEnded, NoSupervisor):
        return []


def lingers(home):
    return [app.gone for app in apps(home)] == [True]


# -- who comes back -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("end", ["restart", "kill -9", "shutdown"])
def test_a_restarted_kernel_finds_the_same_containers(home, notebook, end):
    cells(notebook)
    before, ids = token(notebook), home.ids()
    if end == "kill -9":
        os.kill(notebook.pid, signal.SIGKILL)
    notebook.restart(now=end != "shutdown")
    cells(notebook)
    assert token(notebook) == before
    assert home.ids() == ids
    (app,) = home.status().apps
    assert (app.client_pid, app.gone) == (notebook.pid, False)


def test_it_does_so_again_and_again_and_new_containers_serve_beside_the_old_one(home, notebook, tmp_path):
    cells(notebook)
    before = token(notebook)
    for _ in range(3):
        notebook.restart()
        cells(notebook)
        assert token(notebook) == before
    notebook.run(
        "held = Model().hold.spawn('begun', 'ended')\nwhile not os.path.exists('begun'): time.sleep(0.01)"
    )
    assert token(notebook) != before
    notebook.run("held.cancel()")


def test_an_edited_helper_is_never_answered_by_old_containers(home, notebook):
    cells(notebook)
    before = token(notebook)
    (old,) = home.ids()
    notebook.restart()
    cells(notebook, helper=HELPER.replace("1", "2"))
    after, helped = notebook.value("Model().tell.remote()")
    assert (after != before, helped) == (True, 2)
    until(lambda: old not in home.ids())


def test_other_options_are_another_pool(home, notebook):
    cells(notebook)
    before = token(notebook)
    notebook.restart()
    cells(notebook, cls=", timeout=17")
    assert token(notebook) != before


def test_changes_of_the_autoscaler_are_over(home, notebook):
    cells(notebook, cls=", min_containers=1")
    before = token(notebook)
    notebook.run("Model().update_autoscaler(min_containers=2)")
    until(lambda: [c.state for c in home.containers("Model")] == ["idle"] * 2)
    notebook.restart()
    cells(notebook, cls=", min_containers=1")
    token(notebook)
    assert home.pool("Model").autoscaler.min_containers == 1
    assert len(home.ids()) == 2
    assert before


def test_calls_of_containers_find_what_is_warm_too(home, notebook):
    outer = """
@app.cls(max_containers=1)
class Outer:
    @modal.enter()
    def load(self):
        self.token = secrets.token_hex()

    @modal.method()
    def ask(self):
        return self.token, *Model().tell.remote()
"""
    cells(notebook)
    notebook.run(outer)
    before = notebook.value("Outer().ask.remote()")
    notebook.restart()
    cells(notebook)
    notebook.run(outer)
    assert notebook.value("Outer().ask.remote()") == before
    assert token(notebook) == before[1]


def test_a_child_that_holds_the_dead_kernel_s_connection_is_not_in_the_way(home, notebook, tmp_path):
    cells(notebook)
    before = token(notebook)
    # in a session of its own: the interrupt that comes with a kill is for the kernel's whole group
    notebook.run("def stay():\n    os.setsid()\n    time.sleep(1000)")
    notebook.run("import multiprocessing\nfork = multiprocessing.get_context('fork')")
    notebook.run("child = fork.Process(target=stay)\nchild.start()")
    child = psutil.Process(notebook.value("child.pid"))
    until(lambda: os.getsid(child.pid) == child.pid)
    try:
        notebook.kill()  # the child has its ports, too: the next kernel has others
        with Notebook(tmp_path, path=str(tmp_path / "here.ipynb")) as other:
            cells(other)
            assert token(other) == before
        assert child.is_running()
    finally:
        child.kill()


def test_vs_code_tells_the_path_in_a_variable(home, tmp_path):
    told = []
    for _ in range(2):
        with Notebook(tmp_path) as found:
            found.run("__vsc_ipynb_file__ = '/vscode/here.ipynb'")
            cells(found)
            told.append(token(found))
    assert told[0] == told[1]
    home.stop()


def test_a_script_is_no_notebook(monkeypatch):
    monkeypatch.setenv("JPY_SESSION_NAME", "/from/a/terminal.ipynb")
    assert notebook_of_this_process.path() == ""


def test_two_living_kernels_of_one_path_never_share(home, notebook, tmp_path):
    cells(notebook)
    first = token(notebook)
    with Notebook(tmp_path, path=str(tmp_path / "here.ipynb")) as other:
        cells(other)
        assert token(other) != first
        assert token(notebook) == first
        assert len(home.status().apps) == 2


def test_a_notebook_at_another_path_finds_nothing(home, notebook, tmp_path):
    cells(notebook)
    first = token(notebook)
    notebook.kill()
    until(lambda: lingers(home))
    with Notebook(tmp_path, path=str(tmp_path / "elsewhere.ipynb")) as other:
        cells(other)
        assert token(other) != first


def test_a_kernel_whose_connection_breaks_keeps_nothing_of_before(home, notebook):
    """It lives, so its calls go on: elsewhere, when what ran them is dead."""
    cells(notebook)
    before = token(notebook)
    notebook.run("from modal_nb.client import session\nsession.current().linked()._sock.shutdown(2)")
    assert token(notebook) != before
    assert len(home.ids()) == 1


# -- who does not ---------------------------------------------------------------------------------------------


def test_a_killed_kernel_has_its_call_cancelled_at_once_and_the_container_is_idle(home, notebook, tmp_path):
    cells(notebook, cls=", min_containers=1, buffer_containers=1")
    notebook.begin("Model().hold.remote('begun', 'ended')")
    until((tmp_path / "begun").exists)
    os.kill(notebook.pid, signal.SIGKILL)
    until((tmp_path / "ended").exists)
    until(lambda: {c.state for c in home.containers("Model")} == {"idle"})
    (pool,) = home.pools("Model")
    assert (pool.running, pool.queued, pool.modes["lingers"]["back"]) == (0, 0, False)
    assert not (tmp_path / "bye").exists()
    for container in home.ids():
        home.ask(ms.ContainerStop(id=container))
    until(lambda: not home.ids())  # and none comes in its place


@pytest.mark.parametrize("end", ["kill -9", "shutdown"])
def test_exit_hooks_run_after_the_countdown(home, notebook, tmp_path, end):
    cells(notebook, app=", linger=1")
    token(notebook)
    notebook.kill() if end == "kill -9" else notebook.shutdown()
    until((tmp_path / "bye").exists)
    until(lambda: not apps(home))
    assert "cause=stopped" in home.log()


@pytest.mark.parametrize("why", ["linger=0", "no path", "app.run()"])
def test_nothing_lingers(home, tmp_path, why):
    path = "" if why == "no path" else str(tmp_path / "here.ipynb")
    with Notebook(tmp_path, path=path) as notebook:
        cells(notebook, app=", linger=0" if why == "linger=0" else "")
        if why == "app.run()":
            notebook.run("with app.run():\n    Model().tell.remote()\n")
            notebook.run("run = app.run().__enter__()")
        token(notebook)
        notebook.shutdown()
        until(lambda: not apps(home))
    assert "app lingers" not in home.log().rpartition("supervisor ready")[2]
    home.stop()


def test_app_stop_ends_it_at_once(home, notebook, tmp_path):
    cells(notebook)
    token(notebook)
    notebook.run("app.stop()")
    assert (tmp_path / "bye").exists()
    assert not apps(home)


def test_status_and_other_notebooks_tell_the_countdown(home, notebook, tmp_path):
    cells(notebook, app=", linger=250")
    token(notebook)
    notebook.kill()
    until(lambda: lingers(home))
    told = script.run(
        tmp_path, "import sys; from modal_nb.cli import main; sys.argv[1:] = ['status']; main()"
    )
    assert "of a notebook that is gone (process " in told
    assert "its notebook is gone: containers end in 2" in told
    table = script.run(tmp_path, "import modal_nb; print(modal_nb.panel()._repr_mimebundle_()['text/html'])")
    assert "its notebook is gone: containers end in 2" in table
