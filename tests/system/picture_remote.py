"""The picture of remote code in the README, taken from the real thing: `python -m tests.system.picture_remote`.

Cells of notebook 08 are run in a real Notebook 7: prints, a plot and a slider of a container are in the page.
"""

from __future__ import annotations

import sys

import nbformat
from playwright.sync_api import Browser, expect

from tests.house.tree import ROOT
from tests.system.lab import Lab
from tests.system.panel_page import NotebookPage
from tests.system.picture import make

PICTURE = ROOT / "docs" / "remote.png"
NOTEBOOK = ROOT / "notebooks" / "08_see_and_debug.ipynb"
SIZE = {"width": 900, "height": 2400}
#: what the picture shows, by a word of each cell
SHOWN = ("model.train.remote", "model.plot.remote", "model.browse.remote", "%%container model\nright")


def take(browser: Browser, lab: Lab) -> None:
    lab.choose("themes", theme="JupyterLab Light")
    context = browser.new_context(viewport=SIZE, device_scale_factor=2)
    page = NotebookPage(context.new_page(), lab, "notebook", "remote.ipynb")
    cells = [cell.source for cell in nbformat.read(NOTEBOOK, as_version=4).cells if cell.cell_type == "code"]
    shown = [cell.removeprefix("# NBVAL_CHECK_OUTPUT\n") for word in SHOWN for cell in cells if word in cell]
    page.open([cells[0], *shown])
    page.run(*range(len(shown) + 1))
    expect(page.cell(2).locator(".jp-OutputArea-output img")).to_be_visible()
    output = page.cell(3).locator(".jp-OutputArea-output")
    before = output.inner_text()
    box = page.cell(3).locator(".noUi-base").bounding_box()
    assert box
    page.page.mouse.click(box["x"] + 0.4 * box["width"], box["y"] + box["height"] / 2)
    expect(output).not_to_have_text(before)
    expect(output).to_contain_text("it looks like a")
    expect(page.cell(len(shown)).get_by_text("(64, 10)")).to_be_visible()
    expect(page.cell(3).locator(".noUi-state-tap")).to_have_count(0)
    page.page.mouse.move(2, 2)
    last = page.cell(len(shown)).locator(".jp-OutputArea-output").last
    boxes = [page.cell(1).bounding_box(), last.bounding_box()]
    assert boxes[0]
    assert boxes[1]
    clip = {
        "x": boxes[0]["x"],
        "y": boxes[0]["y"] - 4,
        "width": boxes[0]["width"],
        "height": boxes[1]["y"] + boxes[1]["height"] - boxes[0]["y"] + 8,
    }
    page.page.screenshot(path=PICTURE, clip=clip, animations="disabled")
    page.end()


if __name__ == "__main__":
    sys.exit(make(PICTURE, take))
