"""Cards in a real kernel: what is shown, of calls in every state, and that looking starts nothing."""

from __future__ import annotations

import html
import re

import nbformat
from nbclient import NotebookClient

DEFINE = """
import threading
import modal_nb as modal
app = modal.App("cards")

@app.cls(max_containers=1)
class Forest:
    trees: int = modal.parameter(default=100)
    @modal.method()
    def vote(self, x):
        if x < 0:
            raise ValueError("less than <b>nothing</b>\\nand more")
        return x
    @modal.method()
    def wait(self):
        threading.Event().wait()
    @modal.method()
    def die(self):
        import os
        os._exit(3)

@app.function()
def double(x):
    return 2 * x

def ended(call):
    try:
        call.get()
    except Exception:
        pass
    return call
"""
UNKNOWN = "modal.FunctionCall.from_id('fc-1a2b3c4d-1')"
LOOKS = ["Forest", "Forest().vote", "double", UNKNOWN]
CALLS = {
    "ended(Forest().vote.spawn(1))": "done",
    "ended(Forest().vote.spawn(-1))": "failed: ValueError: less than <b>nothing</b>",
    "ended(Forest().die.spawn())": "failed: ContainerCrashedError: 4 containers died while running Forest.die;",
    "waits = Forest().wait.spawn()\nwaits": "no result yet",
    "waits.cancel()\nwaits": "cancelled",
}


def run(*sources):
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(source) for source in sources])
    NotebookClient(notebook, timeout=60).execute()
    return {
        cell.source: {
            name: value for output in cell.outputs for name, value in output.get("data", {}).items()
        }
        for cell in notebook.cells
    }


def rows(data):
    found = re.findall(r"<th[^>]*>(.*?)</th><td[^>]*>(.*?)</td>", data["text/html"])
    return {heading: html.unescape(re.sub(r"</?bdi>", "", text)) for heading, text in found}


def test_looking_starts_nothing_and_shows_a_line_and_a_card(tmp_path, monkeypatch):
    fresh = tmp_path / "fresh"
    monkeypatch.setenv("MODAL_NB_HOME", str(fresh))
    looked = run(DEFINE, *LOOKS)
    assert not fresh.exists()
    lines = ["<Cls Forest of app 'cards'>", "<Function Forest.vote>", "<Function double>"]
    lines.append("<FunctionCall fc-1a2b3c4d-1>")
    for source, line in zip(LOOKS, lines, strict=True):
        assert set(looked[source]) == {"text/plain", "text/html"}
        assert looked[source]["text/plain"] == line
    assert rows(looked["Forest"])["methods"] == "vote(x)<br>wait()<br>die()"
    assert rows(looked["double"])["signature"] == "double(x)"
    assert rows(looked[UNKNOWN])["state"] == "not known here: .get() asks the supervisor"


def test_calls_show_how_far_they_are_and_a_running_class_its_panel(home):
    shown = run(DEFINE, *CALLS, "Forest")
    for source, state in CALLS.items():
        found = rows(shown[source])
        assert found["state"].startswith(state)
        assert found["method"].startswith("Forest.")
        assert re.fullmatch(r"spawned \d+ (seconds|minutes) ago", found["age"])
        assert re.fullmatch(r"<FunctionCall fc-\w+-\d+>", shown[source]["text/plain"])
        assert "<b>" not in shown[source]["text/html"]
    assert "application/vnd.jupyter.widget-view+json" in shown["Forest"]


def test_a_call_of_a_deployed_app_shows_what_the_supervisor_knows(home):
    calls = ["calls = modal.Function.from_name('cards', 'double').spawn(3)\ncalls.get()\ncalls"]
    shown = run(DEFINE, "app.deploy()", *calls)
    found = rows(shown[calls[0]])
    assert (found["method"], found["state"]) == ("double", "done")
    assert found["made"].endswith("kept by the supervisor")
    there = "modal.FunctionCall.from_id(" + repr(re.search(r"fc-\w+-\d+", str(shown))[0]) + ")"
    other = run(
        "import modal_nb as modal",
        there,
        "modal.Function.from_name('cards', 'double').remote(1)",
        there + " ",
    )
    assert rows(other[there])["state"] == "not known here: .get() asks the supervisor"
    assert rows(other[there + " "])["state"] == "done"
