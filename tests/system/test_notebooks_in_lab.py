"""The notebooks as a reader meets them: opened in JupyterLab in Chromium, all cells run, and looked at.

The pictures are left in out/screenshots for people to look at.
"""

from __future__ import annotations

import re
from pathlib import Path

import nbformat
import pytest
from playwright.sync_api import Page, expect

from tests.system.lab import Lab
from tests.system.panel_page import ERROR, PICTURES

pytestmark = pytest.mark.system

#: notebook -> what its page must show once all cells have run
NOTEBOOKS = {
    "01_first_cls.ipynb": ["accuracy", "containers that answered"],
    "02_lifecycle_and_parameters.ipynb": ["containers that answered"],
    "03_failures.ipynb": [
        "the container lives on: 100",
        "FunctionTimeoutError: ",
        "40 of 41 inputs were answered, all right: True",
        "no database at port 5432",
        "not ready yet",
        "the pool answers: 100",
    ],
    "04_scaling_live.ipynb": [
        "at max_containers=2: raise it to start more",
        "more than two containers answered: True",
        "killed:  killed: somebody asked for it",
        "containers alive: 0",
        "and from zero: 81",
    ],
    "05_concurrency_batching_retries.ipynb": [
        "plain methods on the main thread: {False}",
        "largest batch: 64",
        "tries it took:",
        "at once: not a number",
    ],
    "06_deploy.ipynb": [
        "deployed: digits with Digits draw",
        "calls noted: 3",
        "second",
        "no app 'numbered' is deployed in the 'main' environment",
    ],
    # it needs what the one before has deployed
    "07_call_by_name.ipynb": [
        "nine in ten are right: True",
        "more trees are better: True",
        "max_containers=2, buffer_containers=0, scaledown_window=30",
        "Stopped digits.",
    ],
    "08_see_and_debug.ipynb": [
        "step 200: loss 0.28",
        "it looks like a 0, and is a 0",
        "Slow.square.map: 60 done",
        "has no attribute 'weigths'",
        "95% of 1797 are right after 200 steps",
        "[0, 1, 2, 3, 4, 9, 6, 7, 8, 9]",
    ],
    "09_speed.ipynb": [
        "snapshot: 3 containers, loads: 1, different throws: 3",
        "doubled in place, over there: True",
    ],
}
#: the longest of them took more than two minutes on two cores that others used, too
OPEN_MS, RUN_MS = 60_000, 300_000
#: the tag of a cell that fails on purpose: JupyterLab runs the cells below it all the same
RAISES = "raises-exception"


@pytest.mark.timeout(500)
@pytest.mark.parametrize("notebook", NOTEBOOKS)
def test_all_cells_run_and_the_page_shows_what_the_text_promises(page: Page, lab: Lab, notebook: str):
    on_purpose = clear_outputs(lab.folder / notebook)
    page.goto(lab.page_of(notebook))
    run_all(page, on_purpose)
    take_pictures(page, notebook)
    expect(page.locator(ERROR)).to_have_count(on_purpose)
    for text in NOTEBOOKS[notebook]:
        expect(page.locator(".jp-OutputArea-output", has_text=text).first).to_be_visible()
    save(page)
    assert_executed(lab.folder / notebook)


def clear_outputs(path: Path) -> int:
    """What the page shows later shall come from this run. Returns how many cells fail on purpose."""
    notebook = nbformat.read(path, as_version=4)
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count = [], None
    nbformat.write(notebook, path)
    return sum(RAISES in cell.metadata.get("tags", ()) for cell in notebook.cells)


def run_all(page: Page, on_purpose: int) -> None:
    expect(page.locator(".jp-Notebook .jp-CodeCell").first).to_be_visible(timeout=OPEN_MS)
    # the status bar names the kernel once the page is connected to it; earlier, a run does nothing
    idle = page.get_by_role("button", name=re.compile(r"\(ipykernel\) \| Idle$"))
    expect(idle).to_be_visible(timeout=OPEN_MS)
    page.get_by_role("menuitem", name="Run", exact=True).click()
    page.get_by_role("menuitem", name="Run All Cells", exact=True).click()
    # cells run in order: the last one has its number, or an error that nobody wants has stopped the run
    last = page.locator(".jp-Notebook .jp-CodeCell").last.locator(".jp-InputPrompt")
    ended = last.filter(has_text=re.compile(r"\[\d+\]")).or_(page.locator(ERROR).nth(on_purpose))
    expect(ended.first).to_be_visible(timeout=RUN_MS)
    expect(idle).to_be_visible(timeout=OPEN_MS)


def take_pictures(page: Page, notebook: str) -> None:
    PICTURES.mkdir(parents=True, exist_ok=True)
    for old in PICTURES.glob(f"{Path(notebook).stem}_*.png"):
        old.unlink()
    scroller = page.locator(".jp-WindowedPanel-outer").first
    seen = scroller.evaluate("e => e.clientHeight")
    height = page.locator(".jp-Notebook-cell").last.evaluate("e => e.offsetTop + e.offsetHeight")
    for number, top in enumerate(range(0, height, max(seen, 1)), start=1):
        scroller.evaluate("(e, top) => { e.scrollTop = top; }", top)
        page.screenshot(path=PICTURES / f"{Path(notebook).stem}_{number}.png")


def save(page: Page) -> None:
    page.get_by_role("menuitem", name="File", exact=True).click()
    page.locator('[role="menuitem"][data-command="docmanager:save"]').click()
    expect(page.locator(".jp-mod-dirty")).to_have_count(0, timeout=OPEN_MS)


def assert_executed(path: Path) -> None:
    """Every cell has run, and those that fail on purpose are those that failed."""
    cells = [cell for cell in nbformat.read(path, as_version=4).cells if cell.cell_type == "code"]
    assert all(cell.execution_count for cell in cells)
    for cell in cells:
        failed = any(output.output_type == "error" for output in cell.outputs)
        assert failed == (RAISES in cell.metadata.get("tags", ())), cell.source
