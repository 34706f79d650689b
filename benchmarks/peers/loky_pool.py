"""loky: a pool of processes for plain functions (no object, no scheduler)."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from loky import ProcessPoolExecutor

from benchmarks.peers.peer import CONTAINERS, IN_FLIGHT, BasePeer, Burst, Payload, Start, in_slices
from benchmarks.work import Service


def noop(x: object = None) -> object:
    return x


#: each process of a pool has one
SERVICE = Service()


def take(array: np.ndarray) -> float:
    return SERVICE.take(array)


def give(size: int) -> np.ndarray:
    return SERVICE.give(size)


class Peer(BasePeer):
    def setup(self) -> None:
        self.pools = {n: ProcessPoolExecutor(max_workers=n) for n in CONTAINERS}
        for pool in self.pools.values():
            list(pool.map(noop, range(8)))

    def teardown(self) -> None:
        for pool in self.pools.values():
            pool.shutdown(kill_workers=True)

    def sync_calls(self) -> dict[str, Callable[[], object]]:
        pool = self.pools[1]
        return {"loky submit().result()": lambda: pool.submit(noop).result()}

    def bursts(self) -> list[Burst]:
        found = []
        for n, pool in self.pools.items():
            found += [
                Burst("B", f"loky submit(), {IN_FLIGHT:,} in flight", n, in_slices(self._submit(pool))),
                Burst("C", "loky map, chunks of 1", n, self._map(pool, 1)),
                Burst("C", "loky map, chunks of 64", n, self._map(pool, 64), first=50_000),
            ]
        return found

    def payloads(self) -> list[Payload]:
        pool = self.pools[1]
        return [
            Payload(
                "loky submit().result()",
                lambda array: pool.submit(take, array).result(),
                lambda size: pool.submit(give, size).result(),
            )
        ]

    def starts(self) -> list[Start]:
        return [Start("G", "loky, a new pool of one", self._new_pool)]

    @staticmethod
    def _new_pool() -> Callable[[], object]:
        pool = ProcessPoolExecutor(max_workers=1)
        pool.submit(noop).result()
        return lambda: pool.shutdown(kill_workers=True)

    @staticmethod
    def _submit(pool: ProcessPoolExecutor) -> Callable[[int], object]:
        return lambda n: [future.result() for future in [pool.submit(noop, i) for i in range(n)]]

    @staticmethod
    def _map(pool: ProcessPoolExecutor, chunk: int) -> Callable[[int], object]:
        return lambda n: list(pool.map(noop, range(n), chunksize=chunk))
