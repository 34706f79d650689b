"""The panel in JupyterLab 4 and Notebook 7, steered by hand. Pictures: out/screenshots."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import expect

from tests.system.lab import Lab, modal_nb, status
from tests.system.panel_page import RUN_MS, NotebookPage, PanelPart

pytestmark = [pytest.mark.system, pytest.mark.timeout(200)]

#: every input waits until the gate is open: a file beside the notebook
DEFINE = """
import pathlib, time
import modal_nb as modal
app = modal.App("digits")
go = str(pathlib.Path("{service}.go").resolve())

@app.cls(max_containers=2, scaledown_window=3600)
class {service}:
    @modal.method()
    def square(self, x):
        while not pathlib.Path(go).exists():
            time.sleep(0.02)
        return x * x

model = {service}()
"""
OPEN_GATE = "pathlib.Path(go).touch(); model.square.remote(3)"
AWAITED_MAP = "print([answer async for answer in model.square.map.aio(range(6))])"
KILLED = "killed: somebody asked for it"
KERNELS = "kernels-settings"
#: as with a kernel that reads what a widget is told on the thread of the cells
ONE_THREAD = "from modal_nb.views import panel as face; face._ROUTES_REPLIES = ()"


@pytest.fixture
def service(request, front) -> str:
    return request.node.originalname.removeprefix("test_").title().replace("_", "")[:16] + front.title()


def test_containers_follow_a_moved_slider(pages: NotebookPage, service: str):
    pages.open([DEFINE.format(service=service), "model", OPEN_GATE])
    pages.run(0, 1, 2)
    panel = pages.panel(1)
    panel.await_rows(1, "idle")
    panel.drag("max_containers", 5)
    panel.await_applied(max_containers=5)
    panel.drag("min_containers", 3)
    panel.await_applied(min_containers=3, max_containers=5)
    panel.await_rows(3, "idle")
    assert_status(pages.lab, service, panel, min_containers=3, max_containers=5)
    panel.raise_by_one("min_containers")
    panel.await_applied(min_containers=4)
    panel.await_rows(4, "idle")
    assert_status(pages.lab, service, panel, min_containers=4, max_containers=5)
    pages.picture("slider", panel)


def test_a_container_killed_during_an_awaited_map(pages: NotebookPage, service: str):
    pages.open([DEFINE.format(service=service), "model", AWAITED_MAP])
    pages.run(0, 1)
    panel = pages.panel(1)
    pages.begin(2)
    panel.await_rows(2, "busy")
    killed = panel.rows().first.locator(".mnb-id").inner_text()
    panel.kill(panel.rows().first)
    expect(panel.dead()).to_have_count(1, timeout=RUN_MS)
    expect(panel.dead().locator(".mnb-id")).to_have_text(killed)
    expect(panel.dead().locator(".mnb-detail")).to_have_text(KILLED)
    panel.await_rows(2, "busy")  # another one has taken its place, and its input
    pages.assert_runs(2)
    pages.picture("killed", panel)
    open_gate(pages.lab, service)
    pages.finish(2)
    expect(pages.cell(2).locator(".jp-OutputArea-output").last).to_have_text("[0, 1, 4, 9, 16, 25]")
    found = status(pages.lab, service)
    assert (found["queued"], found["running"]) == (0, 0)


def test_a_change_made_elsewhere_shows_here(pages: NotebookPage, service: str):
    pages.open([DEFINE.format(service=service), "model", "app.panel()", OPEN_GATE])
    pages.run(0, 1, 2, 3)
    other = pages.again()
    panels = [pages.panel(1), pages.panel(2), other.panel(1), other.panel(2)]
    await_everywhere(panels, max_containers=2)
    other.panel(1).enter("max_containers", 4)
    await_everywhere(panels, min_containers=0, max_containers=4)
    panels[1].raise_by_one("min_containers")
    await_everywhere(panels, min_containers=1, max_containers=4)
    modal_nb(pages.lab, "scale", service, "--min-containers", "3", "--scaledown-window", "900")
    await_everywhere(panels, min_containers=3, max_containers=4, scaledown_window=900)
    for panel in panels:
        panel.await_rows(3, "idle")
        assert_status(pages.lab, service, panel, min_containers=3, max_containers=4)
    (container, *_) = status(pages.lab, service)["containers"]
    modal_nb(pages.lab, "container", "kill", container["id"])
    for panel in panels:
        expect(panel.dead().locator(".mnb-detail")).to_have_text(KILLED, timeout=RUN_MS)


def test_two_who_edit_at_once_end_at_the_same_truth(pages: NotebookPage, service: str):
    pages.open([DEFINE.format(service=service), "model", OPEN_GATE])
    pages.run(0, 1, 2)
    other = pages.again()
    here, there = panels = [pages.panel(1), other.panel(1)]
    await_everywhere(panels, max_containers=2)
    # what is being typed here stays, and says that it was overtaken
    here.field("max_containers").locator("input").fill("5")
    there.enter("max_containers", 3)
    expect(here.field("max_containers")).to_have_attribute("data-kind", "draft")
    expect(here.field("max_containers").locator(".mnb-status")).to_have_text("now 3, changed elsewhere")
    expect(here.field("max_containers").locator("input")).to_have_value("5")
    here.field("max_containers").locator("input").press("Enter")
    await_everywhere(panels, max_containers=5)
    # both send before either has heard of the other
    for _ in range(3):
        for panel in panels:
            panel.raise_by_one("buffer_containers")
    modal_nb(pages.lab, "scale", service, "--buffer-containers", "4")
    await_truth(pages.lab, service, panels, "buffer_containers")


def test_a_reloaded_page_has_its_panel_again(pages: NotebookPage, service: str):
    pages.open([DEFINE.format(service=service), "model", OPEN_GATE])
    pages.run(0, 1, 2)
    panel = pages.panel(1)
    panel.raise_by_one("min_containers")
    panel.await_applied(min_containers=1)
    pages.reload()
    await_live(panel)
    panel.await_applied(min_containers=1, max_containers=2)
    panel.await_rows(1, "idle")
    panel.raise_by_one("min_containers")
    panel.await_applied(min_containers=2)
    panel.await_rows(2, "idle")
    assert_status(pages.lab, service, panel, min_containers=2, max_containers=2)
    pages.picture("reloaded", panel)


def test_a_cell_that_awaits_lets_the_panel_act_at_once(pages: NotebookPage, service: str):
    pages.open([DEFINE.format(service=service), "model", "print(await model.square.remote.aio(7))"])
    pages.run(0, 1)
    panel = pages.panel(1)
    pages.begin(2)
    panel.await_rows(1, "busy")
    panel.enter("min_containers", 2)
    panel.await_applied(min_containers=2)
    panel.await_rows(1, "idle")
    pages.assert_runs(2)
    open_gate(pages.lab, service)
    pages.finish(2)
    expect(pages.cell(2).locator(".jp-OutputArea-output").last).to_have_text("49")


def test_a_cell_that_blocks_lets_the_panel_act_where_the_front_end_has_a_thread_for_it(
    pages: NotebookPage, service: str
):
    pages.open([DEFINE.format(service=service), "model", "model.square.remote(7)"])
    pages.run(0, 1)
    panel = pages.panel(1)
    pages.begin(2)
    panel.await_rows(1, "busy")
    panel.enter("min_containers", 2)
    panel.await_applied(min_containers=2)
    panel.await_rows(1, "idle")
    pages.assert_runs(2)
    open_gate(pages.lab, service)
    pages.finish(2)


def test_where_a_command_must_wait_for_the_cell_the_panel_says_so(pages: NotebookPage, service: str):
    pages.lab.choose(KERNELS, commsOverSubshells="disabled")
    cells_own = ONE_THREAD if pages.front == "notebook" else ""  # it has no such setting
    pages.open([DEFINE.format(service=service) + cells_own, "model", "model.square.remote(7)"])
    pages.run(0, 1)
    panel = pages.panel(1)
    pages.begin(2)
    panel.await_rows(1, "busy")
    panel.enter("min_containers", 2)
    panel.await_late()
    expect(panel.field("min_containers")).to_have_attribute("data-kind", "pending")
    pages.picture("blocked", panel)
    assert status(pages.lab, service)["autoscaler"]["min_containers"] == 0
    modal_nb(pages.lab, "scale", service, "--max-containers", "3")  # the remedy that it names
    panel.await_applied(max_containers=3)
    expect(panel.field("min_containers")).to_have_attribute("data-kind", "pending")
    pages.assert_runs(2)
    open_gate(pages.lab, service)
    pages.finish(2)
    panel.await_applied(min_containers=2, max_containers=3)
    panel.await_rows(2, "idle")
    panel.await_not_late()


@pytest.fixture(autouse=True)
def _as_it_comes(lab: Lab):
    yield
    lab.choose(KERNELS)
    lab.choose("themes")


@pytest.mark.parametrize("theme", ["JupyterLab Light", "JupyterLab Dark"])
def test_it_holds_in_a_narrow_cell_and_in_both_themes(pages: NotebookPage, service: str, theme: str):
    pages.lab.choose("themes", theme=theme)
    short = theme.rsplit(maxsplit=1)[-1].lower()
    service += short.title()
    pages.open([DEFINE.format(service=service), "model", AWAITED_MAP])
    pages.run(0, 1)
    panel = pages.panel(1)
    pages.begin(2)
    panel.await_rows(2, "busy")
    panel.kill(panel.rows().first)
    expect(panel.dead()).to_have_count(1, timeout=RUN_MS)
    for width, name in ((1280, ""), (560, "_narrow")):
        pages.page.set_viewport_size({"width": width, "height": 1600})
        panel.assert_holds()
        pages.picture(f"{short}{name}", panel)
    body = pages.page.locator("body")
    expect(body).to_have_attribute("data-jp-theme-light", str(short == "light").lower())


def open_gate(lab: Lab, service: str) -> None:
    (lab.folder / f"{service}.go").touch()


def await_everywhere(panels: list[PanelPart], **settings: int) -> None:
    for panel in panels:
        panel.await_applied(**settings)


def await_live(panel: PanelPart) -> None:
    expect(panel.root).to_have_attribute("data-connection", "connected", timeout=RUN_MS)


def await_truth(lab: Lab, service: str, panels: list[PanelPart], name: str) -> None:
    """Nothing is pending any more, and every panel shows what a terminal says."""
    for panel in panels:
        field = panel.field(name)
        expect(field).not_to_have_attribute("data-kind", re.compile("pending|draft"), timeout=RUN_MS)
    value = str(status(lab, service)["autoscaler"][name])
    for panel in panels:
        expect(panel.field(name).locator("input")).to_have_value(value, timeout=RUN_MS)


def assert_status(lab: Lab, service: str, panel: PanelPart, **settings: int) -> None:
    """What a terminal says is what the panel shows."""
    found = status(lab, service)
    assert {name: found["autoscaler"][name] for name in settings} == settings
    assert {one["id"] for one in found["containers"]} == set(
        panel.rows().locator(".mnb-id").all_inner_texts()
    )
