"""Dask: actors on a cluster of processes of this machine, each under a nanny."""

from __future__ import annotations

import itertools
from collections.abc import Callable

import dask
from distributed import Actor, Client, LocalCluster

from benchmarks.light import Light
from benchmarks.peers.peer import (
    CONTAINERS,
    CROWD,
    IN_FLIGHT,
    BasePeer,
    Burst,
    Crowd,
    Payload,
    Start,
    in_slices,
)
from benchmarks.work import Service

# it warns of arguments of 10 MiB
dask.config.set({"distributed.admin.large-graph-warning-threshold": "1TB"})


def noop(x: object = None) -> object:
    return x


class Peer(BasePeer):
    def setup(self) -> None:
        self.cluster = LocalCluster(
            n_workers=max(CONTAINERS),
            threads_per_worker=1,
            processes=True,
            dashboard_address=None,
            silence_logs="CRITICAL",
        )
        self.client = Client(self.cluster)
        self.client.wait_for_workers(max(CONTAINERS))
        self.actors = self._actors(Service, self._addresses())
        self.crowd: list[Actor] = []

    def teardown(self) -> None:
        self.client.close()
        self.cluster.close()

    def _addresses(self) -> list[str]:
        return list(self.client.scheduler_info(n_workers=-1)["workers"])

    def _actors(self, kind: type, addresses: list[str]) -> list[Actor]:
        futures = [
            self.client.submit(kind, actor=True, workers=[address], pure=False) for address in addresses
        ]
        return [future.result() for future in futures]

    def sync_calls(self) -> dict[str, Callable[[], object]]:
        actor = self.actors[0]
        return {
            "Dask actor": lambda: actor.noop().result(),
            "Dask submit().result()": lambda: self.client.submit(noop, pure=False).result(),
        }

    def bursts(self) -> list[Burst]:
        found = []
        for n in CONTAINERS:
            found += [
                Burst(
                    "B", f"Dask actor, {IN_FLIGHT:,} in flight", n, in_slices(self._pipelined(n)), first=1_000
                ),
                Burst("C", "Dask Client.map", n, self._mapped(n), first=2_000, most=20_000),
            ]
        return found

    def _pipelined(self, containers: int) -> Callable[[int], object]:
        def run(n: int) -> None:
            ring = itertools.cycle(self.actors[:containers])
            for future in [next(ring).noop(number) for number in range(n)]:
                future.result()

        return run

    def _mapped(self, containers: int) -> Callable[[int], object]:
        only = self._addresses()[:containers]
        return lambda n: self.client.gather(self.client.map(noop, range(n), pure=False, workers=only))

    def payloads(self) -> list[Payload]:
        actor = self.actors[0]
        return [
            Payload(
                "Dask actor",
                lambda array: actor.take(array).result(),
                lambda size: actor.give(size).result(),
            )
        ]

    def starts(self) -> list[Start]:
        return [Start("G", "Dask, one more process under a nanny", self._one_more, tries=2)]

    def _one_more(self) -> None:
        self._more(1)[0].noop().result()

    def _more(self, count: int) -> list[Actor]:
        before = set(self._addresses())
        self.cluster.scale(len(before) + count)
        self.client.wait_for_workers(len(before) + count)
        return self._actors(Light, [address for address in self._addresses() if address not in before])

    def crowds(self) -> list[Crowd]:
        return [
            Crowd("Dask, processes under nannies", self._start_crowd, self._call_crowd, self._crowd_pids),
        ]

    def _start_crowd(self) -> None:
        self.crowd = self._more(CROWD)
        self._call_crowd()

    def _call_crowd(self) -> list[object]:
        return [future.result() for future in [actor.noop() for actor in self.crowd]]

    def _crowd_pids(self) -> list[int]:
        return [future.result() for future in [actor.pid() for actor in self.crowd]]
