"""Eight inputs at a time, called from eight cells: every line appears in its own cell, and none is lost."""

from __future__ import annotations

import pytest

from tests.e2e.notebook import Notebook, shown

SET_UP = """
import asyncio, threading, time
import modal_nb as modal

app = modal.App("sides")

@app.cls(max_containers=1)
@modal.concurrent(max_inputs=8)
class Model:
    @modal.enter()
    def load(self):
        self.threads = threading.Barrier(8)
        self.here, self.all = 0, asyncio.Event()

    @modal.method()
    def in_threads(self, name, lines):
        self.threads.wait(60)
        for number in range(lines):
            print(name, number)
            if not number % 50:
                time.sleep(0)

    @modal.method()
    async def in_tasks(self, name, lines):
        self.here += 1
        if self.here == 8:
            self.all.set()
        await self.all.wait()
        for number in range(lines):
            print(name, number)
            if not number % 50:
                await asyncio.sleep(0)

model = Model()
calls = []
"""
LINES = 400


@pytest.mark.parametrize("method", ["in_threads", "in_tasks"])
def test_every_line_is_in_the_cell_that_called(home, tmp_path, method):
    with Notebook(tmp_path) as notebook:
        notebook.run(SET_UP)
        cells, messages = {}, []
        for name in "abcdefgh":
            call = f"model.{method}.remote.aio({name!r}, {LINES})"
            begun = notebook.messages(f"calls.append(asyncio.create_task({call})); await asyncio.sleep(0)")
            cells[name] = begun[0]["parent_header"]["msg_id"]
            messages += begun
        messages += notebook.messages("await asyncio.gather(*calls);")
        for name, cell in cells.items():
            said = "".join(words for kind, words in shown(messages, cell) if kind == "stdout")
            assert said.splitlines() == [f"{name} {number}" for number in range(LINES)]
