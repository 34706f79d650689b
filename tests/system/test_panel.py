"""The panel in JupyterLab 4, steered by hand. Pictures: out/screenshots."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page

from tests.system.conftest import Lab
from tests.system.panel_page import (
    NotebookPage,
    PanelPart,
    status,
)

pytestmark = [pytest.mark.system, pytest.mark.timeout(200)]

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


@pytest.fixture(params=["lab"])
def front(request) -> str:
    return request.param


@pytest.fixture
def pages(page: Page, lab: Lab, front: str, request):
    dialogs = []
    page.on("dialog", lambda dialog: (dialogs.append(dialog.type), dialog.accept()))
    name = request.node.originalname.removeprefix("test_")[:24]
    notebook = NotebookPage(page, lab, front, f"{name}_{front}.ipynb")
    yield notebook
    assert not dialogs


def test_containers_follow_a_moved_slider(pages: NotebookPage, front: str):
    service = f"Moved{front.title()}"
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
    raise_floor = panel.field("min_containers").get_by_role("button", name="raise min_containers")
    raise_floor.click()
    panel.await_applied(min_containers=4)
    panel.await_rows(4, "idle")
    assert_status(pages.lab, service, panel, min_containers=4, max_containers=5)
    pages.picture("light", panel)


def assert_status(lab: Lab, service: str, panel: PanelPart, **settings: int) -> None:
    """What a terminal says is what the panel shows."""
    found = status(lab, service)
    assert {name: found["autoscaler"][name] for name in settings} == settings
    assert {one["id"] for one in found["containers"]} == set(
        panel.rows().locator(".mnb-id").all_inner_texts()
    )
