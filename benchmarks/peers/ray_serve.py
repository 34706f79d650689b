"""Ray Serve with one replica for each deployment, called through handles; no proxy, no access log."""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Callable

# read when ray is imported
os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
os.environ["RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO"] = "0"
# keeps Ray on the loopback address: elsewhere than on Linux that is its default
os.environ["RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER"] = "0"

import numpy as np
import ray
from ray import serve

from benchmarks.peers.peer import IN_FLIGHT, BasePeer, Burst, in_window
from benchmarks.work import BATCH_SIZES, SIDE_BY_SIDE, WAIT_MS, Model, pause, some_rows

QUIET = {"enable_access_log": False, "log_level": "ERROR"}


def batches(size: int) -> serve.Application:
    # all calls in flight may wait in the replica: else a batch is not filled
    @serve.deployment(max_ongoing_requests=2 * IN_FLIGHT, ray_actor_options={"num_cpus": 0})
    class Batches:
        def __init__(self) -> None:
            self.model = Model()

        @serve.batch(max_batch_size=size, batch_wait_timeout_s=WAIT_MS / 1_000)
        async def __call__(self, rows: list[np.ndarray]) -> list[int]:
            return self.model.classes(rows)

    return Batches.bind()


@serve.deployment(max_ongoing_requests=SIDE_BY_SIDE, ray_actor_options={"num_cpus": 0})
class SideBySide:
    async def __call__(self, x: object) -> object:
        return await pause(x)


class Peer(BasePeer):
    name = "Ray Serve"

    def setup(self) -> None:
        logging.getLogger("ray.serve").setLevel(logging.ERROR)
        ray.init(
            num_cpus=2,
            include_dashboard=False,
            log_to_driver=False,
            logging_level="ERROR",
            object_store_memory=512 << 20,
        )
        serve.start(proxy_location="Disabled", logging_config=QUIET)
        self.rows = some_rows()
        apps = {f"batches-{size}": batches(size) for size in BATCH_SIZES}
        apps["side-by-side"] = SideBySide.bind()
        *handles, self.pause = serve.run_many(
            [
                serve.RunTarget(app, name, route_prefix=None, logging_config=QUIET)
                for name, app in apps.items()
            ]
        )
        self.batches = dict(zip(BATCH_SIZES, handles, strict=True))
        self.runner = asyncio.Runner()
        self.runner.run(self._first_calls())

    async def _first_calls(self) -> None:
        expected = Model().classes(self.rows[:8])
        for handle in self.batches.values():
            assert await asyncio.gather(*(handle.remote(row) for row in self.rows[:8])) == expected
        assert await self.pause.remote(7) == 7

    def teardown(self) -> None:
        ray.shutdown()

    def bursts(self) -> list[Burst]:
        batched = [
            Burst("D", f"{self.name}, @serve.batch", size, in_window(self.runner, self._one_row(handle)))
            for size, handle in self.batches.items()
        ]
        side_by_side = in_window(self.runner, self.pause.remote)
        return [*batched, Burst("E", f"{self.name}, async method", 1, side_by_side, first=IN_FLIGHT)]

    def _one_row(self, handle: serve.handle.DeploymentHandle) -> Callable[[int], object]:
        return lambda number: handle.remote(self.rows[number % len(self.rows)])
