"""A notebook that looks up what another process deployed, sees it and steers it. Pictures: out/screenshots."""

from __future__ import annotations

import os
import re
import subprocess
import sys

import pytest
from playwright.sync_api import Locator, expect

from tests.system.lab import Lab, modal_nb, status
from tests.system.panel_page import RUN_MS, NotebookPage

pytestmark = [pytest.mark.system, pytest.mark.timeout(200)]

SHOP = """
import modal_nb as modal
app = modal.App("shop-{service}")

@app.cls(scaledown_window=3600)
class {service}:
    @modal.method()
    def sell(self, price):
        return {version}, price

app.deploy()
"""
#: with or without a supervisor that another test has left
ABSENT = re.compile("not deployed in the environment 'main'|no supervisor runs here", re.IGNORECASE)


def deploy(lab: Lab, service: str, version: int) -> None:
    """Another process deploys, and ends."""
    file = lab.folder / f"{service}.py"
    file.write_text(SHOP.format(service=service, version=version), encoding="utf-8")
    environment = {**os.environ, "MODAL_NB_HOME": str(lab.folder.parent / "home")}
    subprocess.run([sys.executable, str(file)], env=environment, check=True, timeout=60, cwd=lab.folder)


def heading(root: Locator, app: str) -> Locator:
    return root.locator(".mnb-group-head", has_text=app).locator(".mnb-group-origin")


def test_what_another_process_deployed_is_seen_and_steered(pages: NotebookPage, front: str):
    service = f"Till{front.title()}"
    app = f"shop-{service}"
    look_up = f'modal.Cls.from_name("{app}", "{service}")'
    pages.open(["import modal_nb as modal", look_up, "modal.panel()", f'modal.App("{app}").panel()'])
    pages.run(0, 1)
    panel = pages.panel(1)
    expect(panel.root.locator(".mnb-blank")).to_have_text(ABSENT, timeout=RUN_MS)
    pages.picture("deployed_absent", panel)
    deploy(pages.lab, service, 1)
    expect(heading(panel.root, app)).to_have_text("deployed in main, version 1", timeout=RUN_MS)
    panel.enter("min_containers", 2)
    panel.await_applied(min_containers=2)
    panel.await_rows(2, "idle")
    killed = panel.rows().first.locator(".mnb-id").inner_text()
    panel.kill(panel.rows().first)
    expect(panel.dead().locator(".mnb-id")).to_have_text(killed, timeout=RUN_MS)
    panel.await_rows(2, "idle")
    found = status(pages.lab, service)
    assert {one["id"] for one in found["containers"]} == set(
        panel.rows().locator(".mnb-id").all_inner_texts()
    )
    pages.picture("deployed", panel)
    deploy(pages.lab, service, 2)
    expect(heading(panel.root, app)).to_have_text("deployed in main, version 2", timeout=RUN_MS)
    panel.await_rows(0)
    panel.await_applied(min_containers=0)
    expect(panel.root.locator(".mnb-pool")).to_have_count(1, timeout=RUN_MS)
    pages.run(2, 3)
    for number in (2, 3):
        other = pages.panel(number)
        expect(heading(other.root, app)).to_have_text("deployed in main, version 2", timeout=RUN_MS)
        other.assert_holds()
    pages.picture("everything", pages.panel(2))
    modal_nb(pages.lab, "app", "stop", app)
    # the panel of everything may be long, and a panel that is out of sight does not paint
    panel.root.scroll_into_view_if_needed()
    expect(panel.root.locator(".mnb-banner")).to_have_text(ABSENT, timeout=RUN_MS)
