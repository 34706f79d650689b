"""Ray actors: how they start, one and many of them."""

from __future__ import annotations

import itertools
import os
import time
from collections.abc import Callable

# read when ray is imported
os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
os.environ["RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO"] = "0"

import ray

from benchmarks import processes
from benchmarks.light import Heavy, Light
from benchmarks.peers.peer import CONTAINERS, CROWD, BasePeer, Crowd, Start

#: seconds of a task that needs a process, and after which Ray has as many idle ones as cores again
NAP_S, REFILL_S = 0.3, 1.5
IDLE = "Ray actor, on an idle process of its pool"


@ray.remote
def nap() -> None:
    time.sleep(NAP_S)


class Peer(BasePeer):
    def setup(self) -> None:
        ray.init(
            num_cpus=max(CONTAINERS), include_dashboard=False, log_to_driver=False, logging_level="ERROR"
        )
        self.light = ray.remote(num_cpus=0)(Light)
        # an actor that asks for no core gets no idle process, but a new one
        self.light_of_pool, self.heavy_of_pool = (ray.remote(num_cpus=1)(kind) for kind in (Light, Heavy))
        self.serial = itertools.count()
        self._fill()
        self.crowd: list[ray.actor.ActorHandle] = []

    def teardown(self) -> None:
        ray.shutdown()

    @staticmethod
    def _fill() -> None:
        """So that there is an idle process for the next actor."""
        ray.get([nap.remote() for _ in CONTAINERS])
        time.sleep(REFILL_S)

    def starts(self) -> list[Start]:
        return [
            Start("G", IDLE, lambda: self._first(self.light_of_pool), self._fill, tries=3),
            Start("G", "Ray actor, in a new process", lambda: self._first(self.light, new=True), tries=3),
            Start("H", IDLE, lambda: self._first(self.heavy_of_pool), self._fill, tries=3),
        ]

    def _first(self, kind: ray.actor.ActorClass, *, new: bool = False) -> Callable[[], object]:
        # an environment of its own: no idle process can serve it
        own = {"runtime_env": {"env_vars": {"BENCH_START": str(next(self.serial))}}} if new else {}
        actor = kind.options(**own).remote()
        ray.get(actor.noop.remote())
        return lambda: ray.kill(actor)

    def crowds(self) -> list[Crowd]:
        return [
            Crowd("Ray actors", self._start_crowd, self._call_crowd, self._crowd_pids, self._daemons),
        ]

    def _start_crowd(self) -> None:
        self.crowd = [self.light.remote() for _ in range(CROWD)]
        self._call_crowd()

    def _call_crowd(self) -> list[object]:
        return ray.get([actor.noop.remote() for actor in self.crowd])

    def _crowd_pids(self) -> list[int]:
        return ray.get([actor.pid.remote() for actor in self.crowd])

    def _daemons(self) -> list[int]:
        actors = set(self._crowd_pids())
        return [process.pid for process in processes.others() if process.pid not in actors]
