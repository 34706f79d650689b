"""A notebook with panels in a real front end: written, opened, run cell by cell, and looked at."""

from __future__ import annotations

import re
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nbformat
from playwright.sync_api import Locator, Page, Response, expect

from tests.house.tree import ROOT
from tests.system.lab import Lab

PICTURES = ROOT / "out" / "screenshots"
OPEN_MS, RUN_MS = 30_000, 30_000
#: a key that was taken shows a star at once
PRESSES, TAKEN_MS = 20, 3_000
#: where a notebook lies in each of the two front ends; one server has both
PLACES = {"lab": "lab/workspaces/{stem}/tree/{name}", "notebook": "notebooks/{name}"}
#: an exception of a cell, as both front ends show it; a traceback begins in red, what was only printed does not
ERROR = '[data-mime-type="application/vnd.jupyter.stderr"]:has(.ansi-red-fg)'
KNOB = 16
LATE = "Waits for the running cell to finish"


def write_notebook(lab: Lab, name: str, cells: list[str]) -> None:
    kernel = {"name": "python3", "display_name": "Python 3 (ipykernel)", "language": "python"}
    notebook = nbformat.v4.new_notebook(
        cells=[nbformat.v4.new_code_cell(source) for source in cells], metadata={"kernelspec": kernel}
    )
    nbformat.write(notebook, lab.folder / name)


