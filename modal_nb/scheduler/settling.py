"""What follows when nested calls have begun or ended: places given and taken back, deadlocks resolved."""

from __future__ import annotations

from math import inf

from modal_nb.scheduler import apps, attempts, deadlocks, nesting, pins, placement, sending
from modal_nb.scheduler.containers import Container
from modal_nb.scheduler.ledger import Ledger
from modal_nb.spec.lifecycle import ContainerState


def settle(ledger: Ledger, now: float) -> None:
    """Called at the end of an event that left containers unsettled; costs nothing where there are no nested calls."""
    while ledger.unsettled:
        nesting.refresh(ledger)
        touched = [container for container in ledger.unsettled if container.state is not ContainerState.DEAD]
        ledger.unsettled.clear()
        for container in touched:
            if container.blocked:
                _give_back_ahead(ledger, container)
        for pool in dict.fromkeys(container.pool for container in touched):
            placement.scale_up(ledger, pool, now)
        placement.review(ledger, now)
        placement.thin_out(ledger, now)
        for container in touched:
            for input in list(container.running()):
                if nesting.waits(input):
                    deadlocks.resolve(ledger, input, now)


def settle_pins(ledger: Ledger, now: float) -> None:
    """Pinned inputs came or went: whose turn it is there, and what their pools have more or less for everybody else."""
    while ledger.repinned:
        container, _ = ledger.repinned.popitem()
        if not container.serving:  # what ended it saw to its pool
            continue
        pool = container.pool
        container.aside_since = min(container.aside_since, now) if container.aside else inf
        pins.pump(ledger, container, now)
        sending.place(ledger, pool, now)
        apps.trim(ledger, pool, "a container that was aside is back: one too many for max_containers", now)
        nesting.look_again(ledger, pool)
        ledger.touch(pool, now)
        placement.scale_up(ledger, pool, now)
        placement.review(ledger, now)


def _give_back_ahead(ledger: Ledger, container: Container) -> None:
    ahead = container.ahead
    if ahead is not None and not ahead.over and ahead.recall_at < inf:
        attempts.recall(ledger, ahead)
