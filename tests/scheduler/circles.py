"""Who can never move again: the graph of who waits for whom, taken whole and reduced until nothing changes."""

from __future__ import annotations

from collections.abc import Hashable, Iterable


def doomed(waits: dict[Hashable, Iterable[Hashable]]) -> set[Hashable]:
    """``waits``: who waits, and for whom; whoever is not in it moves. Gives those from whom nobody who moves is met.

    Nothing clever: so that it can judge what is.
    """
    left = set(waits)
    while True:
        freed = {who for who in left if any(other not in left for other in waits[who])}
        if not freed:
            return left
        left -= freed
