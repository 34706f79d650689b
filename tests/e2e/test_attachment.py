"""``obj.attach()``: a living container is a kernel that any Jupyter client, server and debugger can use."""

from __future__ import annotations

import queue
from itertools import count
from pathlib import Path

import pytest
from jupyter_client.blocking.client import BlockingKernelClient

from tests.e2e.home import until
from tests.e2e.notebook import WAIT, CellFailed, Notebook

SET_UP = """
import modal_nb as modal

app = modal.App("attached")

@app.cls(max_containers=1)
class Model:
    @modal.enter()
    def load(self):
        self.size = 7

    @modal.method()
    def double(self, x):
        hidden = x + self.size
        return hidden * 2

    @modal.method()
    def stop(self):
        breakpoint()
        return helper(1)

model = Model()
"""
HELPER = """
def helper(x):
    return x + 1
"""


@pytest.fixture(scope="module")
def runtime(tmp_path_factory):
    return tmp_path_factory.mktemp("runtime")


@pytest.fixture(scope="module")
def notebook(home, runtime, tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("JUPYTER_RUNTIME_DIR", str(runtime))
        notebook = Notebook(tmp_path_factory.mktemp("attachment"))
    with notebook:
        notebook.run(HELPER)
        notebook.run(SET_UP)
        yield notebook


def test_where_nothing_runs_attach_says_what_to_do(notebook):
    with pytest.raises(CellFailed, match=r"has no container that serves: call a method of it first"):
        notebook.run("model.attach()")


def test_a_client_finds_the_live_object(notebook):
    notebook.run("model.double.remote(1); attachment = model.attach()")
    code = "'shown = ' + repr(self.size)"
    text = f"with attachment.client() as client:\n    client.execute_interactive({f'print({code})'!r})"
    assert "shown = 7" in notebook.run(text)
    line = notebook.value("repr(attachment)")
    assert line.startswith("<attached to ct-")
    assert "jupyter console --existing" in line


def test_jupyter_servers_find_it_until_it_is_detached_or_ends(notebook, runtime):
    published = Path(notebook.value("model.attach().published"))
    assert published.parent == runtime / "external_kernels"
    assert published.stat().st_mode & 0o777 == 0o600
    assert '"kernel_name": "Model ct-' in published.read_text(encoding="utf-8")
    notebook.run("model.attach().detach()")
    assert not published.is_symlink()
    notebook.run("again = Model.with_options(timeout=9)(); again.double.remote(1)")
    other = Path(notebook.value("again.attach().published"))
    assert other.exists()
    notebook.run("import os; container = again.attach().container")
    notebook.run(
        "import subprocess, sys; subprocess.run([sys.executable, '-m', 'modal_nb.cli', 'container', 'kill', container])"
    )
    until(lambda: not other.exists())
    assert notebook.value("os.path.basename(model.attach().published)").startswith("modal_nb-ct-")
    assert not other.is_symlink()


@pytest.mark.parametrize(
    ("call", "said"),
    [
        ("model.attach('ct-99-nobody')", "has no container ct-99-nobody that serves"),
        ("Model.with_options(timeout=5)().attach()", "has no container that serves"),
    ],
)
def test_containers_that_are_not_there_get_a_sentence(notebook, call, said):
    with pytest.raises(CellFailed, match=said):
        notebook.run(call)


class Debugger:
    """A front end of the container's debugger: DAP in Jupyter's control messages."""

    def __init__(self, connection_file):
        self.client = BlockingKernelClient(connection_file=connection_file)
        self.client.load_connection_file()
        self.client.start_channels()
        self.client.wait_for_ready(timeout=WAIT)
        self._numbers = count(1)

    def begin(self):
        self.ask("initialize", clientID="test", adapterID="python", pathFormat="path", linesStartAt1=True)
        self.ask("attach")

    def ask(self, command, **arguments):
        said = {"type": "request", "seq": next(self._numbers), "command": command, "arguments": arguments}
        message = self.client.session.msg("debug_request", said)
        self.client.control_channel.send(message)
        while True:
            reply = self.client.control_channel.get_msg(timeout=WAIT)
            if reply["parent_header"].get("msg_id") == message["header"]["msg_id"]:
                assert reply["content"].get("success", True), reply["content"]
                return reply["content"].get("body", {})

    def await_stop(self):
        while True:
            message = self.client.get_iopub_msg(timeout=WAIT)
            if message["msg_type"] == "debug_event" and message["content"]["event"] == "stopped":
                return message["content"]["body"]["threadId"]


def test_a_breakpoint_in_a_method_of_a_cell_is_hit_by_an_ordinary_call(notebook):
    notebook.run("model.double.remote(1); import inspect; attachment = model.attach()")
    file = notebook.value("inspect.getsourcefile(model.double.__wrapped__)")
    line = notebook.value("inspect.getsourcelines(model.double.__wrapped__)[1]") + 3
    debugger = Debugger(notebook.value("attachment.connection_file"))
    debugger.begin()
    places = debugger.ask("setBreakpoints", source={"path": file}, breakpoints=[{"line": line}])
    assert [place["verified"] for place in places["breakpoints"]] == [True]
    debugger.ask("configurationDone")
    assert "def double(self, x):" in debugger.ask("source", source={"path": file})["content"]
    cells = [one for one in debugger.ask("modules")["modules"] if "(cell" in one["name"]]
    assert ("Model (cell", file) in [(one["name"][:11], one["path"]) for one in cells]
    assert {one["name"].partition(" (")[0] for one in cells} == {"Model", "helper"}
    asked = notebook.begin("answer = model.double.remote(20)")
    thread = debugger.await_stop()
    frame = debugger.ask("stackTrace", threadId=thread)["stackFrames"][0]
    assert (frame["name"], frame["line"], frame["source"]["path"]) == ("double", line, file)
    scope = debugger.ask("scopes", frameId=frame["id"])["scopes"][0]
    found = debugger.ask("variables", variablesReference=scope["variablesReference"])["variables"]
    assert ("hidden", "27") in [(one["name"], one["value"]) for one in found]
    debugger.ask("continue", threadId=thread)
    notebook.finish(asked)
    debugger.ask("disconnect", restart=False)
    with pytest.raises(queue.Empty):
        while True:
            debugger.client.get_iopub_msg(timeout=0)
    debugger.client.stop_channels()
    assert notebook.value("answer") == 54


def test_breakpoint_stops_for_the_front_end_that_is_attached(notebook):
    notebook.run("model.double.remote(1)")
    debugger = Debugger(notebook.value("model.attach().connection_file"))
    debugger.begin()
    debugger.ask("configurationDone")
    asked = notebook.begin("answer = model.stop.remote()")
    thread = debugger.await_stop()
    assert debugger.ask("stackTrace", threadId=thread)["stackFrames"][0]["name"] == "stop"
    debugger.ask("continue", threadId=thread)
    notebook.finish(asked)
    debugger.ask("disconnect", restart=False)
    debugger.client.stop_channels()
    assert notebook.value("answer") == 2
