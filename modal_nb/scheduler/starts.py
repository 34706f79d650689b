"""How a container comes up, and what happens when it does not."""

from __future__ import annotations

from math import inf

from modal_nb.scheduler import attempts
from modal_nb.scheduler.containers import Container
from modal_nb.scheduler.effects import FailureKind
from modal_nb.scheduler.ledger import Ledger
from modal_nb.scheduler.pool import Pool
from modal_nb.spec.lifecycle import ContainerState


def launched(ledger: Ledger, container: Container, now: float) -> None:
    if container.state is ContainerState.STARTING:
        container.move(ContainerState.ENTERING, now)
        ledger.touch(container.pool, now)


def ready(ledger: Ledger, container: Container, now: float) -> bool:
    """It joins the ready ones, and failed starts are forgiven. False: it may not, for it is to end."""
    launched(ledger, container, now)
    if container.state is not ContainerState.ENTERING:
        return False
    pool = container.pool
    container.move(ContainerState.IDLE, now)
    container.start_deadline = inf
    container.ready_at = now
    pool.start_failures = 0
    pool.ready += not container.aside
    pool.idle[container] = None
    pool.relist(container)
    ledger.touch(pool, now)
    return True


def failed(ledger: Ledger, container: Container, kind: FailureKind, now: float) -> None:
    """Count a failed start; when too many failed in a row, whoever waits is told and starts are held back.

    Containers that were on their way when the budget was spent are not held against those who come later.
    """
    pool = container.pool
    if container.generation != pool.generation:
        return
    pool.start_failures += 1
    if pool.start_failures < pool.spec.limits.start_budget:
        return
    if pool.ready == pool.blocked:
        seconds = pool.spec.limits.startup_timeout if kind is FailureKind.STARTUP_TIMEOUT else 0.0
        attempts.fail_waiting(ledger, pool, kind, seconds=seconds, times=pool.start_failures)
    pool.start_failures = 0
    pool.generation += 1
    hold_back(ledger, pool, now)


def hold_back(ledger: Ledger, pool: Pool, now: float) -> None:
    """No more starts for a while, but for an input that has nothing else to serve it."""
    rules = ledger.rules
    pool.back_off = min(rules.back_off_last, max(rules.back_off_first, 2 * pool.back_off))
    pool.hold_until = now + pool.back_off
    ledger.deadlines.arm(pool, pool.hold_until)
    ledger.touch(pool, now)
