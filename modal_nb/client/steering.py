"""Steering a pool by its number: what a view does when somebody moves a slider or presses a button.

The same requests as ``obj.update_autoscaler`` makes, with the same checks; what changes is shown by the next report.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from modal_nb.exception import InvalidError
from modal_nb.protocol import messages as ms
from modal_nb.spec.scaling import Autoscaler, autoscaler_changes

if TYPE_CHECKING:
    from modal_nb.client.session import Session

_SETTINGS = tuple(Autoscaler.__slots__)


def update_autoscaler(session: Session, pool: int, changes: Mapping[str, Any]) -> Autoscaler:
    """Change the settings given; ``max_containers=None`` lifts the limit. InvalidError names what does not fit."""
    unknown = [name for name in changes if name not in _SETTINGS]
    if unknown or not changes:
        what = f"not {unknown[0]!r}" if unknown else "at least one of them"
        raise InvalidError(f"update_autoscaler() takes {', '.join(_SETTINGS)}, {what}")
    for name, value in changes.items():
        if value is None and name != "max_containers":
            raise InvalidError(f"`{name}` must be an int, not empty")
    checked: dict[str, Any] = {**autoscaler_changes(**changes)}
    if changes.get("max_containers", 0) is None:
        checked["max_containers"] = None
    for run in session.apps:
        for known in run.pools.values():
            if known.number == pool:
                return known.update_autoscaler(**checked)
    # a pool that code in a container has opened: a new supervisor hears of it from there
    return session.ask(ms.AutoscalerUpdate(pool=pool, **checked), ms.AutoscalerSettings).settings


def start_container(session: Session, pool: int) -> None:
    """One more container now, until it has been idle for the window. ConflictError says why not."""
    session.ask(ms.ContainerAsk(pool=pool), ms.Done)


def stop_container(session: Session, container: str, *, kill: bool = False) -> None:
    """Let it finish what it runs and end; ``kill``: end it now. NotFoundError if it has ended."""
    session.ask(ms.ContainerStop(id=container, kill=kill), ms.Done)
