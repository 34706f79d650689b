"""Pools come into the books here, whoever asks: a client, a deployment, or the store after a restart."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from modal_nb.protocol import messages as ms
from modal_nb.protocol.codec import Frame
from modal_nb.scheduler import events as ev
from modal_nb.supervisor.records import App, Pool

if TYPE_CHECKING:
    from modal_nb.supervisor.reactor import Reactor

log = logging.getLogger("modal_nb.supervisor")

#: letters of what a client says of a pool for people
_LONGEST_LABEL = 500


def open_pool(
    reactor: Reactor, app: App, asked: ms.PoolOpen, launch: ms.Launch, load: Frame
) -> tuple[Pool, bool]:
    """The pool of this key, and whether it is new to the books."""
    scheduler = reactor.scheduler
    number = scheduler.pool_number(app.number, asked.spec.key)
    new = number is None
    if number is None:
        number = scheduler.next_number()
        reactor.pools[number] = Pool(
            number,
            app,
            asked.spec,
            launch,
            bytes(load),
            asked.load_parts,
            asked.spec.autoscaler,
            parameters=asked.parameters[:_LONGEST_LABEL],
            variant=asked.variant[:_LONGEST_LABEL],
        )
        log.info("pool opened number=%d app=%s service=%s", number, app.id, asked.spec.service)
    elif scheduler.lingers(number) and not app.orphaned:
        # its next containers start as whoever came back says
        pool = reactor.pools[number]
        if pool.launch != launch:
            reactor.fleet.snapshots.drop(number)
        pool.launch, pool.load, pool.load_parts = launch, bytes(load), asked.load_parts
    reactor.feed(ev.PoolOpened(number, app.number, asked.spec))
    return reactor.pools[number], new
