"""How long each attempt has waited for its reader, by the words of its container."""

from __future__ import annotations

from math import inf

from modal_nb.scheduler import events as ev


class Pauses:
    """The witness's own clock for that; ``now`` in seconds."""

    def __init__(self) -> None:
        #: (input, attempt) -> since when it waits, and how long it did before
        self._known: dict[tuple[int, int], tuple[float | None, float]] = {}

    def hear(self, event: ev.InputPaused, held: dict[int, tuple[int, float]], now: float) -> None:
        """``held``: what its container has, input -> (attempt, since when it runs)."""
        key, (attempt, begun) = (event.input, event.attempt), held.get(event.input, (0, inf))
        since, before = self._known.get(key, (None, 0.0))
        if event.paused and attempt == event.attempt and begun != inf:
            self._known[key] = (now, before)
        elif not event.paused and since is not None:
            self._known[key] = (None, before + now - since)

    def of(self, input: int, attempt: int, now: float) -> float:
        """Seconds of this attempt that are not of its time."""
        since, before = self._known.get((input, attempt), (None, 0.0))
        return before + (now - since if since is not None else 0.0)
