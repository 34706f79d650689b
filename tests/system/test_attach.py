"""JupyterLab on a container: a console in its kernel, and the debugger at a line of a cell while an input runs."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.system.panel_page import OPEN_MS, PICTURES, PRESSES, TAKEN_MS, NotebookPage

pytestmark = [pytest.mark.system, pytest.mark.timeout(200)]

DEFINE = """import modal_nb as modal

app = modal.App("{name}")

@app.cls(max_containers=1)
class {name}:
    @modal.method()
    def double(self, x):
        hidden = x + 1
        return hidden * 2

model = {name}()"""
CALL = """import pathlib, time
while not pathlib.Path("{gate}").exists(): time.sleep(0.05)
model.double.remote(20)"""
#: the line of the cell with the return
LINE = 10


@pytest.fixture
def front() -> str:
    return "lab"


def console_of(pages: NotebookPage, name: str) -> Locator:
    """What a person does: find the kernel among those that run, and ask for a console."""
    page = pages.page
    page.get_by_role("tab", name="Running Terminals and Kernels").click()
    kernels = page.locator("#jp-running-sessions")
    expect(kernels.get_by_text(re.compile(f"^{name} ct-"))).to_be_visible(timeout=OPEN_MS)
    kernels.get_by_text("No sessions connected").click(button="right")
    page.get_by_role("menuitem", name="New Console for Kernel").click()
    console = page.locator(".jp-CodeConsole")
    expect(console.get_by_text("An enhanced Interactive Python")).to_be_visible(timeout=OPEN_MS)
    return console


def editor(page: Page) -> Locator:
    """What lies open in the main area."""
    return page.locator(".lm-DockPanel-widget:not(.lm-mod-hidden)")


def debug(page: Page, source: Locator) -> None:
    """Switch the console's debugger on; one that has just been opened ignores that, so until the source is listed."""
    bug = page.locator(".jp-ConsolePanel .jp-DebuggerBugButton")
    for _ in range(PRESSES):
        bug.evaluate("button => button.ariaPressed === 'true' || button.click()")
        try:
            expect(source).to_be_visible(timeout=TAKEN_MS)
        except AssertionError:
            continue
        return
    raise AssertionError("the debugger lists no source")


#: a click beside a line, unless there is a breakpoint: a second click would take it away again
CLICK = """element => {
    if (document.querySelector("#jp-debugger-sidebar .jp-DebuggerBreakpoint")) return;
    const box = element.getBoundingClientRect();
    const [clientX, clientY] = [box.x + box.width / 2, box.y + box.height / 2];
    for (const kind of ["mousedown", "mouseup", "click"])
        element.dispatchEvent(new MouseEvent(kind, {bubbles: true, cancelable: true, clientX, clientY}));
}"""


def mark(page: Page, line: int) -> None:
    """Click a breakpoint; a source that has just been opened ignores the click, so click until it is taken."""
    marks = page.locator("#jp-debugger-sidebar .jp-DebuggerBreakpoint")
    for _ in range(PRESSES):
        editor(page).locator(".cm-breakpoint-gutter .cm-gutterElement").nth(line).evaluate(CLICK)
        try:
            expect(marks).to_have_count(1, timeout=TAKEN_MS)
        except AssertionError:
            continue
        return
    raise AssertionError(f"no breakpoint at line {line}")


def picture(pages: NotebookPage, name: str) -> None:
    PICTURES.mkdir(parents=True, exist_ok=True)
    pages.page.screenshot(path=PICTURES / f"attach_{name}.png")


def test_a_console_sees_the_live_object(pages: NotebookPage):
    pages.open([DEFINE.format(name="Seen"), "model.double.remote(1)", "model.attach()"])
    pages.run(0, 1, 2)
    expect(pages.cell(2).get_by_text("<attached to ct-")).to_be_visible()
    console = console_of(pages, "Seen")
    console.locator(".jp-CodeConsole-input .cm-content").click()
    pages.page.keyboard.type("self.double.local(4)")
    pages.page.keyboard.press("Shift+Enter")
    expect(console.locator(".jp-OutputArea-output", has_text="10").last).to_be_visible(timeout=OPEN_MS)
    picture(pages, "console")


def test_the_debugger_stops_at_a_line_of_a_cell_while_an_input_runs(pages: NotebookPage):
    """The cell has begun before the debugger is on, and calls when the breakpoint is there: with each change to another
    tab JupyterLab's debugger turns to that one's kernel and back, and a click meanwhile goes to either of them.
    """
    page = pages.page
    gate = pages.lab.folder / f"{pages.name}.go"
    cells = [
        DEFINE.format(name="Stopped"),
        "model.double.remote(1)",
        "model.attach()",
        CALL.format(gate=gate.name),
    ]
    pages.open(cells)
    pages.run(0, 1, 2)
    pages.begin(3)
    console_of(pages, "Stopped")
    sidebar = page.locator("#jp-debugger-sidebar")
    source = sidebar.get_by_text("Stopped (cell ")
    debug(page, source)
    source.dblclick()
    expect(editor(page).get_by_text("def double(self, x):")).to_be_visible(timeout=OPEN_MS)
    mark(page, LINE)
    gate.touch()
    stopped = editor(page).locator(".jp-DebuggerEditor-highlight")
    expect(stopped).to_have_text("        return hidden * 2", timeout=OPEN_MS)
    variables = sidebar.locator(".jp-DebuggerVariables")
    expect(variables.get_by_text("hidden")).to_be_visible(timeout=OPEN_MS)
    expect(variables.get_by_text("21", exact=True)).to_be_visible(timeout=OPEN_MS)
    picture(pages, "debugger")
    sidebar.locator("[data-command='debugger:continue']").first.click()
    pages.finish(3)
    page.locator(".lm-TabBar-tabLabel", has_text=pages.name).click()
    expect(pages.cell(3).locator(".jp-OutputArea-output").last).to_have_text("42")
