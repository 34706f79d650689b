"""Section I: a class with a parameter: each number is served by a container of its own."""

from __future__ import annotations

import modal_nb as modal

app = modal.App("bench-crowd")


@app.cls(max_containers=1, scaledown_window=2)
class First:
    @modal.method()
    def noop(self) -> None: ...


@app.cls(max_containers=1, scaledown_window=600)
class One:
    number: int = modal.parameter(default=0)

    @modal.method()
    def noop(self, x: object = None) -> object:
        return x
