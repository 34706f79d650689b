"""What a peer is: one system that serves a method, started fresh in a process of its own."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass

import numpy as np

#: name on the command line -> module with a class `Peer`, and the sections that it has figures for
PEERS = {
    "floors": ("benchmarks.peers.floors", "ABCFGH"),
    "ray": ("benchmarks.peers.ray_actor", "ABEF"),
    "ray_starts": ("benchmarks.peers.ray_starts", "GHI"),
    "dask": ("benchmarks.peers.dask_actor", "ABCFGI"),
    "ipyparallel": ("benchmarks.peers.ipyparallel_engine", "ABCFGI"),
    "loky": ("benchmarks.peers.loky_pool", "ABCFG"),
    "ipykernel": ("benchmarks.peers.plain_ipykernel", "AB"),
    "ipykernel_starts": ("benchmarks.peers.ipykernel_starts", "GHI"),
    "modal_nb": ("benchmarks.peers.modal_nb_cls", "ABCF"),
    "modal_nb_starts": ("benchmarks.peers.modal_nb_starts", "GH"),
    "modal_nb_crowd": ("benchmarks.peers.modal_nb_crowd", "I"),
    "ray_serve": ("benchmarks.peers.ray_serve", "DE"),
    "ray_serve_tuned": ("benchmarks.peers.ray_serve_tuned", "DE"),
    "modal_nb_serving": ("benchmarks.peers.modal_nb_serving", "DE"),
    "scheduler": ("benchmarks.peers.scheduler_alone", "J"),
}
#: how many containers (actors, processes, kernels) answer
CONTAINERS = (1, 2)
#: single calls that one client has under way at a time
IN_FLIGHT = 1_000
#: section I: how many containers there are at a time
CROWD = 50


@dataclass(frozen=True, slots=True)
class Burst:
    """A way to make many calls: `run(n)` returns when it holds all n results."""

    section: str
    what: str
    #: of the table: how many containers answer, or in section D how many inputs a batch may have
    column: int
    run: Callable[[int], object]
    #: calls of the first try; more follow until a burst is long enough to be timed
    first: int = 2_000
    most: int = 1_000_000


@dataclass(frozen=True, slots=True)
class Payload:
    """A way to give an array, and one to get one of so many bytes: each returns when the other side has it."""

    what: str
    give: Callable[[np.ndarray], object] | None
    get: Callable[[int], object] | None = None


@dataclass(frozen=True, slots=True)
class Start:
    """From no container to the first result of one. `run` may return what ends it again, which is not timed."""

    section: str
    what: str
    run: Callable[[], Callable[[], object] | None]
    #: makes that the container is gone again, or whatever else must be so before; not timed
    prepare: Callable[[], object] = lambda: None
    tries: int = 5


@dataclass(frozen=True, slots=True)
class Crowd:
    """A way to have CROWD containers."""

    what: str
    #: from none of them to a result from each
    start: Callable[[], object]
    #: one call into each, and all their results
    call_all: Callable[[], object]
    #: process ids of all that is there for them
    processes: Callable[[], Iterable[int]]
    #: process ids of what looks after them, if its idle processor time is asked for
    keepers: Callable[[], Iterable[int]] | None = None


class BasePeer:
    """A peer that has nothing to say; each says what it has."""

    def setup(self) -> None:
        """Bring everything up and make a first call to each container."""

    def teardown(self) -> None:
        """End everything that setup started."""

    def sync_calls(self) -> dict[str, Callable[[], object]]:
        """Section A: each makes one blocking no-op call."""
        return {}

    def bursts(self) -> list[Burst]:
        """Sections B to E."""
        return []

    def payloads(self) -> list[Payload]:
        """Section F."""
        return []

    def starts(self) -> list[Start]:
        """Sections G and H; their tries take turns."""
        return []

    def crowds(self) -> list[Crowd]:
        """Section I."""
        return []

    def costs(self) -> dict[str, float]:
        """Section J: microseconds of one input in the scheduler alone."""
        return {}


def in_slices(run: Callable[[int], object], most: int = IN_FLIGHT) -> Callable[[int], None]:
    """Make n calls, never more than `most` of them at a time."""

    def sliced(n: int) -> None:
        for start in range(0, n, most):
            run(min(most, n - start))

    return sliced


def in_window(
    runner: asyncio.Runner, call: Callable[[int], Awaitable[object]], most: int = IN_FLIGHT
) -> Callable[[int], None]:
    """Await n calls, `most` of them at a time: the next one starts when one is answered."""

    async def gather(n: int) -> None:
        numbers = iter(range(n))

        async def one_after_another() -> None:
            for number in numbers:
                await call(number)

        await asyncio.gather(*(one_after_another() for _ in range(most)))

    return lambda n: runner.run(gather(n))
