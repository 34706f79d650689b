"""Debian's Chromium, one server for all tests, and a notebook that a test writes itself."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, expect

from tests.system.lab import Lab, chromium, running_lab
from tests.system.panel_page import RUN_MS, NotebookPage

#: Playwright's own 5 s are too few on a machine that does other things, too
expect.set_options(timeout=RUN_MS)


@pytest.fixture(scope="session")
def browser_type_launch_args(browser_type_launch_args):
    return {**browser_type_launch_args, **chromium()}


@pytest.fixture(scope="session")
def browser_context_args(browser_context_args):
    return {**browser_context_args, "viewport": {"width": 1280, "height": 1600}}


@pytest.fixture(scope="session")
def lab() -> Iterator[Lab]:
    with running_lab() as found:
        yield found


@pytest.fixture(params=["lab", "notebook"])
def front(request) -> str:
    """JupyterLab 4 and Notebook 7."""
    return request.param


@pytest.fixture
def pages(page: Page, lab: Lab, front: str, request):
    """A notebook of this test alone; its kernel, and so its containers, end with the test."""
    dialogs = []

    def note(dialog):
        # the browser itself asks before it leaves an unsaved notebook: no dialog of a widget
        if dialog.type != "beforeunload":
            dialogs.append(dialog.type)
        dialog.accept()

    page.on("dialog", note)
    # a name of its own for every case: pages and kernels are found by it
    name = re.sub(r"\W+", "_", request.node.name.removeprefix("test_").replace("chromium", ""))
    notebook = NotebookPage(page, lab, front, f"{name}.ipynb")
    yield notebook
    notebook.end()
    assert not dialogs
