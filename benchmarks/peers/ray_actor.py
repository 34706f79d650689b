"""Ray actors on a Ray of our own, on this machine."""

from __future__ import annotations

import asyncio
import itertools
import os
from collections.abc import Callable

# read when ray is imported
os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
os.environ["RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO"] = "0"

import ray

from benchmarks.peers.peer import CONTAINERS, IN_FLIGHT, BasePeer, Burst, Payload, in_slices, in_window
from benchmarks.work import SIDE_BY_SIDE, Service, pause


class SideBySide:
    async def pause(self, x: object) -> object:
        return await pause(x)


class Peer(BasePeer):
    def setup(self) -> None:
        ray.init(
            num_cpus=2,
            include_dashboard=False,
            log_to_driver=False,
            logging_level="ERROR",
            object_store_memory=1 << 30,
        )
        actor = ray.remote(num_cpus=0)(Service)
        self.actors = [actor.remote() for _ in range(max(CONTAINERS))]
        ray.get([actor.noop.remote() for actor in self.actors])
        self.side_by_side = ray.remote(num_cpus=0, max_concurrency=SIDE_BY_SIDE)(SideBySide).remote()
        ray.get(self.side_by_side.pause.remote(7))
        self.runner = asyncio.Runner()

    def teardown(self) -> None:
        ray.shutdown()

    def sync_calls(self) -> dict[str, Callable[[], object]]:
        noop = self.actors[0].noop
        return {"Ray actor": lambda: ray.get(noop.remote())}

    def bursts(self) -> list[Burst]:
        found = []
        for n in CONTAINERS:
            found += [
                Burst("B", "Ray actor, all calls at once", n, self._pipelined(n), first=10_000),
                Burst("B", f"Ray actor, {IN_FLIGHT:,} in flight", n, in_slices(self._pipelined(n))),
                Burst("B", f"Ray actor, {IN_FLIGHT:,} awaited in asyncio", n, in_slices(self._awaited(n))),
            ]
        pause = self.side_by_side.pause.remote
        return [
            *found,
            Burst("E", "Ray actor, async method, awaited in asyncio", 1, in_window(self.runner, pause)),
            Burst("E", "Ray actor, async method, all calls at once", 1, self._pauses),
        ]

    def payloads(self) -> list[Payload]:
        take, give = self.actors[0].take.remote, self.actors[0].give.remote
        return [Payload("Ray actor", lambda array: ray.get(take(array)), lambda size: ray.get(give(size)))]

    def _pauses(self, n: int) -> None:
        ray.get([self.side_by_side.pause.remote(i) for i in range(n)])

    def _calls(self, containers: int, n: int) -> list[ray.ObjectRef]:
        ring = itertools.cycle(self.actors[:containers])
        return [next(ring).noop.remote(i) for i in range(n)]

    def _pipelined(self, containers: int) -> Callable[[int], object]:
        return lambda n: ray.get(self._calls(containers, n))

    def _awaited(self, containers: int) -> Callable[[int], object]:
        async def gather(n: int) -> None:
            await asyncio.gather(*self._calls(containers, n))

        return lambda n: asyncio.run(gather(n))
