"""The picture of the panel in the README, taken from the real thing: `python -m tests.system.picture`.

A notebook trains forests in a pool of containers, and the panel is caught in the middle of it. The other pictures
(dark, narrow) go into out/screenshots, for people to look at.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

from playwright.sync_api import Browser, expect, sync_playwright

from tests.house.tree import ROOT
from tests.system.lab import Lab, chromium, running_lab
from tests.system.panel_page import PICTURES, NotebookPage, PanelPart

PICTURE = ROOT / "docs" / "panel.png"
MOST_BYTES = 250_000
#: milliseconds; the past that the picture shows takes most of them
PAST_MS, SEEN_MS = 240_000, 60_000
WIDE, NARROW = {"width": 1060, "height": 1500}, {"width": 460, "height": 1800}

DEFINE = """
import asyncio
import modal_nb as modal

app = modal.App("digits")

@app.cls(max_containers=4, scaledown_window=8)
class Forest:
    trees: int = modal.parameter(default=100)

    @modal.enter()
    def load(self):
        from sklearn.datasets import load_digits
        self.images, self.labels = load_digits(return_X_y=True)

    @modal.method()
    def accuracy(self, depth):
        from sklearn.ensemble import RandomForestClassifier
        from sklearn.model_selection import cross_val_score
        forest = RandomForestClassifier(self.trees, max_depth=depth)
        return cross_val_score(forest, self.images, self.labels).mean()

forest = Forest(trees=60)
"""
PAST = """
async def search(depths):
    return [score async for score in forest.accuracy.map.aio(depths)]

await search([6])
await forest.update_autoscaler.aio(min_containers=1)
await search(range(2, 22))
await forest.wait_for.aio(containers=1, timeout=60)
await search([3, 4])
await asyncio.sleep(4)
await search(range(2, 16))
print("the past is made")
"""
NOW = "present = asyncio.create_task(search(range(2, 30)))"
LATER = "present = asyncio.create_task(search([2 + depth % 16 for depth in range(200)]))"


def catch(panel: PanelPart) -> None:
    """Wait for the moment: all at work, one that was drained, one that was killed."""
    panel.await_rows(4, "busy")
    panel.kill(panel.rows("busy").nth(2))
    expect(panel.root.get_by_text("killed: somebody asked for it")).to_be_visible(timeout=SEEN_MS)
    panel.await_rows(4, "busy")
    panel.rows("busy").first.get_by_role("button", name="Drain").click()
    panel.await_rows(1, "draining")


def take(page: NotebookPage, path: Path) -> None:
    panel = page.panel(1)
    panel.root.scroll_into_view_if_needed()
    page.page.mouse.move(2, 2)
    panel.root.screenshot(path=path)
    panel.assert_holds()


def open_page(browser: Browser, lab: Lab, theme: str) -> NotebookPage:
    lab.choose("themes", theme=f"JupyterLab {theme}")
    context = browser.new_context(viewport=WIDE, device_scale_factor=2)
    return NotebookPage(context.new_page(), lab, "notebook", "picture.ipynb")


def take_all(browser: Browser, lab: Lab) -> None:
    first = open_page(browser, lab, "Light")
    first.open([DEFINE, "forest", PAST, NOW, LATER])
    first.run(0, 1)
    first.begin(2)
    expect(first.page.get_by_text("the past is made", exact=True)).to_be_visible(timeout=PAST_MS)
    first.run(3)
    catch(first.panel(1))
    take(first, PICTURE)
    first.run(4)
    first.save()
    PICTURES.mkdir(parents=True, exist_ok=True)
    for size, theme, name in (
        (WIDE, "Dark", "dark"),
        (NARROW, "Light", "narrow"),
        (NARROW, "Dark", "dark_narrow"),
    ):
        other = open_page(browser, lab, theme)
        other.go()
        other.page.set_viewport_size(size)
        other.panel(1).await_rows(4, "busy")
        take(other, PICTURES / f"picture_{name}.png")
        other.page.context.close()
    first.end()


def make(picture: Path, take: Callable[[Browser, Lab], None]) -> int:
    """Have it taken in a real front end; 1 if it is too large for a README."""
    with running_lab() as lab, sync_playwright() as playwright:
        browser = playwright.chromium.launch(**chromium())
        take(browser, lab)
        browser.close()
    size = picture.stat().st_size
    print(f"{picture.relative_to(ROOT)}: {size / 1000:.0f} kB (at most {MOST_BYTES / 1000:.0f})")
    return int(size > MOST_BYTES)


if __name__ == "__main__":
    sys.exit(make(PICTURE, take_all))
