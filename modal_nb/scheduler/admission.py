"""Whether an input is taken, and how it begins to wait."""

from __future__ import annotations

from modal_nb.scheduler import nesting, placement
from modal_nb.scheduler.effects import FailureKind
from modal_nb.scheduler.events import InputArrived
from modal_nb.scheduler.inputs import Input
from modal_nb.scheduler.ledger import Ledger
from modal_nb.scheduler.pool import Pool
from modal_nb.scheduler.sending import singles


def refusal(ledger: Ledger, pool: Pool | None, count: int) -> FailureKind | None:
    """Why ``count`` more inputs cannot be taken; None if they can."""
    if ledger.closing or (pool is not None and pool.closing):
        return FailureKind.APP_STOPPED
    if pool is None:
        return FailureKind.POOL_GONE
    if not pool.serving and not placement.could_fit(ledger, pool):
        return FailureKind.DOES_NOT_FIT
    if pool.queue.backlog + len(pool.postponed) + count > ledger.rules.queue_bound:
        return FailureKind.QUEUE_FULL
    return None


def accept(ledger: Ledger, pool: Pool, event: InputArrived, now: float) -> None:
    """The input waits. Where a container serves one input only, a chunk can only travel apart."""
    weight = 1 if pool.short() else event.count
    input = Input(event.input, pool, event.client, event.count, weight, now, event.batch)
    ledger.inputs[event.input] = input
    if event.parent:
        nesting.adopt(ledger, input, event.parent)
    if input.count > 1 and pool.spec.limits.single_use and not input.line:
        for single in singles(ledger, input):
            pool.queue.push(single)
    else:
        pool.queue.push(input)
