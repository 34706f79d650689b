"""What code in containers shows, in JupyterLab 4 and Notebook 7: in the calling cell, as if it ran there.

Pictures: out/screenshots.
"""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import expect

from tests.system.lab import Lab
from tests.system.panel_page import RUN_MS, NotebookPage

pytestmark = [pytest.mark.system, pytest.mark.timeout(200)]

only_lab = pytest.mark.parametrize("front", ["lab"], indirect=True)

#: what waits does so until the gate is open: a file beside the notebook
DEFINE = """
import os, pathlib, sys, threading, time
import modal_nb as modal
app = modal.App("relay")
go = pathlib.Path("{gate}").resolve()

def wait_for(path):
    while not path.exists():
        time.sleep(0.01)

class Plain:
    def __repr__(self):
        return "a frame"
    def _repr_html_(self):
        return "<table><tr><th>name</th><th>count</th></tr><tr><td>ada</td><td>36</td></tr></table>"

@app.cls(max_containers=2)
class Model:
{methods}
model = Model()
"""


@pytest.fixture
def gate(pages: NotebookPage) -> str:
    return f"{pages.name.removesuffix('.ipynb')}.go"


def open_gate(lab: Lab, gate: str) -> None:
    (lab.folder / gate).touch()


def define(gate: str, methods: str) -> str:
    return DEFINE.format(gate=gate, methods="\n".join(f"    {line}" for line in methods.strip().splitlines()))


FIGURE = """
@modal.method()
def draw(self):
    import matplotlib.pyplot as plt
    plt.figure(figsize=(4, 2))
    plt.plot([0, 1, 4, 9])
    plt.title("drawn in a container")
"""


def test_a_figure(pages: NotebookPage, gate: str):
    pages.open([define(gate, FIGURE), "model.draw.remote()"])
    pages.run(0, 1)
    box = pages.image(1).bounding_box()
    assert box
    assert box["width"] > 200
    assert box["height"] > 100
    expect(pages.output(1)).to_have_text("")
    pages.cell_picture("figure", 1)


TOP = "from tqdm.auto import tqdm as above"
BARS = """
@modal.method()
def text(self, count):
    from tqdm import tqdm
    return sum(tqdm(range(count), mininterval=0, desc="text"))

@modal.method()
def widget(self, count):
    from tqdm.auto import tqdm
    return sum(tqdm(range(count), mininterval=0, desc="widget"))

@modal.method()
def top(self, count):
    return sum(above(range(count), mininterval=0, desc="top"))

@modal.method()
def notebook(self, count):
    from tqdm.notebook import tqdm
    return sum(tqdm(range(count), mininterval=0, desc="notebook"))
"""


def test_tqdm(pages: NotebookPage, gate: str):
    cells = [f"model.{name}.remote(200)" for name in ("text", "top", "widget", "notebook")]
    pages.open([f"{TOP}\n{define(gate, BARS)}", *cells])
    pages.run(0, 1, 2, 3, 4)
    bar = re.compile(r"^\s*text: 100%\|█+\| 200/200 \[.*\]\s*$")
    expect(pages.output(1).locator(".jp-OutputArea-output")).to_have_text([bar, "19900"])
    for number, name in ((2, "top"), (3, "widget"), (4, "notebook")):
        output = pages.output(number)
        expect(output.locator(".progress-bar")).to_have_attribute("style", re.compile(r"width: 100%"))
        expect(output).to_contain_text(f"{name}: 100%")
        expect(output).to_contain_text("200/200")
    pages.cell_picture("tqdm", 2)


RICH = """
@modal.method()
def say(self):
    import rich
    from rich.progress import track
    from rich.table import Table
    rich.print("[bold green]fitted[/] in [cyan]3[/] steps")
    table = Table("name", "count", title="words")
    table.add_row("ada", "36")
    rich.print(table)
    for _ in track(range(50), "tracked"):
        pass
    display(Plain())
"""


@only_lab
def test_rich_and_html(pages: NotebookPage, gate: str):
    pages.open([define(gate, RICH), "model.say.remote()"])
    pages.run(0, 1)
    output = pages.output(1)
    expect(output.locator("span", has_text="fitted").first).to_have_css("font-weight", re.compile("bold|700"))
    expect(output).to_contain_text(re.compile("ada +│ 36"))
    expect(output).to_contain_text(re.compile("tracked ━+ 100%"))
    expect(output.get_by_role("cell", name="ada")).to_be_visible()
    expect(output).not_to_contain_text("a frame")
    pages.cell_picture("rich", 1)


LATE = """
@modal.method()
def begin(self):
    def go_on():
        wait_for(go)
        print("said late")
    threading.Thread(target=go_on).start()
    print("said in time")
"""


