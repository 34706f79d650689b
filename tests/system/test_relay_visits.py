"""Cells and debuggers in living containers, in JupyterLab 4: what they show and ask, and how they are left.

Pictures: out/screenshots.
"""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import expect

from tests.system.panel_page import ERROR, RUN_MS, NotebookPage

pytestmark = [
    pytest.mark.system,
    pytest.mark.timeout(200),
    pytest.mark.parametrize("front", ["lab"], indirect=True),
]

DEFINE = """
import os
import modal_nb as modal
app = modal.App("visited")

@app.cls(max_containers=1)
class {service}:
    @modal.enter()
    def load(self):
        self.size = 7

    @modal.method()
    def where(self):
        return os.environ["MODAL_TASK_ID"]

    @modal.method()
    def fail(self, hidden):
        secret = hidden * 2
        raise ValueError("no luck")

    @modal.method()
    def ask(self):
        while True:
            print("you said", input("again? "))

    @modal.method()
    def stop(self):
        size = self.size
        breakpoint()
        return size

model = {service}()
"""
SHOW = """%%container model
import ipywidgets
import matplotlib.pyplot as plt
from IPython.display import HTML
print("beside", type(self).__name__, "of size", self.size)
plt.figure(figsize=(4, 2))
plt.plot([0, 1, 4, 9])
plt.show()
slider, label = ipywidgets.IntSlider(0, 0, 10, description="size"), ipywidgets.Label("nothing yet")
slider.observe(lambda change: setattr(label, "value", f"size is {change['new']}"), "value")
display(ipywidgets.VBox([slider, label]))
HTML("<table><tr><th>name</th></tr><tr><td>ada</td></tr></table>")"""
ASK = """%%container model
self.size = int(input("size? "))
self.size"""
FAIL = """%%container model
wrong = self.size - self.size
1 / wrong"""


def test_a_cell_in_a_container_is_a_cell_like_any_other(pages: NotebookPage):
    define = DEFINE.format(service="Shown")
    pages.open(
        [
            define,
            "model.where.remote()",
            SHOW,
            ASK,
            FAIL,
            "%%container model\nprint('it turns')\nwhile True: pass",
            "model.where.remote()",
        ]
    )
    pages.run(0, 1, 2)
    shown = pages.output(2)
    expect(shown).to_contain_text("beside Shown of size 7")
    assert pages.image(2).evaluate("image => image.naturalWidth > 200 && image.naturalHeight > 100")
    expect(shown.get_by_role("cell", name="ada")).to_be_visible()
    track = shown.locator(".noUi-base")
    box = track.bounding_box()
    assert box
    # by its element, not by a place in the page: what stands above may still move it
    track.click(position={"x": 0.8 * box["width"], "y": box["height"] / 2})
    expect(shown).to_contain_text("size is 8", timeout=RUN_MS)
    pages.cell_picture("container_cell", 2)
    pages.begin(3)
    pages.answer(3, "size? ", "12")
    pages.finish(3)
    expect(pages.output(3).locator(".jp-OutputArea-output").last).to_have_text("12")
    pages.begin(4)
    pages.assert_fails(4, "ZeroDivisionError")
    error = pages.output(4).locator(ERROR)
    expect(error).to_contain_text("1 / wrong")
    expect(error).not_to_contain_text("modal_nb/")
    pages.begin(5)
    # an interrupt that comes before the kernel has the cell is lost
    expect(pages.output(5)).to_contain_text("it turns")
    pages.interrupt()
    pages.assert_interrupted(5)
    pages.cell_picture("container_cell_ends", 4)
    pages.run(6)
    expect(pages.output(6).locator(".jp-OutputArea-output").last).to_have_text(pages.result(1))


def test_debug_looks_at_the_frames_in_the_container(pages: NotebookPage):
    cells = [DEFINE.format(service="Debugged"), "model.where.remote()", "model.fail.remote(21)", "%debug"]
    pages.open([*cells, "model.where.remote()"])
    pages.run(0, 1)
    pages.begin(2)
    pages.assert_fails(2, "ValueError: no luck")
    expect(pages.output(2).locator(ERROR)).not_to_contain_text("modal_nb/")
    pages.begin(3)
    asked = pages.output(3).locator(".jp-Stdin-prompt")
    expect(asked).to_be_visible(timeout=RUN_MS)
    prompt = asked.inner_text()
    for words in ("p secret", "p self.size", "q"):
        pages.answer(3, prompt, words)
    pages.finish(3)
    expect(pages.output(3)).to_contain_text("raise ValueError")
    expect(pages.output(3)).to_contain_text(re.compile(r"p secret\s+42\s"))
    expect(pages.output(3)).to_contain_text(re.compile(r"p self\.size\s+7\s"))
    pages.cell_picture("debug", 3)
    pages.run(4)
    expect(pages.output(4).locator(".jp-OutputArea-output").last).to_have_text(pages.result(1))


def test_the_stop_button_ends_a_question_and_debuggers(pages: NotebookPage):
    cells = [
        "model.ask.remote()",
        "model.stop.remote()",
        "model.fail.remote(21)",
        "%debug",
        "model.where.remote()",
    ]
    pages.open([DEFINE.format(service="Asked"), "model.where.remote()", *cells])
    pages.run(0, 1)
    pages.begin(2)
    pages.answer(2, "again? ", "once")
    expect(pages.output(2)).to_contain_text("you said once")
    stop_asking(pages, 2, "again? ")
    pages.begin(3)
    pages.answer(3, "(Pdb) ", "p size")
    expect(pages.output(3)).to_contain_text(re.compile(r"p size\s+7\s"))
    stop_asking(pages, 3, "(Pdb) ")
    pages.begin(4)
    pages.assert_fails(4, "ValueError: no luck")
    pages.begin(5)
    pages.answer(5, "ipdb> ", "p secret")
    expect(pages.output(5)).to_contain_text(re.compile(r"p secret\s+42\s"))
    stop_asking(pages, 5, "ipdb> ")
    pages.cell_picture("questions_stopped", 5)
    pages.run(6)
    expect(pages.output(6).locator(".jp-OutputArea-output").last).to_have_text(pages.result(1))


def stop_asking(pages: NotebookPage, number: int, prompt: str) -> None:
    """Press the stop button instead of an answer. The box stays in the page, as that of a cell's own question does."""
    expect(pages.output(number).locator(".jp-Stdin-prompt").last).to_have_text(prompt, timeout=RUN_MS)
    pages.interrupt()
    pages.assert_interrupted(number)
