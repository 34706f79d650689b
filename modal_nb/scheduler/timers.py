"""What happens when a moment has come: timeouts, graces, recalls, batches, retries, idle windows, reports."""

from __future__ import annotations

from math import inf

from modal_nb.scheduler import apps, attempts, orphans, placement, retry, sending, starts, stops
from modal_nb.scheduler.containers import Container
from modal_nb.scheduler.deadlines import Timed
from modal_nb.scheduler.effects import FailureKind, PublishReport
from modal_nb.scheduler.inputs import Input
from modal_nb.scheduler.ledger import Ledger
from modal_nb.scheduler.pool import App, Pool


def fire(ledger: Ledger, subject: Timed, now: float) -> None:
    """Look at a subject of the deadlines, do what is due, and arm it for what comes next."""
    if isinstance(subject, Container):
        _container(ledger, subject, now)
    elif isinstance(subject, Pool):
        _pool(ledger, subject, now)
    elif isinstance(subject, Input):
        _again(ledger, subject, now)
    elif isinstance(subject, App):
        orphans.look(ledger, subject, now)
    else:
        placement.review(ledger, now)
        placement.thin_out(ledger, now)


def _container(ledger: Ledger, container: Container, now: float) -> None:
    if container.killed:
        return
    due = container.next_time()
    if due > now:  # most often: what it was armed for has ended long ago
        ledger.deadlines.arm(container, due)
        return
    if container.start_deadline <= now:
        _too_slow_to_start(ledger, container, now)
    elif container.stop_deadline <= now:
        _too_slow_to_stop(ledger, container, now)
    else:
        _inputs(ledger, container, now)
    ledger.deadlines.arm(container, container.next_time())
    placement.scale_up(ledger, container.pool, now)


def _too_slow_to_start(ledger: Ledger, container: Container, now: float) -> None:
    seconds = container.pool.spec.limits.startup_timeout
    stops.kill(ledger, container, f"not ready within startup_timeout={seconds:g} s", now)
    starts.failed(ledger, container, FailureKind.STARTUP_TIMEOUT, now)


def _too_slow_to_stop(ledger: Ledger, container: Container, now: float) -> None:
    """In an app that ends, what still runs has had its time."""
    if container.pool.closing:
        for input in list(container.held.values()):
            if not input.over:
                attempts.fail(ledger, input, FailureKind.APP_STOPPED)
    stops.kill(ledger, container, f"did not end within {ledger.rules.stop_grace:g} s", now)


def _inputs(ledger: Ledger, container: Container, now: float) -> None:
    for input in list(container.held.values()):
        if input.recall_at <= now:
            attempts.recall(ledger, input)
        if input.deadline > now:
            continue
        if input.cancelling:
            container.ignored = True
            stops.kill(ledger, container, "an input did not end when it was cancelled", now)
            return
        if input.over:  # of a batch that others still wait for
            input.deadline = inf
            continue
        attempts.time_out(ledger, input, now)
        ledger.touch(container.pool, now)


def _again(ledger: Ledger, input: Input, now: float) -> None:
    """The delay before another attempt is over."""
    retry.due(ledger, input)
    sending.place(ledger, input.pool, now)
    placement.scale_up(ledger, input.pool, now)
    ledger.touch(input.pool, now)


def _pool(ledger: Ledger, pool: Pool, now: float) -> None:
    if pool.stale and pool.report_due <= now:
        pool.stale = False
        pool.report_due = now + ledger.rules.report_every
        ledger.out.append(PublishReport(pool.number))
    sending.place(ledger, pool, now)
    apps.expire(ledger, pool, now)
    placement.scale_up(ledger, pool, now)
    if pool.stale:
        ledger.deadlines.arm(pool, pool.report_due)
    if pool.hold_until > now:
        ledger.deadlines.arm(pool, pool.hold_until)