@only_lab
def test_a_thread_that_goes_on_prints_into_its_cell(pages: NotebookPage, gate: str):
    pages.open([define(gate, LATE), "model.begin.remote()", "print('another cell')"])
    pages.run(0, 1, 2)
    expect(pages.output(1)).to_have_text("said in time")
    open_gate(pages.lab, gate)
    expect(pages.output(1)).to_have_text(re.compile(r"said in time\s+said late"), timeout=RUN_MS)
    expect(pages.output(2)).to_have_text("another cell")
    pages.cell_picture("late", 1)


TWO = """
@modal.method()
def speak(self, name):
    print(name, "begins")
    wait_for(go)
    print(name, "ends")
    display(Plain())
"""


@only_lab
def test_lines_of_two_containers_have_labels(pages: NotebookPage, gate: str):
    pages.open([define(gate, TWO), "for _ in model.speak.map('ab'): pass"])
    pages.run(0)
    pages.begin(1)
    for name in "ab":
        expect(pages.output(1)).to_contain_text(f"{name} begins", timeout=RUN_MS)
    open_gate(pages.lab, gate)
    pages.finish(1)
    for name in "ab":
        expect(pages.output(1)).to_contain_text(f"{name} ends")
    text = pages.output(1).inner_text()
    labels = {name: re.findall(rf"^\((ct-\S+)\) {name} ends$", text, re.MULTILINE) for name in "ab"}
    assert len(labels["a"]) == len(labels["b"]) == 1
    assert labels["a"] != labels["b"]
    pages.cell_picture("two", 1)


SLOW = """
@modal.method()
def work(self, x):
    if x >= 12:
        wait_for(go)
    if x == 20:
        raise ValueError("twenty")
    return x
"""
MAP = "found = list(model.work.map(range(40), return_exceptions=True))"


@pytest.fixture
def _theme(lab: Lab):
    yield
    lab.choose("themes")


@only_lab
@pytest.mark.usefixtures("_theme")
@pytest.mark.parametrize("theme", ["Light", "Dark"])
def test_the_progress_of_a_map(pages: NotebookPage, gate: str, theme: str):
    pages.lab.choose("themes", theme=f"JupyterLab {theme}")
    pages.open([define(gate, SLOW), MAP])
    pages.run(0)
    pages.begin(1)
    bar = pages.output(1).get_by_role("progressbar")
    expect(bar).to_have_js_property("position", 12 / 40, timeout=RUN_MS)
    expect(pages.output(1)).to_contain_text("Model.work.map: 12 of 40 done")
    pages.cell_picture(f"map_{theme.lower()}", 1)
    open_gate(pages.lab, gate)
    pages.finish(1)
    expect(bar).to_have_js_property("position", 1)
    expect(pages.output(1)).to_contain_text("Model.work.map: 40 done, 1 failed, in ")
    pages.cell_picture(f"map_{theme.lower()}_over", 1)


HOSTILE = r"""
@modal.method()
def say(self):
    print(EVIL)
    print(EVIL, file=sys.stderr)
    display({"text/plain": EVIL}, raw=True)
    print("\x1b[31mred\x1b[0m \x1b]0;title\x07\x1b[2J\x1b]8;;javascript:alert(7)\x07link\x1b]8;;\x07")
    return Evil()

@modal.method()
def ask(self):
    return input(EVIL)

@modal.method()
def fail(self):
    raise ValueError(EVIL)
"""
EVIL = """
EVIL = '<img src=x onerror="pwned=1;alert(1)"><script>pwned=1;alert(2)</script><b>bold</b>'

class Evil:
    def __repr__(self):
        return EVIL

"""
BEGIN = "<img src=x onerror="


@only_lab
def test_text_of_containers_stays_text(pages: NotebookPage, gate: str):
    cells = ["model.say.remote()", "model.ask.remote()", "model.fail.remote()"]
    pages.open([EVIL + define(gate, HOSTILE), *cells])
    pages.run(0, 1)
    expect(pages.output(1).get_by_text(BEGIN)).to_have_count(4)
    expect(pages.output(1).locator(".ansi-red-fg", has_text="red")).to_be_visible()
    pages.begin(2)
    expect(pages.output(2).locator(".jp-Stdin-prompt")).to_contain_text(BEGIN, timeout=RUN_MS)
    box = pages.output(2).locator(".jp-Stdin input")
    box.fill("<img src=x onerror=alert(3)>")
    box.press("Enter")
    pages.finish(2)
    pages.begin(3)
    pages.assert_fails(3, f"ValueError: {BEGIN}")
    for number in (1, 2, 3):
        expect(
            pages.output(number).locator("img, script, b, iframe, [onerror], [href^=javascript]")
        ).to_have_count(0)
    assert pages.page.evaluate("globalThis.pwned ?? null") is None
    pages.cell_picture("hostile", 1)
