"""What people may ask: numbers, containers, and the reason why something waits."""

from __future__ import annotations

from dataclasses import dataclass
from math import inf

from modal_nb.scheduler import nesting, placement
from modal_nb.scheduler.batcher import Lines
from modal_nb.scheduler.containers import Container
from modal_nb.scheduler.ledger import Ledger
from modal_nb.scheduler.pool import Pool
from modal_nb.spec.lifecycle import ContainerState
from modal_nb.spec.scaling import Autoscaler


@dataclass(frozen=True, slots=True)
class PoolStats:
    """Modal's four numbers. An input that waits in a container behind another one counts as backlog."""

    backlog: int
    num_total_runners: int
    num_running_inputs: int
    input_headroom: int
    #: of the backlog: inputs that failed and wait for their next attempt
    postponed: int = 0
    #: attempts made again so far
    retried: int = 0
    #: batches sent so far, and the inputs in them
    batches: int = 0
    batched: int = 0
    #: a start that is wanted may be tried at this scheduler time, because others failed, and how long that wait is in
    #: all; whether the time is over, only who has a clock knows
    back_off: float = 0.0
    held_until: float = -inf
    #: its notebook went: until when its containers linger, and whether the notebook is back, without having opened it
    lingers_until: float = inf
    back: bool = False


@dataclass(frozen=True, slots=True)
class ContainerView:
    """One container as a report shows it."""

    number: int
    state: ContainerState
    #: scheduler time of the last change of state
    since: float
    #: numbers of the messages that run
    running: tuple[int, ...]
    #: slots that these take: a batch takes one
    taken: int
    #: inputs that it has finished
    served: int
    #: why it drains
    reason: str = ""
    #: inputs that run: all of a batch, all of a chunk
    inputs: int = 0
    #: inputs for this very container that wait or run, and since when they have it aside; inf: they have not
    pinned: int = 0
    aside_since: float = inf


def stats(pool: Pool) -> PoolStats:
    running = backlog = headroom = 0
    for container in pool.containers.values():
        for input in container.held.values():
            if input.ahead:
                backlog += 0 if input.over else input.count
            else:
                running += input.count
        backlog += sum(input.container is None for input in container.pins)
        free = container.ready and not container.pins
        headroom += max(0, pool.slots - container.taken) if free else 0
    held = _held(pool)
    return PoolStats(
        pool.queue.backlog + backlog + len(pool.postponed),
        len(pool.containers),
        running,
        headroom,
        len(pool.postponed),
        pool.retried,
        pool.batches,
        pool.batched,
        pool.back_off if held else 0.0,
        pool.hold_until if held else -inf,
        pool.app.lingers_until if pool.lingering else inf,
        pool.lingering and not pool.app.orphaned,
    )


def _held(pool: Pool) -> bool:
    """It will want to start a container when its back-off is over, and no input makes it try before."""
    if pool.hold_until == -inf or (pool.queue.backlog and not pool.ready):
        return False
    return pool.wanted(pool.hold_until) > 0


def views(pool: Pool) -> list[ContainerView]:
    return [
        ContainerView(
            container.number,
            container.state,
            container.since,
            tuple(input.number for input in container.held.values() if not input.ahead),
            _taken(container),
            container.served,
            container.reason,
            sum(input.count for input in container.running()),
            len(container.pins),
            container.aside_since,
        )
        for container in pool.containers.values()
    ]


def _taken(container: Container) -> int:
    """A pinned input takes all slots."""
    runs = any(input.pinned is not None for input in container.held.values())
    return container.pool.slots if runs else container.taken


def why(ledger: Ledger, pool: Pool) -> str:
    """One plain sentence on what the pool waits for."""
    queued = pool.queue.backlog
    reason = _reason(ledger, pool)
    if queued:
        reason = f"{queued} queued, {reason or 'waiting for a container to finish'}"
    if pool.postponed:
        again = f"{len(pool.postponed)} failed and will be tried again"
        reason = f"{reason}; {again}" if reason else again
    calling = [container for container in pool.containers.values() if container.calling]
    waiting = sum(nesting.waits(input) for container in calling for input in container.running())
    if waiting:
        calls = "input waits for calls of its own" if waiting == 1 else "inputs wait for calls of their own"
        reason = f"{reason}{'; ' * bool(reason)}{waiting} running {calls}"
    if pool.aside:
        aside = "containers are" if pool.aside > 1 else "container is"
        reason = f"{reason}{'; ' * bool(reason)}{pool.aside} {aside} aside while somebody looks inside"
    return reason or "nothing is queued"


def _reason(ledger: Ledger, pool: Pool) -> str:
    if pool.closing:
        return "the app is stopping"
    if pool.wanting or not placement.could_fit(ledger, pool):
        return machine(ledger, pool)
    starting = pool.serving - pool.ready
    if pool.back_off and not starting and (not pool.queue.backlog or pool.ready) and not _enough(pool):
        return f"starts failed: next try {pool.back_off:g} s after the last, or when an input needs it"
    if pool.queue.backlog and isinstance(pool.queue, Lines) and pool.roomiest():
        return "gathering a batch: it leaves when it is full, or its first input has waited for wait_ms"
    if pool.queue.backlog and _at_maximum(pool.settings, pool):
        if not pool.serving:
            return "waiting for a container that ends, to start a new one"
        return f"at max_containers={pool.settings.max_containers}: raise it to start more"
    if starting:
        return f"waiting for {starting} container{'s' * (starting > 1)} to start"
    return ""


def _enough(pool: Pool) -> bool:
    return pool.serving >= max(pool.settings.min_containers, -(-pool.queue.load // pool.target_load))


def _at_maximum(settings: Autoscaler, pool: Pool) -> bool:
    return settings.max_containers is not None and pool.had >= settings.max_containers


def machine(ledger: Ledger, pool: Pool) -> str:
    """Which limit of the machine is in the way, and who holds it if that will not change by itself."""
    room = ledger.limit
    if placement.could_fit(ledger, pool):
        room = ledger.limit - ledger.used
    limit, resources = ledger.machine, pool.spec.resources
    sentence = {
        "cpu": f"{limit.cpu:g} cores: one container asks for cpu={resources.cpu or 0:g}",
        "memory": f"{limit.memory} MiB: one container asks for memory={resources.memory or 0}",
    }.get(pool.request.lacking(room), f"{limit.containers} containers")
    if pool.starves() and not placement.can_be_helped(ledger, pool, placement.kept_warm(ledger)):
        aside = "containers that are aside, or " if any(p.aside for p in ledger.pools.values()) else ""
        sentence += f"; {aside}min_containers of other pools hold the rest: lower one, or raise the limit"
    return f"waiting for the machine-wide limit of {sentence}"
