"""How a container started, and how long that took: its snapshot, its process, imports of its class, its hooks."""

from __future__ import annotations

from itertools import pairwise

from modal_nb.supervisor.records import Container, Way

#: in their order, with what people read while they last
PHASES = {
    "snapshot": "its memory snapshot is made",
    "launch": "its process starts",
    "imports": "imports",
    "enter": "enter hooks",
}


def phase(container: Container) -> str:
    """The one that it is in; "" if it has started."""
    return next((name for name, (_, end) in _spans(container).items() if not end), "")


def begun(container: Container) -> float:
    """When that began."""
    return next((start for start, end in _spans(container).values() if not end), container.born)


def breakdown(container: Container) -> dict[str, float]:
    """Seconds of each phase that is over, and of all of them once it has started."""
    spans = _spans(container)
    seconds = {name: round(end - start, 4) for name, (start, end) in spans.items() if end}
    if len(seconds) == len(spans):
        seconds["total"] = round(container.ready_at - container.born, 4)
    return seconds


def way(container: Container) -> str:
    """How its process came to be, in words; "" as long as that is not known."""
    why = f": {container.why_plain}" if container.why_plain else ""
    match container.way:
        case Way.SNAPSHOT:
            return "forked from its memory snapshot"
        case Way.FORK:
            return f"forked{f', no memory snapshot{why}' if why else ''}"
        case Way.PLAIN:
            return f"started plainly{why}"
    return ""


def _spans(container: Container) -> dict[str, tuple[float, float]]:
    """From when to when; 0.0: not yet."""
    moments = [container.born, container.greeted_at, container.loaded_at, container.ready_at]
    names = list(PHASES)[1:]
    if container.pool.spec.snapshot:
        moments.insert(1, container.origin_at)
        names = list(PHASES)
    return dict(zip(names, pairwise(moments), strict=True))
