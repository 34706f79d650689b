"""Cells and debuggers in living containers: ``%%container``, ``%debug`` after a remote exception, ``%modal``."""

from __future__ import annotations

import re

import pytest

from tests.e2e.home import until
from tests.e2e.notebook import CellFailed, Notebook, shown

COLOURS = re.compile(r"\x1b\[[\d;]*m")
SET_UP = """
import asyncio, os, time
from pathlib import Path
import modal_nb as modal

app = modal.App("visited")

@app.cls(max_containers=1)
class Model:
    @modal.enter()
    def load(self):
        self.size = 7

    @modal.method()
    def where(self):
        return os.environ["MODAL_TASK_ID"]

    @modal.method()
    def get(self, name):
        return getattr(self, name)

    @modal.method()
    def wait_for(self, gate):
        Path(gate + ".began").touch()
        while not Path(gate).exists():
            time.sleep(0.005)

    @modal.method()
    def fail(self, hidden):
        secret = hidden * 2
        raise ValueError("no luck")

model = Model()
"""


@pytest.fixture(scope="module")
def notebook(home, tmp_path_factory):
    with Notebook(tmp_path_factory.mktemp("visits")) as notebook:
        notebook.run(SET_UP)
        notebook.run("here = model.where.remote()")
        yield notebook


def text_of(messages):
    return COLOURS.sub("", "".join(words for kind, words in shown(messages) if kind in {"stdout", "stderr"}))


def test_a_cell_runs_beside_the_object_that_serves(notebook):
    messages = notebook.messages(
        "%%container model\nprint(self.size)\nself.size = 8\nkept = 1\nself.size + kept"
    )
    assert shown(messages) == [("stdout", "7\n"), ("display_data", {"text/plain": "9"})]
    assert notebook.value("model.get.remote('size')") == 8
    assert shown(notebook.messages("%%container Model\nkept"))[0][1] == {"text/plain": "1"}
    assert notebook.value("model.where.remote() == here")


def test_a_cell_may_await(notebook):
    code = "%%container model\nimport asyncio\nawait asyncio.sleep(0)\nprint('slept')"
    assert text_of(notebook.messages(code)) == "slept\n"


def test_what_a_cell_raises_is_raised_with_its_lines(notebook):
    with pytest.raises(CellFailed) as failed:
        notebook.run("%%container model\nself.size\n1 / 0")
    assert failed.value.name == "ZeroDivisionError"
    assert "1 / 0" in COLOURS.sub("", failed.value.traceback)
    assert "modal_nb/" not in failed.value.traceback
    assert notebook.value("model.where.remote() == here")


def test_a_cell_in_a_busy_container_waits_and_an_interrupt_ends_the_wait(notebook, tmp_path):
    gate = str(tmp_path / "gate")
    notebook.run(f"waiting = model.wait_for.spawn({gate!r})")
    until((tmp_path / "gate.began").exists)
    asked = notebook.begin_for_interrupt("get_ipython().run_cell_magic('container', 'model', 'pass')")
    notebook.interrupt()
    with pytest.raises(CellFailed) as ended:
        notebook.finish(asked)
    assert ended.value.name == "KeyboardInterrupt"
    asked = notebook.begin("%%container model\nself.visited = 'in'")
    (tmp_path / "gate").touch()
    notebook.finish(asked)
    assert notebook.value("(waiting.get(), model.get.remote('visited'))") == (None, "in")


def test_an_interrupt_ends_the_cell_and_not_the_container(notebook, tmp_path):
    began = tmp_path / "began"
    code = f"from pathlib import Path\nPath({str(began)!r}).touch()\nwhile True: pass"
    asked = notebook.begin(f"%%container model\n{code}")
    until(began.exists)
    notebook.interrupt()
    with pytest.raises(CellFailed) as ended:
        notebook.finish(asked)
    assert ended.value.name == "KeyboardInterrupt"
    assert notebook.value("model.where.remote() == here")


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("%%container 3", "3 has no containers"),
        ("%%container ct-99-nobody", "ct-99-nobody is no container"),
        ("%%container Model.with_options(timeout=9)()", "has no container that serves"),
        ("%%container model -c ct-0-x", "has no container ct-0-x"),
        ("%modal import Model", "is not understood"),
        ("%modal from nowhere import Model", "nowhere"),
    ],
)
def test_what_is_typed_wrong_gets_a_sentence(notebook, line, said):
    with pytest.raises(CellFailed) as failed:
        notebook.run(f"{line}\n1" if line.startswith("%%") else line)
    assert said in COLOURS.sub("", failed.value.message)


def test_names_of_the_container_are_completed(notebook):
    notebook.run("%%container model\nfar_away_name = 1")
    code = "%%container model\nfar_aw"
    reply = notebook.client.complete(code, len(code), reply=True, timeout=30)
    assert "far_away_name" in reply["content"]["matches"]


def test_debug_looks_at_the_live_frames_and_the_pool_does_without_the_container(notebook):
    with pytest.raises(CellFailed):
        notebook.run("model.fail.remote(21)")
    messages = notebook.messages("%debug", ["p secret", "p self.size", "w", "q"])
    text = text_of(messages)
    assert "42" in text
    assert "raise ValueError" in text
    assert "modal_nb/" not in text
    assert notebook.value("model.where.remote() == here")


def test_debug_of_an_exception_of_this_process_is_as_ever(notebook):
    with pytest.raises(CellFailed):
        notebook.run("local = 5\n1 / 0")
    assert "ZeroDivisionError" not in text_of(notebook.messages("%debug", ["p local", "q"]))


def test_deployed_classes_are_imported_by_name(notebook):
    notebook.run("app.deploy()")
    notebook.run("%modal from visited import Model as Far")
    assert notebook.value("type(Far).__name__") == "Cls"
