"""Reports of pools, and what changed between two of them: the same arithmetic on both sides of the wire.

A report is JSON: a dict of plain values (``supervisor/chronicle.py`` makes it and lists its keys). Applying the
differences to the first report, in order, gives the last one.
"""

from __future__ import annotations

from typing import Any

Report = dict[str, Any]
Diff = dict[str, Any]

#: points of the history that a report holds at most
MOST_POINTS = 600
#: keys whose values are lists that only some items change of
_LISTS = ("containers", "history")
#: always there: which pool, and when
_PLACE = ("pool", "now")


def difference(old: Report, new: Report) -> Diff | None:
    """What makes ``new`` of ``old``, two reports of one pool; None if nothing but the time has changed."""
    diff = {
        key: value
        for key, value in new.items()
        if key not in _LISTS + _PLACE and old.get(key, _LISTS) != value
    }
    containers = _containers(old["containers"], new["containers"])
    if containers:
        diff["containers"] = containers
    points = _points(old["history"], new["history"])
    if points:
        diff["history"] = {"add": points}
    return {"pool": new["pool"], "now": new["now"], **diff} if diff else None


def applied(report: Report, diff: Diff) -> Report:
    """``report`` with the changes of ``diff``; a new dict, nothing of the old one is changed."""
    changed = report | {key: value for key, value in diff.items() if key not in _LISTS}
    if "containers" in diff:
        changed["containers"] = _changed(report["containers"], diff["containers"])
    if "history" in diff:
        changed["history"] = [*report["history"], *diff["history"]["add"]][-MOST_POINTS:]
    return changed


def _containers(old: list[Any], new: list[Any]) -> Diff:
    known = {container["id"]: container for container in old}
    ids = {container["id"] for container in new}
    changed = [container for container in new if known.get(container["id"]) != container]
    gone = [identity for identity in known if identity not in ids]
    return {"set": changed, "gone": gone} if changed or gone else {}


def _changed(containers: list[Any], change: Diff) -> list[Any]:
    """Containers are in the order of their birth; ``set`` holds them whole."""
    left = {container["id"]: container for container in containers}
    left |= {container["id"]: container for container in change.get("set", ())}
    for identity in change.get("gone", ()):
        left.pop(identity, None)
    return sorted(left.values(), key=birth)


def birth(container: dict[str, Any]) -> tuple[float, str]:
    """The order of containers in a report."""
    return container["born"], container["id"]


def _points(old: list[Any], new: list[Any]) -> list[Any]:
    """Points are only ever added, each later than those before."""
    if not old:
        return new
    last = old[-1][0]
    at = len(new)
    while at and new[at - 1][0] > last:
        at -= 1
    return new[at:]
