"""Sections G and H: classes whose pools are at zero again two seconds after a call."""

from __future__ import annotations

import importlib

import modal_nb as modal
from benchmarks.light import HEAVY

app = modal.App("bench-starts")


@app.cls(max_containers=1, scaledown_window=2)
class Light:
    @modal.method()
    def noop(self, x: object = None) -> object:
        return x


class Loading:
    @modal.enter(snap=True)
    def load(self) -> None:
        for name in HEAVY:
            importlib.import_module(name)

    @modal.method()
    def noop(self, x: object = None) -> object:
        return x


@app.cls(max_containers=1, scaledown_window=2)
class Heavy(Loading):
    """Loads in each container."""


@app.cls(max_containers=1, scaledown_window=2, enable_memory_snapshot=True)
class Snapshot(Loading):
    """Loads once."""
