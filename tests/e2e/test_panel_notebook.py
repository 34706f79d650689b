"""The panel in a real kernel: what a notebook saves, what the comm does, and which panels live."""

from __future__ import annotations

import itertools
import time

import nbformat
import pytest
from nbclient import NotebookClient

from tests.e2e.home import until
from tests.e2e.notebook import CellFailed, Notebook

APP = """
import os, time
import modal_nb as modal
app = modal.App("digits")
"""
CLASS = """
@app.cls(max_containers=2, scaledown_window=3600)
class Forest:
    trees: int = modal.parameter(default=100)
    @modal.method()
    def vote(self, x):
        return x * self.trees
    @modal.method()
    def sleep(self, seconds):
        time.sleep(seconds)
        return seconds
    @modal.method()
    def hold(self, gate):
        while not os.path.exists(gate):
            time.sleep(0.01)
"""
DEFINE = APP + CLASS
#: returns when all panels have sent their whole state since it was how it is in the end: they do every few seconds
AWAIT_SYNC = """
from ipywidgets.widgets.widget import _instances
def is_synced(report):
    (pool,) = report["pools"] or [None]
    return (
        pool
        and pool["autoscaler"]["min_containers"] == 2
        and [one["state"] for one in pool["containers"] if one["memory"]] == ["idle", "idle"]
        and pool["history"][-1][1:] == [0, 0, 2]
    )
panels = [one for one in _instances.values() if type(one).__name__ == "LivePanel"]
while not all(is_synced(one.report) for one in panels):
    time.sleep(0.05)
"""
WIDGET = "application/vnd.jupyter.widget-view+json"
STATE = "application/vnd.jupyter.widget-state+json"


@pytest.fixture(scope="module")
def saved(home):
    """A notebook as it is saved after a run without any front end."""
    sources = [
        DEFINE,
        "model = Forest(trees=200)\nmodel",
        "model.vote.remote(2)",
        "model.wait_for(containers=1, state='idle')\npanel = model.panel()\npanel",
        "model.update_autoscaler(min_containers=2)\npanel.wait_for(containers=2, state='idle')",
        "app",
        "Forest",
        AWAIT_SYNC,
    ]
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(source) for source in sources])
    NotebookClient(notebook, timeout=60, store_widget_state=True).execute()
    return notebook


def shown(notebook, cell):
    (output,) = notebook.cells[cell].outputs
    return output["data"]


def report_of(notebook, cell):
    state = notebook.metadata["widgets"][STATE]["state"]
    return state[shown(notebook, cell)[WIDGET]["model_id"]]["state"]["report"]


def test_every_display_has_a_view_a_table_and_a_stable_line(saved):
    lines = {1: "<Obj Forest(trees=200) of app 'digits'>", 3: "<panel of Forest(trees=200) of app 'digits'>"}
    lines |= {5: "<App 'digits', running>", 6: "<Cls Forest of app 'digits'>"}
    for cell, line in lines.items():
        data = shown(saved, cell)
        assert set(data) == {"text/plain", "text/html", WIDGET}
        assert data["text/plain"] == line
    assert shown(saved, 1)["text/html"] == (
        '<div class="tex2jax_ignore mathjax_ignore"><p><strong><bdi>Forest(trees=200) of app &#x27;digits&#x27;</bdi>'
        "</strong></p><p><bdi>no container yet: the first call starts one</bdi></p></div>"
    )
    assert "<td><bdi>idle</bdi></td><td><bdi>1</bdi></td>" in shown(saved, 3)["text/html"]


@pytest.mark.parametrize("cell", [1, 3, 5, 6])
def test_the_saved_state_is_how_it_was_in_the_end(saved, cell):
    report = report_of(saved, cell)
    assert (report["connection"], report["message"]) == ("connected", "")
    (pool,) = report["pools"]
    assert (pool["service"], pool["parameters"], pool["state"]) == ("Forest", "trees=200", "running")
    assert pool["autoscaler"]["min_containers"] == 2
    assert [one["state"] for one in pool["containers"]] == ["idle", "idle"]
    assert all(one["memory"] for one in pool["containers"])
    assert pool["history"][-1][1:] == [0, 0, 2]


# -- the comm ------------------------------------------------------------------------------------------------------


class FrontEnd:
    """What the browser is to the kernel: it sends messages of a comm, and keeps what comes by it."""

    def __init__(self, notebook, variable="panel"):
        self.client = notebook.client
        self.comm = notebook.value(f"{variable}.comm.comm_id")
        self.numbers = itertools.count(1)
        self.messages = []

    def send(self, content):
        data = {"method": "custom", "content": content}
        message = self.client.session.msg("comm_msg", {"comm_id": self.comm, "data": data})
        self.client.shell_channel.send(message)

    def command(self, pool, name, **arguments):
        """Send it and wait for the answer; "" or why not."""
        number = next(self.numbers)
        self.send({"type": "command", "id": number, "pool": pool, "name": name, "arguments": arguments})
        return self.next(lambda m: m.get("type") == "answer" and m["id"] == number)["error"]

    def next(self, wanted):
        """The next custom message that is wanted; those before it are kept."""
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline:
            message = self.client.get_iopub_msg(timeout=30)
            if message["msg_type"] == "comm_msg" and message["content"]["comm_id"] == self.comm:
                content = message["content"]["data"].get("content")
                if content is not None:
                    self.messages.append(content)
                    if wanted(content):
                        return content
        raise AssertionError(f"it did not come; what came: {self.messages}")

    def hello(self):
        self.send({"type": "hello"})
        return self.next(lambda m: m.get("type") == "report")["report"]


