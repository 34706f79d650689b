"""modal_nb's cold starts, by its public API alone: a pool at zero containers, and a `.remote()`."""

from __future__ import annotations

import contextlib
import runpy
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks.peers.peer import BasePeer, Start

CELLS = Path(__file__).parents[1] / "cells"
#: seconds that a pool may take to be at zero
PATIENCE = 30


def run_cells(name: str) -> dict[str, Any]:
    """What a notebook holds after its cells have run."""
    return runpy.run_path(str(CELLS / name), run_name="__main__")


class Peer(BasePeer):
    def setup(self) -> None:
        cells = run_cells("starts.py")
        self.running = contextlib.ExitStack()
        # starts the supervisor, and no container
        self.running.enter_context(cells["app"].run())
        self.light, self.heavy, self.snapshot = (cells[name]() for name in ("Light", "Heavy", "Snapshot"))

    def teardown(self) -> None:
        self.running.close()

    def starts(self) -> list[Start]:
        light, heavy, snapshot = (self._first_call(one) for one in (self.light, self.heavy, self.snapshot))
        return [
            Start("G", "modal_nb, the first container of an environment", light, tries=1),
            Start("H", "modal_nb, the first container of a class with a snapshot", snapshot, tries=1),
            Start("G", "modal_nb", light, self._none_is_left, tries=8),
            Start("H", "modal_nb, snapshot", snapshot, self._none_is_left, tries=8),
            Start("H", "modal_nb, no snapshot", heavy, self._none_is_left, tries=3),
        ]

    @staticmethod
    def _first_call(one: Any) -> Callable[[], None]:
        def call() -> None:
            one.noop.remote()

        return call

    def _none_is_left(self) -> None:
        for one in (self.light, self.heavy, self.snapshot):
            one.wait_for(containers=0, timeout=PATIENCE)