@dataclass
class NotebookPage:
    """One notebook, open in JupyterLab ("lab") or in Notebook 7 ("notebook")."""

    page: Page
    lab: Lab
    front: str
    name: str

    def open(self, cells: list[str]) -> None:
        write_notebook(self.lab, self.name, cells)
        self.go()

    def go(self) -> None:
        place = PLACES[self.front].format(stem=Path(self.name).stem, name=self.name)
        self.page.goto(f"{self.lab.url}{place}?token={self.lab.token}")
        self.await_idle()

    def again(self) -> NotebookPage:
        """The same notebook in another page: the same kernel, other views."""
        self.save()
        other = NotebookPage(self.page.context.new_page(), self.lab, self.front, self.name)
        other.go()
        return other

    def sessions(self) -> list[dict[str, Any]]:
        found = self.page.request.get(f"{self.lab.url}api/sessions?token={self.lab.token}").json()
        return [one for one in found if one["path"] == self.name]

    def end(self) -> None:
        """Shut the kernel down, whatever it does."""
        for one in self.sessions():
            self.page.request.delete(f"{self.lab.url}api/sessions/{one['id']}?token={self.lab.token}")

    def connected(self) -> bool:
        """As the server sees it; before, a front end that is told to run a cell asks which kernel is meant."""
        kernels = [one["kernel"] for one in self.sessions()]
        return any(one["connections"] and one["execution_state"] == "idle" for one in kernels)

    def await_idle(self) -> None:
        expect(self.cell(0)).to_be_visible(timeout=OPEN_MS)
        idle = self.page.locator('.jp-Notebook-ExecutionIndicator[data-status="idle"]')
        end = time.monotonic() + OPEN_MS / 1000
        while not self.connected():
            assert time.monotonic() < end, "the page has no kernel"
            self.page.wait_for_timeout(100)
        expect(idle.first).to_be_visible(timeout=OPEN_MS)

    # -- cells

    def cell(self, number: int) -> Locator:
        return self.page.locator(".jp-Notebook .jp-CodeCell").nth(number)

    def begin(self, number: int) -> None:
        """Run a cell; a page that has no connection to its kernel yet ignores the key, so press until it is taken."""
        prompt = self.cell(number).locator(".jp-InputPrompt")
        before = prompt.inner_text()
        for _ in range(PRESSES):
            self.cell(number).locator(".cm-content").click()
            if prompt.inner_text() != before:
                return  # the key before was taken, and its star came late
            self.page.keyboard.press("Control+Enter")
            try:
                expect(prompt).not_to_have_text(before, timeout=TAKEN_MS)
            except AssertionError:
                continue
            return
        raise AssertionError(f"cell {number} does not start")

    def finish(self, number: int, most_ms: int = RUN_MS) -> None:
        """The cell has its number: it has ended."""
        prompt = self.cell(number).locator(".jp-InputPrompt")
        expect(prompt).to_have_text(re.compile(r"\[\d+\]"), timeout=most_ms)
        error = self.cell(number).locator(ERROR)
        assert not error.count(), error.inner_text()

    def run(self, *numbers: int) -> None:
        for number in numbers:
            self.begin(number)
            self.finish(number)

    def output(self, number: int) -> Locator:
        """All that stands under a cell."""
        return self.cell(number).locator(".jp-Cell-outputArea")

    def result(self, number: int) -> str:
        """What stands last under a cell that has ended; the page shows it a moment after the number."""
        last = self.output(number).locator(".jp-OutputArea-output").last
        expect(last).not_to_be_empty()
        return last.inner_text()

    def image(self, number: int) -> Locator:
        """The one picture under a cell, decoded: earlier it has no size."""
        found = self.output(number).locator("img")
        expect(found).to_have_js_property("complete", True)
        return found

    def answer(self, number: int, prompt: str, words: str) -> None:
        """Type it into the box in which a cell asks."""
        asked = self.output(number).locator(".jp-Stdin").last
        expect(asked.locator(".jp-Stdin-prompt")).to_have_text(prompt, timeout=RUN_MS)
        box = asked.locator("input")
        box.fill(words)
        old = box.element_handle()
        box.press("Enter")
        old.wait_for_element_state("hidden")  # the next question has a box of its own

    def interrupt(self) -> None:
        """Press the stop button."""
        self.page.get_by_role("button", name=re.compile("^Interrupt the kernel")).click()

    def assert_interrupted(self, number: int) -> None:
        self.assert_fails(number, "KeyboardInterrupt")

    def assert_fails(self, number: int, words: str) -> None:
        """The cell ends, and says why. Before it has ended, its kernel drops what is sent after it."""
        prompt = self.cell(number).locator(".jp-InputPrompt")
        expect(prompt).to_have_text(re.compile(r"\[\d+\]"), timeout=RUN_MS)
        expect(self.cell(number).locator(ERROR).last).to_contain_text(words, timeout=RUN_MS)

    def assert_runs(self, number: int) -> None:
        """The cell has begun and has not ended."""
        assert self.cell(number).locator(".jp-InputPrompt").inner_text() == "[*]:"

    def save(self) -> None:
        # the notebook's keys do nothing while the focus is in a panel
        self.cell(0).locator(".cm-content").click()
        self.page.keyboard.press("Escape")
        with self.page.expect_response(self.is_save, timeout=OPEN_MS):
            self.page.keyboard.press("Control+s")
        expect(self.page.locator(".jp-mod-dirty")).to_have_count(0, timeout=OPEN_MS)

    def is_save(self, answer: Response) -> bool:
        return answer.request.method == "PUT" and f"/api/contents/{self.name}" in answer.url and answer.ok

    def reload(self) -> None:
        self.save()
        self.page.reload()
        self.await_idle()

    def panel(self, number: int) -> PanelPart:
        return PanelPart(self.cell(number).locator(".mnb-panel"))

    def cell_picture(self, what: str, number: int) -> None:
        """The page with this cell in its middle."""
        PICTURES.mkdir(parents=True, exist_ok=True)
        self.cell(number).scroll_into_view_if_needed()
        self.page.mouse.move(2, 2)
        self.page.screenshot(path=PICTURES / f"relay_{self.front}_{what}.png")

    def picture(self, what: str, panel: PanelPart) -> None:
        PICTURES.mkdir(parents=True, exist_ok=True)
        panel.root.scroll_into_view_if_needed()
        self.page.screenshot(path=PICTURES / f"panel_{self.front}_{what}.png")