@pytest.fixture(scope="module")
def notebook(home, tmp_path_factory):
    with Notebook(tmp_path_factory.mktemp("notebook")) as found:
        found.run(DEFINE)
        yield found


def test_a_new_view_gets_the_whole_state(notebook):
    notebook.run("model = Forest(trees=1)\npanel = model.panel()\nmodel.vote.remote(1)")
    notebook.run("panel.wait_for(containers=1, state='idle')")
    report = FrontEnd(notebook).hello()
    (pool,) = report["pools"]
    assert (pool["parameters"], report["connection"]) == ("trees=1", "connected")


def test_a_view_that_is_opened_later_is_told_a_later_time_though_nothing_has_changed(notebook):
    notebook.run("model = Forest(trees=7)\nmodel.vote.get_current_stats()\npanel = model.panel()")
    front = FrontEnd(notebook)
    first, second = (front.hello()["pools"][0] for _ in range(2))
    assert first["now"] < second["now"]
    assert second == {**first, "now": second["now"]}


def test_commands_act_and_what_is_refused_says_why(notebook):
    notebook.run(
        "model = Forest(trees=2)\npanel = model.panel()\nmodel.vote.remote(1)\nmodel.wait_for(state='idle')"
    )
    front = FrontEnd(notebook)
    (pool,) = front.hello()["pools"]
    number = pool["pool"]
    assert front.command(number, "update_autoscaler", min_containers=2) == ""
    notebook.run("model.wait_for(containers=2, state='idle')")
    assert "cannot be greater than" in front.command(number, "update_autoscaler", min_containers=3)
    assert "`max_containers` must be an int, not 'many'" in front.command(
        number, "update_autoscaler", max_containers="many"
    )
    assert "at max_containers=2" in front.command(number, "start_container")
    assert front.command(number, "update_autoscaler", min_containers=0, max_containers=None) == ""
    assert front.command(number, "start_container") == ""
    notebook.run("model.wait_for(containers=3, state='idle')")
    one, two, *_ = [c["id"] for c in front.hello()["pools"][0]["containers"] if c["state"] == "idle"]
    assert front.command(number, "kill_container", container=one) == ""
    assert front.command(number, "drain_container", container=two) == ""
    notebook.run("model.wait_for(containers=1)")
    causes = {c["id"]: c["cause"] for c in front.hello()["pools"][0]["containers"] if c["state"] == "dead"}
    assert causes == {one: "killed: somebody asked for it", two: "stopped: somebody asked for it"}
    assert front.command(number, "kill_container", container=one) == "this container has ended already"
    assert front.command(10**6, "start_container") == "this pool has ended"


def test_commands_and_differences_come_through_while_a_cell_awaits(notebook):
    notebook.run(
        "model = Forest(trees=3)\npanel = model.panel()\nmodel.vote.remote(1)\nmodel.wait_for(state='idle')"
    )
    front = FrontEnd(notebook)
    number = front.hello()["pools"][0]["pool"]
    asked = notebook.begin("print(await model.sleep.remote.aio(3))")
    front.next(lambda m: m.get("type") == "diff" and m["diff"].get("running") == 1)
    assert front.command(number, "update_autoscaler", min_containers=2) == ""
    front.next(
        lambda m: m.get("type") == "diff" and m["diff"].get("autoscaler", {}).get("min_containers") == 2
    )
    assert notebook.finish(asked)["status"] == "ok"


def test_differences_come_while_a_cell_blocks(notebook):
    notebook.run(
        "model = Forest(trees=4)\npanel = model.panel()\nmodel.vote.remote(1)\nmodel.wait_for(state='idle')"
    )
    front = FrontEnd(notebook)
    front.hello()
    asked = notebook.begin("model.sleep.remote(1)\nimport time\ntime.sleep(1)")
    front.next(lambda m: m.get("type") == "diff" and m["diff"].get("running") == 1)
    front.next(lambda m: m.get("type") == "diff" and m["diff"].get("running") == 0)
    assert notebook.finish(asked)["status"] == "ok"


def test_a_class_that_is_defined_anew_is_followed(notebook, tmp_path):
    notebook.run("panel = Forest.panel()\nold = Forest(trees=5)\nold.vote.remote(1)")
    gate = tmp_path / "gate"
    asked = notebook.begin(f"busy = Forest(trees=5).hold.spawn({str(gate)!r})")
    notebook.finish(asked)
    notebook.run(CLASS.replace("x * self.trees", "-x * self.trees"))
    assert notebook.value("Forest(trees=5).vote.remote(1)") == -5
    front = FrontEnd(notebook)

    def states():
        report = front.hello()
        return sorted(p["state"] for p in report["pools"] if p["parameters"] == "trees=5")

    until(lambda: states() == ["retired", "running"])
    gate.touch()
    notebook.run("busy.get()")
    until(lambda: states() == ["running"])
    # the cell that makes the app is run again, too: a new app of the same name
    notebook.run(DEFINE + "Forest(trees=5).vote.remote(1)")
    until(lambda: states() == ["running", "running"])


