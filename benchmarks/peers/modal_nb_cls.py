"""modal_nb, by its public API alone."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Callable
from typing import Any

import numpy as np

import modal_nb as modal
from benchmarks.peers.peer import CONTAINERS, IN_FLIGHT, BasePeer, Burst, Payload, in_slices
from benchmarks.work import Service

app = modal.App("bench")


@app.cls(min_containers=1, max_containers=1)
class One:
    @modal.enter()
    def make(self) -> None:
        self.service = Service()

    @modal.method()
    def noop(self, x: object = None) -> object:
        return x

    @modal.method()
    def take(self, array: np.ndarray) -> float:
        return self.service.take(array)

    @modal.method()
    def give(self, size: int) -> np.ndarray:
        return self.service.give(size)


@app.cls(min_containers=2, max_containers=2)
class Two:
    @modal.method()
    def noop(self, x: object = None) -> object:
        return x


class Peer(BasePeer):
    def setup(self) -> None:
        self.running = contextlib.ExitStack()
        self.running.enter_context(app.run())
        self.services = dict(zip(CONTAINERS, (One(), Two()), strict=True))
        for service in self.services.values():
            assert list(service.noop.map(range(100))) == list(range(100))
        # somebody looks, as with an open panel: reports are made and read all the time
        threading.Thread(target=self._look, daemon=True).start()

    def _look(self) -> None:
        with contextlib.suppress(Exception):
            self.services[1].wait_for(containers=99, timeout=None)

    def teardown(self) -> None:
        self.running.close()

    def sync_calls(self) -> dict[str, Callable[[], object]]:
        noop = self.services[1].noop
        return {"modal_nb .remote()": noop.remote}

    def bursts(self) -> list[Burst]:
        found = []
        for n, service in self.services.items():
            found += [
                Burst(
                    "B", f"modal_nb .remote.aio(), {IN_FLIGHT:,} in flight", n, in_slices(self._aio(service))
                ),
                Burst("C", "modal_nb .map()", n, self._map(service), first=20_000),
            ]
        return found

    def payloads(self) -> list[Payload]:
        return [Payload("modal_nb .remote()", self.services[1].take.remote, self.services[1].give.remote)]

    @staticmethod
    def _aio(service: Any) -> Callable[[int], object]:
        async def gather(n: int) -> None:
            await asyncio.gather(*(service.noop.remote.aio(i) for i in range(n)))

        return lambda n: asyncio.run(gather(n))

    @staticmethod
    def _map(service: Any) -> Callable[[int], object]:
        return lambda n: list(service.noop.map(range(n)))
