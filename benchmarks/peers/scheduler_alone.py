"""modal_nb's scheduler alone: it is a pure function, so nothing else has to run."""

from __future__ import annotations

from benchmarks.peers.peer import BasePeer
from benchmarks.scheduler_cost import costs


class Peer(BasePeer):
    def costs(self) -> dict[str, float]:
        return costs()
