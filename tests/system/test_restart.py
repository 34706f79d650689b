"""The restart button of a real front end: what its server tells the kernel is enough to find what is warm."""

from __future__ import annotations

from playwright.sync_api import expect

from tests.system.panel_page import OPEN_MS

CELLS = [
    """
import secrets
import modal_nb as modal
app = modal.App("restarted", linger=60)
@app.cls(max_containers=1)
class Model:
    @modal.enter()
    def load(self):
        self.token = secrets.token_hex()
    @modal.method()
    def tell(self):
        return self.token
""",
    "Model().tell.remote()",
    "app.stop()",
]


def test_a_kernel_that_is_restarted_finds_its_containers(pages, lab):
    pages.open(CELLS)
    pages.run(0, 1)
    output = pages.cell(1).locator(".jp-OutputArea-output").last
    before = output.inner_text()
    (session,) = pages.sessions()
    kernel = session["kernel"]["id"]
    answer = pages.page.request.post(f"{lab.url}api/kernels/{kernel}/restart?token={lab.token}")
    assert answer.ok
    pages.await_idle()
    pages.run(0, 1)
    expect(output).to_have_text(before, timeout=OPEN_MS)
    pages.run(2)
