"""The supervisor as commands see it: asked if it runs, never started by a question."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator
from typing import NamedTuple

from modal_nb.client import launcher
from modal_nb.client.link import Link, LinkLost
from modal_nb.exception import NotFoundError
from modal_nb.protocol import messages as ms
from modal_nb.protocol.connection import places
from modal_nb.spec.lifecycle import ContainerState
from modal_nb.version import __version__

#: ids in a sentence, at most: logs are kept of many
_LISTED = 10


class Found(NamedTuple):
    """A container with what it belongs to."""

    app: ms.AppStatus
    pool: ms.PoolStatus
    container: ms.ContainerStatus


def running_link() -> Link | None:
    """A connection to the supervisor of this home, if one runs."""
    connection = launcher.find(places())
    if connection is None:
        return None
    try:
        hello = ms.Hello(role="client", pid=os.getpid(), version=__version__)
        return Link(connection.socket, bytes.fromhex(connection.key), hello, lambda _: None, lambda _: None)
    except (OSError, LinkLost):
        return None


def link() -> Link:
    """The same; NotFoundError if none runs."""
    found = running_link()
    if found is None:
        raise NotFoundError("no supervisor runs here")
    return found


def status(link: Link) -> ms.Status:
    return link.ask(ms.StatusAsk(), ms.Status)[0]


def pool_named(link: Link, name: str) -> ms.PoolStatus:
    """The one pool of this class, or of this number. NotFoundError lists what there is."""
    pools = [pool for one in status(link).apps for pool in one.pools]
    meant = [pool for pool in pools if name in {pool.service, str(pool.pool)}]
    if len(meant) == 1:
        return meant[0]
    there = ", ".join(f"{pool.pool} ({pool.service})" for pool in meant or pools) or "none"
    raise NotFoundError(f"{'several pools' if meant else 'no pool'} of {name!r}; by number: {there}")


def containers(found: ms.Status) -> Iterator[Found]:
    """Of all apps."""
    for app in found.apps:
        for pool in app.pools:
            for container in pool.containers:
                yield Found(app, pool, container)


def container_named(link: Link, identity: str) -> Found:
    """The one container whose id begins so. NotFoundError names those that live."""
    living = list(containers(status(link)))
    known = {found.container.id: found for found in living}
    return known[whole_id(identity, known)]


def alive(link: Link, identity: str) -> bool:
    """Whether the container lives; not if its supervisor is gone."""
    try:
        return any(
            found.container.id == identity and found.container.state != ContainerState.DEAD
            for found in containers(status(link))
        )
    except LinkLost:
        return False


def whole_id(identity: str, known: Collection[str]) -> str:
    """The id that is meant by its beginning, with or without "ct-". NotFoundError names those that there are."""
    if identity in known:
        return identity
    meant = [one for one in known if identity and one.startswith((identity, f"ct-{identity}"))]
    if len(meant) == 1:
        return meant[0]
    if meant:
        raise NotFoundError(f"several containers begin with {identity!r}: {', '.join(sorted(meant))}")
    there = ", ".join(sorted(known)[-_LISTED:]) or "none"
    raise NotFoundError(f"no container {identity!r} lives here; there are: {there}")
