"""IPython Parallel: engines are kernels behind a hub."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable

import ipyparallel as ipp

from benchmarks.light import Light
from benchmarks.peers.peer import CONTAINERS, CROWD, BasePeer, Burst, Crowd, Payload, Start
from benchmarks.work import Service

NOOP, TAKE, GIVE, PID = (ipp.Reference(f"service.{name}") for name in ("noop", "take", "give", "pid"))


def noop(x: object = None) -> object:
    return x


class Peer(BasePeer):
    def setup(self) -> None:
        self.cluster = ipp.Cluster(n=max(CONTAINERS), log_level=logging.CRITICAL)
        self.client = self.cluster.start_and_connect_sync()
        self._place(self.client[:], Service())
        self.views = {n: self.client[self.client.ids[:n]] for n in CONTAINERS}

    def teardown(self) -> None:
        self.client.close()
        self.cluster.stop_cluster_sync()

    @staticmethod
    def _place(view: ipp.DirectView, service: object) -> None:
        """An object that stays, on each engine of the view."""
        view.use_cloudpickle()
        view.push({"service": service}, block=True)

    def sync_calls(self) -> dict[str, Callable[[], object]]:
        one = self.views[1]
        return {"ipyparallel apply_sync of a method": lambda: one.apply_sync(NOOP)}

    def bursts(self) -> list[Burst]:
        found = []
        for n, view in self.views.items():
            found += [
                Burst(
                    "B", "ipyparallel apply_async of a method", n, self._pipelined(n), first=500, most=2_000
                ),
                Burst(
                    "C", "ipyparallel map, one message for each engine", n, self._mapped(view), first=50_000
                ),
            ]
        return found

    def _pipelined(self, engines: int) -> Callable[[int], object]:
        views = [self.client[number] for number in self.client.ids[:engines]]
        return lambda n: self.client.wait([views[i % engines].apply_async(NOOP, i) for i in range(n)])

    @staticmethod
    def _mapped(view: ipp.DirectView) -> Callable[[int], object]:
        return lambda n: view.map_async(noop, range(n)).get()

    def payloads(self) -> list[Payload]:
        one = self.client[0]
        return [
            Payload(
                "ipyparallel apply_sync of a method",
                lambda array: one.apply_sync(TAKE, array),
                lambda size: one.apply_sync(GIVE, size),
            )
        ]

    def starts(self) -> list[Start]:
        return [Start("G", "ipyparallel, one engine more", self._one_more, tries=1)]

    def _one_more(self) -> None:
        self._more(1).apply_sync(NOOP)

    def _more(self, count: int) -> ipp.DirectView:
        before = set(self.client.ids)
        self.cluster.start_engines_sync(count)
        while len(new := sorted(set(self.client.ids) - before)) < count:
            time.sleep(0.002)
        view = self.client[new]
        self._place(view, Light())
        return view

    def crowds(self) -> list[Crowd]:
        return [Crowd("ipyparallel engines", self._start_crowd, self._call_crowd, self._crowd_pids)]

    def _start_crowd(self) -> None:
        self.crowd = self._more(CROWD)
        self._call_crowd()

    def _call_crowd(self) -> object:
        return self.crowd.apply_sync(NOOP)

    def _crowd_pids(self) -> list[int]:
        return self.crowd.apply_sync(PID)
