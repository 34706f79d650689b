"""What a peer is: one system that serves a method, started fresh in a process of its own."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Protocol

#: name on the command line -> module with a class `Peer`, and the sections that it has figures for
PEERS = {
    "ray": ("benchmarks.peers.ray_actor", "ABE"),
    "loky": ("benchmarks.peers.loky_pool", "ABC"),
    "ipykernel": ("benchmarks.peers.plain_ipykernel", "AB"),
    "modal_nb": ("benchmarks.peers.modal_nb_cls", "ABC"),
    "ray_serve": ("benchmarks.peers.ray_serve", "DE"),
    "ray_serve_tuned": ("benchmarks.peers.ray_serve_tuned", "DE"),
    "modal_nb_serving": ("benchmarks.peers.modal_nb_serving", "DE"),
}
#: how many containers (actors, processes, kernels) answer
CONTAINERS = (1, 2)
#: single calls that one client has under way at a time
IN_FLIGHT = 1_000


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


class PeerProtocol(Protocol):
    """What a peer's class `Peer` has."""

    def setup(self) -> None:
        """Bring everything up and make a first call to each container."""

    def teardown(self) -> None:
        """End everything that setup started."""

    def sync_calls(self) -> dict[str, Callable[[], object]]:
        """Section A: each makes one blocking no-op call."""

    def bursts(self) -> list[Burst]:
        """Sections B to E."""


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
