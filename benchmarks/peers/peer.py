"""What a peer is: one system that serves a no-op method, started fresh in a process of its own."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

#: name on the command line -> module with a class `Peer`
PEERS = {
    "ray": "benchmarks.peers.ray_actor",
    "loky": "benchmarks.peers.loky_pool",
    "ipykernel": "benchmarks.peers.plain_ipykernel",
    "modal_nb": "benchmarks.peers.modal_nb_cls",
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
    containers: int
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
        """Sections B and C."""


def in_slices(run: Callable[[int], object], most: int = IN_FLIGHT) -> Callable[[int], None]:
    """Make n calls, never more than `most` of them at a time."""

    def sliced(n: int) -> None:
        for start in range(0, n, most):
            run(min(most, n - start))

    return sliced
