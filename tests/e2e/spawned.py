"""What the tests of spawned calls share: a class to call, and a gate that its methods wait at."""

from __future__ import annotations

import asyncio
import os
import time
from pathlib import Path

import numpy as np

import modal_nb as modal
from tests.e2e.home import until

app = modal.App("spawned")


@app.cls(max_containers=2)
class Thing:
    @modal.method()
    def double(self, x, *, plus=0):
        return 2 * x + plus

    @modal.method()
    def fail(self, x):
        raise ValueError(f"not {x}")

    @modal.method()
    def wait_for(self, path, value="there"):
        """Says that it runs, then ends when ``path`` exists."""
        Path(path + ".began").write_text(os.environ["MODAL_TASK_ID"])
        while not Path(path).exists():
            time.sleep(0.005)
        return value

    @modal.method()
    def ids(self, x=None):
        return modal.current_function_call_id(), modal.current_input_id(), modal.is_local()

    @modal.method()
    async def ids_async(self, x=None):
        return modal.current_function_call_id(), modal.current_input_id(), modal.is_local()

    @modal.method()
    def where(self, x=None):
        return os.environ["MODAL_TASK_ID"]

    @modal.method()
    def array(self, n):
        return np.zeros(n)

    @modal.method()
    def append(self, x, folder):
        Path(folder, str(x)).touch()

    @modal.method()
    def count(self, n):
        yield from range(n)

    @modal.method()
    def spawn_from_inside(self, x):
        return self.double.spawn(x).get()


class Gate:
    """A file that a method waits for."""

    def __init__(self, path):
        self.path = str(path)
        self.began = Path(self.path + ".began")

    def await_begun(self) -> str:
        """The container that waits at the gate."""
        return until(lambda: self.began.exists() and self.began.read_text())

    def open(self):
        Path(self.path).touch()


def aio(awaitable):
    """Await it on a loop of its own."""

    async def run():
        return await awaitable

    return asyncio.run(run())
