"""The restart button of a real front end: what its server tells the kernel is enough to find what is warm."""

from __future__ import annotations

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
    before = pages.result(1)
    (session,) = pages.sessions()
    kernel = session["kernel"]["id"]
    answer = pages.page.request.post(f"{lab.url}api/kernels/{kernel}/restart?token={lab.token}")
    assert answer.ok
    pages.await_idle()
    pages.run(0, 1)
    assert pages.result(1) == before
    pages.run(2)
