"""JupyterLab on a container: a console in its kernel, and the debugger at a line of a cell while an input runs."""

from __future__ import annotations

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
#: the line of the cell with the return
LINE = 10


@pytest.fixture
def front() -> str:
    return "lab"


def window_beside(pages: NotebookPage) -> Page:
    """JupyterLab without the notebook. Its one debugger turns to the kernel of each notebook or console that comes to
    the front; what another kernel says meanwhile is lost, and variables that it was asked for never come.
    """
    page = pages.page.context.new_page()
    page.goto(f"{pages.lab.url}lab/workspaces/beside?token={pages.lab.token}")
    return page


def console_of(page: Page, name: str) -> Locator:
    """What a person does: find the kernel among those that run, and ask for a console."""
    page.get_by_role("tab", name="Running Terminals and Kernels").click()
    kernel = page.locator("#jp-running-sessions").get_by_role("treeitem").filter(has_text=f"{name} ct-")
    expect(kernel).to_be_visible(timeout=OPEN_MS)
    kernel.get_by_text("No sessions connected").click(button="right")
    page.get_by_role("menuitem", name="New Console for Kernel").click()
    console = page.locator(".jp-CodeConsole")
    expect(console.get_by_text("An enhanced Interactive Python")).to_be_visible(timeout=OPEN_MS)
    return console


def editor(page: Page) -> Locator:
    """What lies open in the main area."""
    return page.locator(".lm-DockPanel-widget:not(.lm-mod-hidden)")


#: a click beside a line that has no breakpoint yet: a second one would take it away
CLICK = """element => {
    if (element.childElementCount) return;
    const box = element.getBoundingClientRect();
    const [clientX, clientY] = [box.x + box.width / 2, box.y + box.height / 2];
    element.dispatchEvent(new MouseEvent("mousedown", {bubbles: true, cancelable: true, clientX, clientY}));
}"""


def mark(page: Page, line: int) -> None:
    """Click a breakpoint; a source that has just been opened ignores the click, so click until it is taken."""
    place = editor(page).locator(".cm-breakpoint-gutter .cm-gutterElement").nth(line)
    marks = page.locator("#jp-debugger-sidebar .jp-DebuggerBreakpoint")
    for _ in range(PRESSES):
        place.evaluate(CLICK)
        try:
            expect(marks).to_have_count(1, timeout=TAKEN_MS)
        except AssertionError:
            continue
        return
    raise AssertionError(f"no breakpoint at line {line}")


def picture(page: Page, name: str) -> None:
    PICTURES.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=PICTURES / f"attach_{name}.png")


def test_a_console_sees_the_live_object(pages: NotebookPage):
    pages.open([DEFINE.format(name="Seen"), "model.double.remote(1)", "model.attach()"])
    pages.run(0, 1, 2)
    expect(pages.cell(2).get_by_text("<attached to ct-")).to_be_visible()
    console = console_of(pages.page, "Seen")
    console.locator(".jp-CodeConsole-input .cm-content").click()
    pages.page.keyboard.type("self.double.local(4)")
    pages.page.keyboard.press("Shift+Enter")
    expect(console.locator(".jp-OutputArea-output", has_text="10").last).to_be_visible(timeout=OPEN_MS)
    picture(pages.page, "console")


def test_the_debugger_stops_at_a_line_of_a_cell_while_an_input_runs(pages: NotebookPage):
    pages.open(
        [DEFINE.format(name="Stopped"), "model.double.remote(1)", "model.attach()", "model.double.remote(20)"]
    )
    pages.run(0, 1, 2)
    page = window_beside(pages)
    console_of(page, "Stopped")
    page.locator(".jp-ConsolePanel .jp-DebuggerBugButton").click()
    sidebar = page.locator("#jp-debugger-sidebar")
    source = sidebar.get_by_text("Stopped (cell ")
    expect(source).to_be_visible(timeout=OPEN_MS)
    source.dblclick()
    expect(editor(page).get_by_text("def double(self, x):")).to_be_visible(timeout=OPEN_MS)
    mark(page, LINE)
    pages.begin(3)
    stopped = editor(page).locator(".jp-DebuggerEditor-highlight")
    expect(stopped).to_have_text("        return hidden * 2", timeout=OPEN_MS)
    variables = sidebar.locator(".jp-DebuggerVariables")
    expect(variables.get_by_text("hidden")).to_be_visible(timeout=OPEN_MS)
    expect(variables.get_by_text("21", exact=True)).to_be_visible(timeout=OPEN_MS)
    picture(page, "debugger")
    pages.assert_runs(3)
    sidebar.locator("[data-command='debugger:continue']").first.click()
    pages.finish(3)
    expect(pages.cell(3).locator(".jp-OutputArea-output").last).to_have_text("42")
