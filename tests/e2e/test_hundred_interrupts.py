"""The stop button of a notebook, a hundred times, at any moment of a call: the cell ends, the pool stays."""

from __future__ import annotations

import random
import time

import pytest

from tests.e2e.home import until
from tests.e2e.notebook import CellFailed, Notebook

SET_UP = """
import os, time
from pathlib import Path
import modal_nb as modal

app = modal.App("stopped")

@app.cls(max_containers=1)
class Model:
    @modal.method()
    def sleep(self):
        time.sleep(1000)

    @modal.method()
    def spin(self):
        while True:
            pass

    @modal.method()
    def where(self):
        return os.environ["MODAL_TASK_ID"]

model = Model()
begun = Path("begun")
where = model.where.remote()
"""
CALLS = (
    "model.sleep.remote()",
    "model.spin.remote()",
    "list(model.sleep.starmap([(), ()]))",
    "model.sleep.spawn().get()",
    "[model.where.remote(), model.sleep.remote()]",
)
ROUNDS = 100


@pytest.mark.timeout(300)
def test_each_ends_its_cell_and_the_next_call_answers_in_the_same_container(home, tmp_path):
    dice = random.Random(7)
    begun = tmp_path / "begun"
    with Notebook(tmp_path) as notebook:
        notebook.run(SET_UP)
        for _ in range(ROUNDS):
            call = dice.choice(CALLS)
            begun.unlink(missing_ok=True)
            asked = notebook.begin(f"begun.touch(); {call}")
            until(begun.exists)
            time.sleep(dice.expovariate(50))  # the moment is what is tried out
            notebook.interrupt()
            with pytest.raises(CellFailed) as ended:
                notebook.finish(asked)
            assert ended.value.name == "KeyboardInterrupt", call
            assert notebook.value("model.where.remote() == where"), call
