"""Apps and the pools in them: opened, replaced, stopped."""

from __future__ import annotations

from modal_nb.scheduler import attempts, nesting, placement, stops
from modal_nb.scheduler.containers import Container
from modal_nb.scheduler.effects import FailureKind
from modal_nb.scheduler.events import AppOpened, AppStopped, PoolOpened, PoolReplaced
from modal_nb.scheduler.ledger import Ledger
from modal_nb.scheduler.pool import App, Pool
from modal_nb.spec.lifecycle import ContainerState
from modal_nb.spec.scaling import Autoscaler


def opened(ledger: Ledger, event: AppOpened) -> None:
    app = App(event.app, event.name, event.owner)
    app.stopping = ledger.closing
    ledger.apps.setdefault(event.app, app)
    ledger.forget_app_if_empty(app)


def pool_opened(ledger: Ledger, event: PoolOpened, now: float) -> None:
    """A known key is the same pool, also when it was replaced; a new key replaces the pool of its lineage."""
    app = ledger.apps.get(event.app)
    if app is None or app.stopping:
        return
    pool = ledger.keys.get((app.number, event.spec.key))
    if pool is None:
        pool = Pool(event.pool, app, event.spec, ledger.rules)
        app.pools[event.pool] = pool
        ledger.keys[app.number, event.spec.key] = pool
    elif event.pool not in ledger.pools:
        pool.numbers.append(event.pool)
    ledger.pools[event.pool] = pool
    older = ledger.lineages.get((app.number, pool.spec.lineage))
    ledger.lineages[app.number, pool.spec.lineage] = pool
    if pool.retired:
        pool.retire(False)
    ledger.touch(pool, now)
    if older is not None and older is not pool:
        retire(ledger, older, now)
    placement.scale_up(ledger, pool, now)
    placement.review(ledger, now)


def replaced(ledger: Ledger, event: PoolReplaced, now: float) -> None:
    pool = ledger.pools.get(event.pool)
    if pool is not None and not pool.retired:
        retire(ledger, pool, now)


def retire(ledger: Ledger, pool: Pool, now: float) -> None:
    """It serves what still comes, keeps nothing warm, and is forgotten when it is empty."""
    pool.retire(True)
    ledger.touch(pool, now)
    expire(ledger, pool, now)
    ledger.forget_if_empty(pool)
    placement.review(ledger, now)  # what it kept warm may be what another pool starves for


def updated(ledger: Ledger, pool: Pool, settings: Autoscaler, now: float) -> None:
    """New settings act at once: what is above the maximum drains, what is below the minimum starts."""
    pool.configure(settings)
    nesting.look_again(ledger, pool)
    ledger.touch(pool, now)
    trim(ledger, pool, f"max_containers is now {pool.settings.max_containers}", now)
    expire(ledger, pool, now)


def trim(ledger: Ledger, pool: Pool, reason: str, now: float) -> None:
    """What is above the maximum drains."""
    cap = pool.settings.max_containers
    if cap is not None and pool.serving > cap:
        order = sorted((c for c in pool.containers.values() if c.serving and not c.aside), key=_worth)
        for container in order[: pool.serving - cap]:
            stops.drain(ledger, container, reason, now)


_ORDER = (ContainerState.STARTING, ContainerState.ENTERING, ContainerState.IDLE, ContainerState.BUSY)


def _worth(container: Container) -> tuple[bool, int, int, float]:
    """Who ends first: those that start, then the longest idle, then those that hold least; last who is looked at."""
    return bool(container.pins), _ORDER.index(container.state), len(container.held), container.since


def expire(ledger: Ledger, pool: Pool, now: float) -> None:
    """Stop what has been idle too long and is not wanted any more, the longest idle first."""
    if pool.lingering:
        return
    window = pool.settings.scaledown_window
    while pool.idle and pool.serving > pool.desired(now):
        oldest = next(iter(pool.idle))
        if oldest.since + window > now:
            ledger.deadlines.arm(pool, oldest.since + window)
            return
        if pool.old(now) <= pool.buffer(now):
            break
        stops.drain(ledger, oldest, f"idle for {window} s", now)
    if pool.idle and pool.serving > pool.warm:
        # kept for its load or as a buffer: that can end without an event of its own
        again = pool.quiet_at if now < pool.quiet_at else now + max(window, 1)
        ledger.deadlines.arm(pool, again)


def stopped(ledger: Ledger, event: AppStopped, now: float) -> None:
    app = ledger.apps.get(event.app)
    if app is not None and event.kill:
        kill(ledger, app, now)
    if app is not None and not app.stopping:
        stop(ledger, app, now)


def stop(
    ledger: Ledger, app: App, now: float, *, finish: bool = False, reason: str = "the app has stopped"
) -> None:
    """The app ends. ``finish``: what runs may go on for the grace of a stop."""
    app.stopping = True
    for pool in list(app.pools.values()):
        _close(ledger, pool)
        for container in list(pool.containers.values()):
            if finish:
                container.stop_deadline = min(container.stop_deadline, now + ledger.rules.stop_grace)
                ledger.deadlines.arm(container, container.stop_deadline)
            else:
                _end_inputs(ledger, container, now)
            stops.drain(ledger, container, reason, now)
        ledger.forget_if_empty(pool)
    ledger.forget_app_if_empty(app)


def client_lost(ledger: Ledger, client: int, now: float) -> None:
    """Its apps end at once, for nobody waits; what it sent to other apps is forgotten."""
    owned = [app for app in ledger.apps.values() if app.owner == client]
    for app in owned:
        kill(ledger, app, now)
    for input in [input for input in ledger.inputs.values() if input.client == client]:
        attempts.drop(ledger, input, now)
        ledger.touch(input.pool, now)
        ledger.forget_if_empty(input.pool)
    for app in owned:
        stop(ledger, app, now)


def kill(ledger: Ledger, app: App, now: float) -> None:
    """Its containers end now; ``stop`` follows."""
    for pool in app.pools.values():
        for container in pool.containers.values():
            stops.kill(ledger, container, "the client of its app is gone", now)


def _close(ledger: Ledger, pool: Pool) -> None:
    pool.closing = True
    attempts.fail_waiting(ledger, pool, FailureKind.APP_STOPPED)


def _end_inputs(ledger: Ledger, container: Container, now: float) -> None:
    for input in list(container.held.values()):
        if not input.over:
            attempts.fail(ledger, input, FailureKind.APP_STOPPED)
        attempts.ask_end(ledger, input, now)
