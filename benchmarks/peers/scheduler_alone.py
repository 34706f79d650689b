"""What one input costs in modal_nb's scheduler alone: it is a pure function, so nothing else has to run."""

from __future__ import annotations

import gc
import itertools
import statistics
import time
from collections import deque
from collections.abc import Callable

from benchmarks.peers.peer import BasePeer
from modal_nb.scheduler.effects import LaunchContainer, SendInput
from modal_nb.scheduler.events import (
    AppOpened,
    ContainerLaunched,
    ContainerReady,
    Event,
    InputArrived,
    InputFinished,
    Outcome,
    PoolOpened,
)
from modal_nb.scheduler.scheduler import Scheduler
from modal_nb.spec.pool import PoolSpec
from modal_nb.spec.resources import MachineLimit
from modal_nb.spec.scaling import Autoscaler

CLIENT = 1
#: inputs that are timed together, and how often: the fastest tenth of the tries is free of what else the machine does
INPUTS, TRIES = 100, 60


class Desk:
    """A scheduler whose queues stay as long as they are: one input ends, the next is sent, another one arrives."""

    def __init__(self, queued: int, pools: int, containers: int) -> None:
        self.scheduler = Scheduler(MachineLimit(containers=containers, cpu=1e6, memory=10**9))
        self.now = 0.0
        #: what was sent and has not ended, oldest first
        self.running: deque[SendInput] = deque()
        self.pool_of: dict[int, int] = {}
        app = self.scheduler.next_number()
        self.feed(AppOpened(app, "app", CLIENT))
        self.pools = [self.scheduler.next_number() for _ in range(pools)]
        for pool in self.pools:
            spec = PoolSpec(f"key {pool}", f"lineage {pool}", "Model", Autoscaler(0, 1, 0, 60))
            self.feed(PoolOpened(pool, app, spec))
        for _, pool in zip(range(queued), itertools.cycle(self.pools), strict=False):
            self.arrive(pool)
        # as many more as now run, so that so many wait
        for sent in list(self.running):
            self.arrive(self.pool_of[sent.container])

    def feed(self, event: Event) -> None:
        self.now += 1e-5
        for effect in self.scheduler.feed(event, self.now):
            if isinstance(effect, LaunchContainer):
                self.pool_of[effect.container] = effect.pool
                self.feed(ContainerLaunched(effect.container))
                self.feed(ContainerReady(effect.container))
            elif isinstance(effect, SendInput):
                self.running.append(effect)

    def arrive(self, pool: int) -> None:
        self.feed(InputArrived(self.scheduler.next_number(), pool, CLIENT))

    def pass_one(self) -> None:
        sent = self.running.popleft()
        self.feed(InputFinished(sent.container, sent.input, sent.attempt, Outcome.OK, 0.001))
        self.arrive(self.pool_of[sent.container])


def microseconds(queued: int, pools: int, containers: int) -> float:
    desk = Desk(queued, pools, containers)
    for _ in range(INPUTS):
        desk.pass_one()
    samples = []
    gc.collect()
    for _ in range(TRIES):
        start = time.perf_counter()
        for _ in range(INPUTS):
            desk.pass_one()
        samples.append((time.perf_counter() - start) / INPUTS * 1e6)
    return statistics.quantiles(samples, n=10)[0]


class Peer(BasePeer):
    def costs(self) -> dict[str, Callable[[], float]]:
        return {
            "10 inputs wait in 1 pool, 1 container": lambda: microseconds(10, 1, 1),
            "10,000 inputs wait in 1 pool, 1 container": lambda: microseconds(10_000, 1, 1),
            "10,000 inputs wait in 1,000 pools, 1,000 containers": lambda: microseconds(10_000, 1_000, 1_000),
            "10,000 inputs wait in 1,000 pools, 8 containers": lambda: microseconds(10_000, 1_000, 8),
        }
