"""The clock of a generator that waits for its reader."""

from __future__ import annotations

from math import inf

from modal_nb.scheduler import attempts, nesting
from modal_nb.scheduler.events import InputPaused
from modal_nb.scheduler.ledger import Ledger


def paused(ledger: Ledger, event: InputPaused, now: float) -> None:
    """Its time stands still while it waits. An input that was asked to end has a deadline that does not."""
    found = attempts.heard(ledger, event)
    if found is None or found[1].cancelling:
        return
    container, input = found
    nesting.moved(ledger, input)
    if container.calling:
        ledger.unsettled[container] = None
    if event.paused and input.left == inf:
        input.left, input.deadline = input.deadline - now, inf
    elif not event.paused and input.left != inf:
        input.deadline, input.left = now + input.left, inf
        ledger.deadlines.arm(container, input.deadline)
