"""Pinned inputs: each is for one very container, waits until that runs nothing, and runs there alone.

Nothing starts, moves or runs again because of them, and they have no time limit: somebody looks at what they do.
"""

from __future__ import annotations

from math import inf

from modal_nb.scheduler import attempts
from modal_nb.scheduler.containers import Container
from modal_nb.scheduler.effects import FailInput, FailureKind, SendInput
from modal_nb.scheduler.events import PinnedArrived
from modal_nb.scheduler.inputs import Input
from modal_nb.scheduler.ledger import Ledger
from modal_nb.spec.lifecycle import ContainerState, ExitCause


def arrived(ledger: Ledger, event: PinnedArrived, now: float) -> None:
    """It joins the line of its container, which gives back what it has not begun."""
    if event.input in ledger.inputs:
        return
    container = ledger.containers.get(event.container)
    if container is None or not container.serving:
        ledger.out.append(FailInput(event.input, FailureKind.CONTAINER_GONE))
        return
    pool = container.pool
    if pool.queue.backlog + len(pool.postponed) + len(container.pins) >= ledger.rules.queue_bound:
        ledger.out.append(FailInput(event.input, FailureKind.QUEUE_FULL))
        return
    input = Input(event.input, pool, event.client, count=1, weight=0, since=now)
    input.pinned, input.aside = container, event.aside
    ledger.inputs[event.input] = input
    pool.pin(container, input)
    ledger.repinned[container] = None
    for other in container.held.values():
        if other.recall_at < inf and not other.over:
            attempts.recall(ledger, other)


def pump(ledger: Ledger, container: Container, now: float) -> None:
    """Send the first in line, if the container runs nothing."""
    if not container.pins or container.held or not container.ready:
        return
    input = next(iter(container.pins))
    input.attempt += 1
    input.container = container
    container.held[input.number] = input
    container.taken += 1
    if container.state is ContainerState.IDLE:
        container.move(ContainerState.BUSY, now)
        del container.pool.idle[container]
    ledger.out.append(SendInput(container.number, input.number, input.attempt))
    ledger.touch(container.pool, now)


def turn_away(
    ledger: Ledger, container: Container, kind: FailureKind, cause: ExitCause | None = None
) -> None:
    """The container ends: what waits for it fails; what it runs has its outcome later."""
    for input in [input for input in container.pins if input.container is None]:
        ledger.unpin(input)
        attempts.fail(ledger, input, kind, cause=cause, times=int(cause is not None))
