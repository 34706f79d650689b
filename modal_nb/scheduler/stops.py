"""How a container comes to its end: drained, stopped, killed, gone."""

from __future__ import annotations

from math import inf

from modal_nb.scheduler import attempts, pins
from modal_nb.scheduler.containers import Container
from modal_nb.scheduler.effects import FailureKind, KillContainer, StopContainer
from modal_nb.scheduler.ledger import Ledger
from modal_nb.spec.lifecycle import ContainerState


def _withdraw(ledger: Ledger, container: Container, now: float) -> None:
    """It takes no more inputs from here on; its place comes back when it is dead."""
    if not container.serving:
        return
    pool = container.pool
    pool.withdraw(container)
    if not container.blocked:
        ledger.ending += pool.request
    container.move(ContainerState.DRAINING, now)
    container.start_deadline = inf
    pins.turn_away(ledger, container, FailureKind.APP_STOPPED if pool.closing else FailureKind.CONTAINER_GONE)
    ledger.touch(pool, now)


def drain(ledger: Ledger, container: Container, reason: str, now: float) -> None:
    """It finishes what it runs, runs its exit hooks and ends; one that has no process yet just ends."""
    if not container.serving:
        return
    if container.state is ContainerState.STARTING:
        kill(ledger, container, reason, now)
        return
    _withdraw(ledger, container, now)
    container.reason = reason
    ahead = container.ahead
    if ahead is not None and not ahead.over:
        attempts.recall(ledger, ahead)
    stop_if_empty(ledger, container, now)


def stop_if_empty(ledger: Ledger, container: Container, now: float) -> None:
    """Called for a draining container whenever it may have lost its last input."""
    if container.held or container.stopped or container.killed:
        return
    container.stopped = True
    container.stop_deadline = now + ledger.rules.stop_grace
    ledger.deadlines.arm(container, container.stop_deadline)
    ledger.out.append(StopContainer(container.number, container.reason))


def let_end(ledger: Ledger, container: Container, now: float) -> None:
    """Its start failed and it ends by itself; a kill follows if it does not."""
    _withdraw(ledger, container, now)
    container.stopped, container.reason = True, "its start failed"
    container.stop_deadline = min(container.stop_deadline, now + ledger.rules.stop_grace)
    ledger.deadlines.arm(container, container.stop_deadline)


def kill(ledger: Ledger, container: Container, reason: str, now: float) -> None:
    """End it now. What it holds waits again when it is known to be dead: never two attempts at a time."""
    if container.killed:
        return
    _withdraw(ledger, container, now)
    container.killed, container.reason = True, reason
    container.stop_deadline = inf
    for input in container.held.values():
        input.deadline = input.recall_at = inf
    if container.calling:
        ledger.unsettled[container] = None
    ledger.out.append(KillContainer(container.number, reason))


def bury(ledger: Ledger, container: Container, now: float) -> None:
    """It is dead: its place is free, its number means nothing any more."""
    pool = container.pool
    pins.turn_away(ledger, container, FailureKind.CONTAINER_GONE)
    if container.serving:
        pool.withdraw(container)
    elif not container.blocked:
        ledger.ending -= pool.request
    container.move(ContainerState.DEAD, now)
    if not container.blocked:
        ledger.used -= pool.request
    ledger.stuck = False
    ledger.deadlines.disarm(container)
    del ledger.containers[container.number]
    del pool.containers[container.number]
    ledger.touch(pool, now)
