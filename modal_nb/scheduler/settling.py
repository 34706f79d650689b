"""What follows when nested calls have begun or ended: places given and taken back, deadlocks resolved."""

from __future__ import annotations

from math import inf

from modal_nb.scheduler import attempts, deadlocks, nesting, placement
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


def _give_back_ahead(ledger: Ledger, container: Container) -> None:
    ahead = container.ahead
    if ahead is not None and not ahead.over and ahead.recall_at < inf:
        attempts.recall(ledger, ahead)