# -- which panels live ---------------------------------------------------------------------------------------------


def run_cell(notebook, cell, code):
    """As a front end with cell ids does it."""
    message = notebook.client.session.msg(
        "execute_request",
        {"code": code, "silent": False, "store_history": True, "user_expressions": {}, "allow_stdin": False},
        metadata={"cellId": cell},
    )
    notebook.client.shell_channel.send(message)
    notebook.finish(message["header"]["msg_id"])


def alive(notebook):
    code = "sum(type(w).__name__ == 'LivePanel' for w in __import__('ipywidgets').widgets.widget._instances.values())"
    return notebook.value(code)


def test_a_cell_that_is_run_again_closes_its_panels(notebook):
    before = alive(notebook)
    run_cell(notebook, "one", "first = Forest.panel()\nother = app.panel()")
    assert alive(notebook) == before + 2
    run_cell(notebook, "one", "second = Forest.panel()")
    assert alive(notebook) == before + 1
    run_cell(notebook, "two", "third = Forest.panel()\nForest(trees=1)")
    assert alive(notebook) == before + 3
    run_cell(notebook, "two", "pass")
    assert alive(notebook) == before + 1
    assert notebook.value("(first.comm, second.comm is None, third.comm)") == (None, False, None)


def test_a_closed_panel_that_is_shown_again_lives_again(notebook):
    notebook.run("panel = Forest.panel()\npanel.close()\npanel.close()")
    assert notebook.value("panel.comm is None")
    notebook.run("display(panel)")
    assert FrontEnd(notebook).hello()["connection"] == "connected"


def test_a_supervisor_that_is_killed_is_shown_and_comes_back(home, notebook):
    notebook.run(
        "model = Forest(trees=6)\npanel = model.panel()\nmodel.vote.remote(1)\nmodel.wait_for(state='idle')"
    )
    front = FrontEnd(notebook)
    front.hello()
    home.supervisor().kill()
    notebook.run(
        "model.wait_for(containers=0)\nmodel.vote.remote(1)\nmodel.wait_for(containers=1, state='idle')"
    )
    report = front.hello()
    assert report["connection"] == "connected"
    assert [c["state"] for c in report["pools"][0]["containers"]] == ["idle"]
    assert front.command(report["pools"][0]["pool"], "update_autoscaler", min_containers=1) == ""


def test_two_notebooks_see_their_own_apps(notebook, tmp_path):
    with Notebook(tmp_path) as other:
        other.run(DEFINE + "panel = app.panel()\nForest(trees=77).vote.remote(1)")
        own = [p["parameters"] for p in other.value("panel.state()['pools']")]
        assert own == ["trees=77"]
        assert "trees=77" not in [p["parameters"] for p in notebook.value("app.panel().state()['pools']")]


def test_without_the_extra_there_is_a_table(home, tmp_path):
    with Notebook(tmp_path) as plain:
        plain.run("import sys; sys.modules['anywidget'] = None")
        plain.run(DEFINE)
        assert plain.value("sorted(Forest(trees=1)._repr_mimebundle_()[0])") == ["text/html", "text/plain"]
        assert plain.value("type(Forest.panel()).__name__") == "Panel"


def test_a_command_by_jupyterlabs_own_thread_is_answered_while_a_cell_blocks(notebook):
    """JupyterLab sends comm messages to a subshell; ipykernel 7.4 would take them to the main thread instead."""
    notebook.run(
        "model = Forest(trees=8)\npanel = model.panel()\nmodel.vote.remote(1)\nmodel.wait_for(state='idle')"
    )
    front = FrontEnd(notebook)
    number = front.hello()["pools"][0]["pool"]
    control = notebook.client.control_channel
    control.send(notebook.client.session.msg("create_subshell_request"))
    subshell = control.get_msg(timeout=30)["content"]["subshell_id"]
    asked = notebook.begin(
        "import time\nend = time.monotonic() + 20\nwhile time.monotonic() < end: time.sleep(0.01)"
    )
    arguments = {"min_containers": 2}
    content = {
        "type": "command",
        "id": 1,
        "pool": number,
        "name": "update_autoscaler",
        "arguments": arguments,
    }
    data = {"method": "custom", "content": content}
    message = notebook.client.session.msg("comm_msg", {"comm_id": front.comm, "data": data})
    message["header"]["subshell_id"] = subshell
    notebook.client.shell_channel.send(message)
    front.next(
        lambda m: m.get("type") == "diff" and m["diff"].get("autoscaler", {}).get("min_containers") == 2
    )
    notebook.interrupt()
    with pytest.raises(CellFailed, match="KeyboardInterrupt"):
        notebook.finish(asked)
