"""What a person does to code that runs in a container: moves its widgets, stops it, answers it, debugs it."""

from __future__ import annotations

import os
import re
import signal

import pytest
from playwright.sync_api import Locator, expect

from tests.e2e.home import until
from tests.system.lab import Lab, status
from tests.system.panel_page import RUN_MS, NotebookPage

pytestmark = [pytest.mark.system, pytest.mark.timeout(200)]

only_lab = pytest.mark.parametrize("front", ["lab"], indirect=True)

DEFINE = """
import os, secrets, time
import modal_nb as modal
app = modal.App("answers")

@app.cls(max_containers=2)
class {service}:
    @modal.enter()
    def load(self):
        self.token = secrets.token_hex()

    @modal.method()
    def tell(self, _=None):
        return self.token

    @modal.method()
    def wait(self, name):
        print(name, "waits")
        while True:
            time.sleep(0.01)

    @modal.method()
    def ask(self):
        import getpass
        name = input("your name? ")
        word = getpass.getpass("your word? ")
        return f"{{name}} has {{len(word)}} letters"

    @modal.method()
    def debug(self, x):
        doubled = 2 * x
        breakpoint()
        return doubled + 1

    @modal.method()
    def browse(self):
        import ipywidgets
        slider = ipywidgets.IntSlider(5, 0, 10, description="size")
        label = ipywidgets.Label("nothing yet")
        slider.observe(lambda change: setattr(label, "value", f"size is {{change['new']}}"), "value")
        display(ipywidgets.VBox([slider, label]))

model = {service}()
"""


@pytest.fixture
def define(request, front: str) -> str:
    return DEFINE.format(service=service_of(request, front))


@pytest.fixture
def service(request, front: str) -> str:
    return service_of(request, front)


def service_of(request, front: str) -> str:
    """A class for each test: they share a supervisor."""
    return request.node.originalname.removeprefix("test_").title().replace("_", "")[:16] + front.title()


def press(output: Locator, key: str) -> None:
    """On the handle of the slider."""
    output.locator(".noUi-handle").press(key)


@only_lab
def test_a_slider_moves_a_label_until_its_container_is_gone(pages: NotebookPage, define: str, service: str):
    pages.open([define, "model.browse.remote()", "model.tell.remote()"])
    pages.run(0, 1)
    output = pages.output(1)
    expect(output.locator(".noUi-handle")).to_be_visible()
    press(output, "ArrowRight")
    expect(output).to_contain_text("size is 6", timeout=RUN_MS)
    press(output, "ArrowRight")
    expect(output).to_contain_text("size is 7", timeout=RUN_MS)
    pages.cell_picture("slider", 1)
    (container,) = status(pages.lab, service)["containers"]
    os.kill(container["pid"], signal.SIGKILL)
    await_no_containers(pages.lab, service)
    press(output, "ArrowRight")
    sentence = re.compile(
        rf"\[{container['id']} has ended, so its widgets answer no more: run the cell again\]"
    )
    expect(output.get_by_text(sentence)).to_be_visible(timeout=RUN_MS)
    press(output, "ArrowLeft")
    press(output, "ArrowLeft")
    pages.run(2)
    expect(output.get_by_text(sentence)).to_have_count(1)
    expect(output).to_contain_text("size is 7")
    pages.cell_picture("slider_gone", 1)
    pages.run(1)
    press(output, "ArrowLeft")
    expect(output).to_contain_text("size is 4", timeout=RUN_MS)
    expect(output.get_by_text(sentence)).to_have_count(0)


def test_the_stop_button_ends_a_call_and_keeps_its_container(pages: NotebookPage, define: str):
    cells = [define, "model.tell.remote()", "model.wait.remote('it')", "model.tell.remote()"]
    pages.open(cells)
    pages.run(0, 1)
    pages.begin(2)
    expect(pages.output(2)).to_contain_text("it waits", timeout=RUN_MS)
    pages.interrupt()
    pages.assert_interrupted(2)
    pages.cell_picture("interrupt", 2)
    pages.run(3)
    assert pages.result(3) == pages.result(1)


def test_the_stop_button_ends_a_map_and_keeps_its_containers(pages: NotebookPage, define: str, service: str):
    cells = [define, "list(model.wait.map('abcd'))", "list(model.tell.map(range(2)))"]
    pages.open(cells)
    pages.run(0)
    pages.begin(1)
    for name in "ab":
        expect(pages.output(1)).to_contain_text(f"{name} waits", timeout=RUN_MS)
    expect(pages.output(1).get_by_role("progressbar")).to_be_visible(timeout=RUN_MS)
    before = {one["id"] for one in status(pages.lab, service)["containers"]}
    pages.interrupt()
    pages.assert_interrupted(1)
    expect(pages.output(1)).to_contain_text(".wait.map: 0 of 4 done, stopped after")
    pages.cell_picture("interrupt_map", 1)
    pages.run(2)
    assert pages.result(2).count("'") == 4
    assert {one["id"] for one in status(pages.lab, service)["containers"]} == before


def test_input_and_getpass(pages: NotebookPage, define: str):
    pages.open([define, "model.ask.remote()"])
    pages.run(0)
    pages.begin(1)
    pages.answer(1, "your name? ", "Ada")
    expect(pages.output(1).locator("input[type=password]")).to_be_visible(timeout=RUN_MS)
    pages.cell_picture("input", 1)
    pages.answer(1, "your word? ", "secret")
    pages.finish(1)
    expect(pages.output(1)).to_contain_text("Ada has 6 letters")
    expect(pages.output(1)).not_to_contain_text("secret")
    pages.cell_picture("input_over", 1)


@only_lab
def test_breakpoint(pages: NotebookPage, define: str):
    pages.open([define, "model.debug.remote(20)"])
    pages.run(0)
    pages.begin(1)
    pages.answer(1, "(Pdb) ", "p doubled")
    pages.answer(1, "(Pdb) ", "doubled = 41")
    pages.answer(1, "(Pdb) ", "c")
    pages.finish(1)
    output = pages.output(1)
    expect(output).to_contain_text(
        re.compile(r"-> (breakpoint\(\)|return doubled \+ 1)")
    )  # Python's own place
    expect(output).to_contain_text(re.compile(r"\b40\b"))
    expect(output.locator(".jp-OutputArea-executeResult")).to_contain_text("42")
    pages.cell_picture("breakpoint", 1)


def await_no_containers(lab: Lab, service: str) -> None:
    """The supervisor has seen the end of them."""
    until(lambda: not status(lab, service)["containers"])
