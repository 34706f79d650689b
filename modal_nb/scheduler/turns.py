"""Who is next: what follows when a slot is free, a container idle, a place empty."""

from __future__ import annotations

from modal_nb.scheduler import attempts, nesting, pins, placement, sending, stops
from modal_nb.scheduler.containers import Container
from modal_nb.scheduler.events import InputFinished, InputReturned
from modal_nb.scheduler.ledger import Ledger
from modal_nb.scheduler.pool import Pool
from modal_nb.spec.lifecycle import ContainerState


def input_finished(ledger: Ledger, event: InputFinished, now: float) -> None:
    container = attempts.finished(ledger, event, now)
    if container is not None:
        slot_freed(ledger, container, now)


def input_returned(ledger: Ledger, event: InputReturned, now: float) -> None:
    container = attempts.returned(ledger, event, now)
    if container is not None:
        slot_freed(ledger, container, now)
        placement.scale_up(ledger, container.pool, now)


def slot_freed(ledger: Ledger, container: Container, now: float) -> None:
    """A container holds one input less: it ends, gives its place back, takes the next, or is idle."""
    pool = container.pool
    if not container.serving:
        stops.stop_if_empty(ledger, container, now)
    elif container.pins:
        pins.pump(ledger, container, now)
    elif pool.spec.limits.single_use:
        stops.drain(ledger, container, "it serves one input only", now)
    elif ledger.starving and placement.gives_back(ledger, container, now):
        stops.drain(ledger, container, "gives its place to a pool that has none", now)
    sending.place(ledger, pool, now)
    ledger.touch(pool, now)
    if container.serving:
        pool.rest(container, now)
        if_idle(ledger, container, now)
    else:
        placement.scale_up(ledger, pool, now)
        placement.review(ledger, now)


def if_idle(ledger: Ledger, container: Container, now: float) -> None:
    """Look again when its window is over; whether somebody else needs its place, look now."""
    if container.state is not ContainerState.IDLE:
        return
    pool = container.pool
    due = now + pool.settings.scaledown_window
    if due < pool.armed:
        ledger.deadlines.arm(pool, due)
    if ledger.wanting:
        placement.review(ledger, now)
    if ledger.crowded:
        placement.thin_out(ledger, now)


def container_ended(ledger: Ledger, pool: Pool, now: float) -> None:
    """Somebody else takes its inputs and its place."""
    nesting.look_again(ledger, pool)
    sending.place(ledger, pool, now)
    placement.scale_up(ledger, pool, now)
    placement.review(ledger, now)
    ledger.forget_if_empty(pool)
