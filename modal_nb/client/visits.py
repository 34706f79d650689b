"""Visits to living containers: which there are for an instance, and a cell or a debugger in one of them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from modal_nb.client import binding, pinned
from modal_nb.client import session as sessions
from modal_nb.client.pool import Pool
from modal_nb.exception import NotFoundError
from modal_nb.protocol.containers import ContainersAsk, ContainersFound, FoundContainer
from modal_nb.protocol.guests import CELL, COROUTINE_CELL, POST_MORTEM
from modal_nb.runtime.whereabouts import Where

if TYPE_CHECKING:
    from modal_nb.client.obj import Obj

#: seconds without a command after which a debugger in a container is left
PATIENCE = 1800.0
_SERVING = ("idle", "busy")


@dataclass(frozen=True, slots=True)
class Place:
    """One container that can be visited."""

    pool: Pool
    found: FoundContainer

    def run_cell(self, code: str, *, is_async: bool = False) -> None:
        """Run a cell beside the object that serves there; waits for what runs. What it raises is raised."""
        __tracebackhide__ = True
        pinned.call(self.pool, self.found.number, COROUTINE_CELL if is_async else CELL, (code,))

    def debug(self, input_id: str, patience: float = PATIENCE) -> None:
        """A debugger on the frames of this input, which failed there; the pool does without the container meanwhile."""
        __tracebackhide__ = True
        pinned.call(self.pool, self.found.number, POST_MORTEM, (input_id, patience), aside=True)


def places(obj: Obj, container: str = "", *, everywhere: bool = False) -> list[Place]:
    """The containers of an instance: one, an idle one if there is one; or that with this id; or all of them.

    NotFoundError where there is none.
    """
    pool = binding.bind(obj)
    found = [place for place in of_pool(pool) if place.found.state in _SERVING]
    service = pool.spec.service
    if container:
        found = [place for place in found if place.found.id == container]
        if not found:
            raise NotFoundError(f"{service} has no container {container} that serves; {_there_are(pool)}")
    if not found:
        raise NotFoundError(
            f"{service} has no container that serves: call a method of it first, or keep one warm by "
            f"update_autoscaler(min_containers=1); {_there_are(pool)}"
        )
    found.sort(key=lambda place: (bool(place.found.running), place.found.number))
    return found if everywhere else found[:1]


def of_pool(pool: Pool) -> list[Place]:
    """All containers of a pool, also those that start."""
    told = pool.app.session.ask(lambda: ContainersAsk(pool=pool.number), ContainersFound)
    return [Place(pool, found) for found in told.containers]


def where_failed(where: Where) -> Place | None:
    """The container that an exception comes from, if it lives and is one of this process's apps."""
    return next((place for place in _all() if place.found.id == where.container), None)


def by_id(container: str) -> Place:
    """NotFoundError for a container that does not live, or is not of an app of this process."""
    found = next((place for place in _all() if place.found.id == container), None)
    if found is None:
        raise NotFoundError(
            f"{container} is no container that lives and belongs to an app of this notebook: `modal-nb container list` "
            "lists all there are"
        )
    return found


def _all() -> Iterator[Place]:
    for app in list(sessions.current().apps):
        for pool in list(app.pools.values()):
            if pool.number:
                yield from of_pool(pool)


def _there_are(pool: Pool) -> str:
    found = [f"{place.found.id} ({place.found.state})" for place in of_pool(pool)]
    return f"there are {', '.join(found)}" if found else "there are none now"
