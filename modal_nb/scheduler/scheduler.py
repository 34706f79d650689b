"""The scheduler's only door: one event in, the effects of it out."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from modal_nb.scheduler import (
    admission,
    apps,
    attempts,
    orphans,
    parts,
    pauses,
    pins,
    placement,
    reports,
    sending,
    starts,
    stops,
    turns,
    waits,
    wishes,
)
from modal_nb.scheduler.effects import Effect, FailInput, FailureKind
from modal_nb.scheduler.events import (
    AppAdopted,
    AppOpened,
    AppOrphaned,
    AppStopped,
    AutoscalerUpdated,
    ClientLost,
    ContainerAsked,
    ContainerExited,
    ContainerLaunched,
    ContainerReady,
    ContainerStartFailed,
    ContainerStopAsked,
    Event,
    InputArrived,
    InputCancelled,
    InputFinished,
    InputPaused,
    InputReturned,
    LimitChanged,
    PartFinished,
    PinnedArrived,
    PoolOpened,
    PoolReplaced,
    ShutdownBegan,
    TimePassed,
)
from modal_nb.scheduler.ledger import Ledger
from modal_nb.scheduler.reports import ContainerView, PoolStats
from modal_nb.scheduler.rules import Rules
from modal_nb.scheduler.settling import settle, settle_pins
from modal_nb.scheduler.share import Share
from modal_nb.scheduler.timers import fire
from modal_nb.scheduler.waits import Wait
from modal_nb.spec.resources import MachineLimit
from modal_nb.spec.scaling import Autoscaler


class Scheduler:
    """All decisions of one supervisor.

    The supervisor calls ``feed`` for each thing that happens, performs the effects in order, and feeds
    ``TimePassed`` at ``wake_at()``. ``now`` is in monotonic seconds; it may repeat and must not go back.
    Messages that come late, twice or about something that is gone are ignored: ``feed`` does not raise.
    """

    def __init__(
        self,
        machine: MachineLimit,
        *,
        queue_bound: int = 100_000,
        cancel_grace: float = 1.0,
        stop_grace: float = 30.0,
        rules: Rules | None = None,
    ) -> None:
        if rules is None:
            rules = Rules(queue_bound=queue_bound, cancel_grace=cancel_grace, stop_grace=stop_grace)
        self._ledger = Ledger(machine, rules)
        self._handlers: dict[type, Callable[[Any, float], None]] = {
            AppOpened: lambda event, _: apps.opened(self._ledger, event),
            AppStopped: lambda event, now: apps.stopped(self._ledger, event, now),
            AppOrphaned: lambda event, now: orphans.orphaned(self._ledger, event, now),
            AppAdopted: lambda event, now: orphans.adopted(self._ledger, event, now),
            ClientLost: lambda event, now: apps.client_lost(self._ledger, event.client, now),
            PoolOpened: lambda event, now: orphans.pool_opened(self._ledger, event, now),
            PoolReplaced: lambda event, now: apps.replaced(self._ledger, event, now),
            AutoscalerUpdated: self._autoscaler_updated,
            InputArrived: self._input_arrived,
            PinnedArrived: lambda event, now: pins.arrived(self._ledger, event, now),
            InputCancelled: self._input_cancelled,
            ContainerLaunched: self._container_launched,
            ContainerReady: self._container_ready,
            ContainerStartFailed: self._container_start_failed,
            InputFinished: lambda event, now: turns.input_finished(self._ledger, event, now),
            InputReturned: lambda event, now: turns.input_returned(self._ledger, event, now),
            PartFinished: lambda event, now: parts.finished(self._ledger, event, now),
            InputPaused: lambda event, now: pauses.paused(self._ledger, event, now),
            ContainerExited: self._container_exited,
            ContainerStopAsked: self._container_stop_asked,
            ContainerAsked: lambda event, now: wishes.grant(self._ledger, event.pool, now),
            LimitChanged: self._limit_changed,
            TimePassed: lambda *_: None,  # what is due is looked at after every event
            ShutdownBegan: self._shutdown_began,
        }

    # -- the two calls of the supervisor's loop

    def feed(self, event: Event, now: float) -> list[Effect]:
        """What is to be done because of this event, in order."""
        ledger = self._ledger
        self._handlers[type(event)](event, now)
        for subject in ledger.deadlines.pop_due(now):
            fire(ledger, subject, now)
        if ledger.repinned:
            settle_pins(ledger, now)
        if ledger.unsettled:
            settle(ledger, now)
        effects = ledger.out.copy()
        ledger.out.clear()
        return effects

    def wake_at(self) -> float | None:
        """When to feed ``TimePassed`` next; None: never, until something else happens."""
        return self._ledger.deadlines.wake_at()

    def next_number(self) -> int:
        """For an app, a pool, an input or a client; the scheduler takes its own from the same counter."""
        return self._ledger.next_number()

    # -- views; none of them changes anything

    def pool_number(self, app: int, key: str) -> int | None:
        """The pool that this key means in this app, if it is known: asked before ``PoolOpened`` is fed."""
        pool = self._ledger.keys.get((app, key))
        return None if pool is None else pool.number

    def pool_stats(self, pool: int) -> PoolStats:
        found = self._ledger.pools.get(pool)
        return PoolStats(0, 0, 0, 0) if found is None else reports.stats(found)

    def autoscaler(self, pool: int) -> Autoscaler | None:
        """The settings as declared or last updated."""
        found = self._ledger.pools.get(pool)
        return None if found is None else found.asked

    def containers(self, pool: int) -> list[ContainerView]:
        """All that are not dead, in the order of their launch."""
        found = self._ledger.pools.get(pool)
        return [] if found is None else reports.views(found)

    def why(self, pool: int) -> str:
        """One plain sentence on what this pool waits for."""
        found = self._ledger.pools.get(pool)
        return "this pool is gone" if found is None else reports.why(self._ledger, found)

    def waits(self, inputs: Iterable[int]) -> dict[int, Wait]:
        """Why those of them that have no outcome have none."""
        return waits.waits(self._ledger, inputs)

    def retired(self, pool: int) -> bool:
        """A newer definition has replaced it."""
        found = self._ledger.pools.get(pool)
        return found is not None and found.retired

    def lingers(self, pool: int) -> bool:
        """Its notebook went, and nobody has opened it again."""
        found = self._ledger.pools.get(pool)
        return found is not None and found.lingering

    def refusal(self, pool: int) -> str:
        """Why ``ContainerAsked`` would be ignored now, as a sentence; "" if it would not."""
        return wishes.refusal(self._ledger, pool)

    def container_count(self) -> int:
        """Containers of all pools that are not dead."""
        return len(self._ledger.containers)

    # -- apps and pools

    def _autoscaler_updated(self, event: AutoscalerUpdated, now: float) -> None:
        pool = self._ledger.pools.get(event.pool)
        if pool is not None:
            apps.updated(self._ledger, pool, event.settings, now)
            placement.scale_up(self._ledger, pool, now)
            placement.review(self._ledger, now)

    def _limit_changed(self, event: LimitChanged, now: float) -> None:
        ledger = self._ledger
        ledger.machine, ledger.limit = event.machine, Share.whole(event.machine)
        placement.shrink(ledger, now)
        for pool in list(ledger.pools.values()):
            placement.scale_up(ledger, pool, now)
            ledger.forget_if_empty(pool)
        placement.review(ledger, now)

    def _shutdown_began(self, event: ShutdownBegan, now: float) -> None:
        self._ledger.closing = True
        for app in list(self._ledger.apps.values()):
            if not app.stopping:
                apps.stop(self._ledger, app, now, finish=True)

    # -- inputs

    def _input_arrived(self, event: InputArrived, now: float) -> None:
        ledger = self._ledger
        pool = ledger.pools.get(event.pool)
        if event.input in ledger.inputs:
            return
        refusal = admission.refusal(ledger, pool, event.count)
        if pool is None or refusal is not None:
            ledger.out.append(FailInput(event.input, refusal or FailureKind.POOL_GONE))
            return
        orphans.used(ledger, pool, now)
        pool.quiet_at = now + pool.settings.scaledown_window
        admission.accept(ledger, pool, event, now)
        sending.place(ledger, pool, now)
        ledger.touch(pool, now)
        if pool.queue.backlog or pool.settings.buffer_containers or pool.target < pool.slots:
            placement.scale_up(ledger, pool, now)

    def _input_cancelled(self, event: InputCancelled, now: float) -> None:
        ledger = self._ledger
        input = ledger.inputs.get(event.input)
        if input is None:
            return
        container = None if input.ahead else input.container
        attempts.cancel(ledger, input, now)
        if event.terminate and container is not None:
            stops.kill(ledger, container, "an input was cancelled together with its container", now)
            placement.scale_up(ledger, container.pool, now)
        ledger.touch(input.pool, now)
        ledger.forget_if_empty(input.pool)

    # -- containers

    def _container_launched(self, event: ContainerLaunched, now: float) -> None:
        container = self._ledger.containers.get(event.container)
        if container is not None:
            starts.launched(self._ledger, container, now)

    def _container_ready(self, event: ContainerReady, now: float) -> None:
        container = self._ledger.containers.get(event.container)
        if container is not None and starts.ready(self._ledger, container, now):
            pins.pump(self._ledger, container, now)
            sending.place(self._ledger, container.pool, now)
            turns.if_idle(self._ledger, container, now)

    def _container_start_failed(self, event: ContainerStartFailed, now: float) -> None:
        ledger = self._ledger
        container = ledger.containers.get(event.container)
        if container is None or container.ready:
            return
        counts = container.serving
        if event.launched:
            stops.let_end(ledger, container, now)
        else:
            stops.bury(ledger, container, now)
        if counts:
            starts.failed(ledger, container, FailureKind.START_FAILED, now)
        turns.container_ended(ledger, container.pool, now)

    def _container_exited(self, event: ContainerExited, now: float) -> None:
        ledger = self._ledger
        container = ledger.containers.get(event.container)
        if container is None:
            return
        starting = container.serving and not container.ready
        useless = container.ready and not container.served and not container.held
        pins.turn_away(ledger, container, FailureKind.CRASHED, event.cause)
        stops.bury(ledger, container, now)
        attempts.lost(ledger, container, event.cause, now)
        if starting:
            starts.failed(ledger, container, FailureKind.START_FAILED, now)
        elif useless:
            starts.hold_back(ledger, container.pool, now)
        turns.container_ended(ledger, container.pool, now)

    def _container_stop_asked(self, event: ContainerStopAsked, now: float) -> None:
        container = self._ledger.containers.get(event.container)
        if container is None:
            return
        if event.kill:
            stops.kill(self._ledger, container, event.reason, now)
        else:
            stops.drain(self._ledger, container, event.reason, now)
        placement.scale_up(self._ledger, container.pool, now)