@dataclass
class PanelPart:
    """One panel of a page."""

    root: Locator

    def rows(self, state: str = "") -> Locator:
        return self.root.locator(".mnb-living-rows .mnb-row" + (f'[data-state="{state}"]' if state else ""))

    def dead(self) -> Locator:
        return self.root.locator(".mnb-dead-rows .mnb-row")

    def await_rows(self, count: int, state: str = "") -> None:
        expect(self.rows(state)).to_have_count(count, timeout=RUN_MS)

    def field(self, name: str) -> Locator:
        return self.root.locator(f'.mnb-field[data-setting="{name}"]')

    def await_applied(self, **settings: int) -> None:
        """The fields show these values, and none of them is pending or refused."""
        for name, value in settings.items():
            expect(self.field(name).locator("input")).to_have_value(str(value), timeout=RUN_MS)
            expect(self.field(name)).to_have_attribute("data-kind", "hint", timeout=RUN_MS)

    def drag(self, name: str, value: int) -> None:
        """Take a thumb of the slider by the mouse."""
        thumb = self.root.get_by_role("slider", name=f"{name} (slider)")
        box = thumb.bounding_box()
        assert box is not None
        most = int(thumb.get_attribute("max") or 0)

        def across(at: int) -> float:
            return KNOB / 2 + (box["width"] - KNOB) * at / most

        # waits until nothing moves the thumb any more, and until it can be taken
        begin = across(int(thumb.input_value()))
        thumb.hover(position={"x": begin, "y": box["height"] / 2})
        box = thumb.bounding_box()
        mouse = self.root.page.mouse
        mouse.down()
        mouse.move(box["x"] + across(value), box["y"] + box["height"] / 2, steps=5)
        mouse.up()

    def enter(self, name: str, value: int) -> None:
        box = self.field(name).locator("input")
        box.fill(str(value))
        box.press("Enter")

    def raise_by_one(self, name: str) -> None:
        self.field(name).get_by_role("button", name=f"raise {name}").click()

    def await_late(self) -> None:
        """It says that something waits for the cell."""
        expect(self.root.get_by_text(LATE).first).to_be_visible(timeout=RUN_MS)

    def await_not_late(self) -> None:
        expect(self.root.get_by_text(LATE).first).to_be_hidden(timeout=RUN_MS)

    def kill(self, row: Locator) -> None:
        row.hover()
        row.get_by_role("button", name=re.compile("^Kill ")).click()
        row.get_by_role("button", name="Kill now").click()

    def assert_holds(self) -> None:
        """Nothing sticks out of the panel, nor the panel of its cell, once the page has taken its size; where there
        is room, numbers are side by side.
        """
        end = time.monotonic() + RUN_MS / 1000
        while (found := self.overhang()) != [0, 0, []]:
            assert time.monotonic() < end, found
            self.root.page.wait_for_timeout(50)

    def overhang(self) -> list[Any]:
        """Pixels of the panel and of its cell that stick out, and what does so or is bent."""
        return self.root.evaluate(
            """panel => {
              const right = panel.getBoundingClientRect().right + 1;
              const out = [...panel.querySelectorAll('*')].filter(e => {
                const clipped = e.closest('.mnb-voice, .mnb-strip, [data-only=reader], svg');
                return !clipped && e.getBoundingClientRect().right > right;
              });
              const cell = panel.closest('.jp-OutputArea-output') ?? document.documentElement;
              const sticks = [panel.scrollWidth - panel.clientWidth, cell.scrollWidth - cell.clientWidth];
              const tops = list => new Set([...list.children].map(e => e.getBoundingClientRect().top));
              const room = panel.clientWidth > 300;
              const bent = [...panel.querySelectorAll('.mnb-figures')].filter(e => room && tops(e).size !== 1);
              return [...sticks, [...out, ...bent].map(e => e.className)];
            }"""
        )
