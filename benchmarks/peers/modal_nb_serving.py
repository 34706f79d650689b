"""modal_nb's batches and inputs side by side, by its public API alone."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
from collections.abc import Callable
from typing import Any

import numpy as np

import modal_nb as modal
from benchmarks.peers.peer import IN_FLIGHT, BasePeer, Burst, in_window
from benchmarks.work import BATCH_SIZES, SIDE_BY_SIDE, WAIT_MS, Model, pause, some_rows

app = modal.App("bench-serving")


@app.cls(min_containers=1, max_containers=1)
class Batches:
    @modal.enter()
    def load(self) -> None:
        self.model = Model()

    @modal.batched(max_batch_size=max(BATCH_SIZES), wait_ms=WAIT_MS)
    def classes(self, rows: list[np.ndarray]) -> list[int]:
        return self.model.classes(rows)


@app.cls(min_containers=1, max_containers=1)
@modal.concurrent(max_inputs=SIDE_BY_SIDE)
class SideBySide:
    @modal.method()
    async def pause(self, x: object) -> object:
        return await pause(x)


class Peer(BasePeer):
    def setup(self) -> None:
        self.runner = asyncio.Runner()
        self.running = contextlib.ExitStack()
        self.running.enter_context(app.run())
        self.rows = some_rows()
        variants = [Batches.with_batching(max_batch_size=size, wait_ms=WAIT_MS) for size in BATCH_SIZES]
        self.batches = dict(zip(BATCH_SIZES, (variant().classes for variant in variants), strict=True))
        for method in self.batches.values():
            assert list(method.map(self.rows[:8])) == Model().classes(self.rows[:8])
        self.pause = SideBySide().pause
        assert self.pause.remote(7) == 7

    def teardown(self) -> None:
        self.running.close()

    def bursts(self) -> list[Burst]:
        awaited, mapped = f"modal_nb .remote.aio(), {IN_FLIGHT:,} in flight", "modal_nb .map()"
        found = []
        for size, method in self.batches.items():
            found += [
                Burst("D", awaited, size, in_window(self.runner, self._one_row(method))),
                Burst("D", mapped, size, self._all_rows(method)),
            ]
        return [
            *found,
            Burst("E", awaited, 1, in_window(self.runner, self.pause.remote.aio)),
            Burst("E", mapped, 1, lambda n: list(self.pause.map(range(n)))),
        ]

    def _one_row(self, method: Any) -> Callable[[int], Any]:
        return lambda number: method.remote.aio(self.rows[number % len(self.rows)])

    def _all_rows(self, method: Any) -> Callable[[int], object]:
        return lambda n: list(method.map(itertools.islice(itertools.cycle(self.rows), n)))
