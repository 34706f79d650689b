"""How long the phases of a container's start took: its process, the imports of its class, its enter hooks."""

from __future__ import annotations

from itertools import pairwise

from modal_nb.supervisor.records import Container

#: in their order, with what people read while they last
PHASES = {"launch": "its process starts", "imports": "imports", "enter": "enter hooks"}


def phase(container: Container) -> str:
    """The one that it is in; "" if it has started."""
    return next((name for name, (_, end) in _spans(container).items() if not end), "")


def begun(container: Container) -> float:
    """When that began."""
    return next((start for start, end in _spans(container).values() if not end), container.born)


def breakdown(container: Container) -> dict[str, float]:
    """Seconds of each phase that is over, and of all of them once it has started."""
    spans = _spans(container)
    seconds = {name: round(end - start, 3) for name, (start, end) in spans.items() if end}
    if len(seconds) == len(spans):
        seconds["total"] = round(container.ready_at - container.born, 3)
    return seconds


def _spans(container: Container) -> dict[str, tuple[float, float]]:
    """From when to when; 0.0: not yet."""
    moments = [container.born, container.greeted_at, container.loaded_at, container.ready_at]
    return dict(zip(PHASES, pairwise(moments), strict=True))
