"""Apps whose notebook is gone: what is warm lingers, so that the notebook that comes back finds it."""

from __future__ import annotations

from math import inf

from modal_nb.scheduler import apps, placement, stops
from modal_nb.scheduler.events import AppAdopted, AppOrphaned, PoolOpened
from modal_nb.scheduler.ledger import Ledger
from modal_nb.scheduler.pool import App, Pool


def orphaned(ledger: Ledger, event: AppOrphaned, now: float) -> None:
    """Nobody owns it any more: it keeps what is warm, starts nothing by itself, and ends when its time is over."""
    app = ledger.apps.get(event.app)
    if app is None or app.stopping:
        return
    app.owner, app.lingers_until = 0, now + event.linger
    ledger.deadlines.arm(app, app.lingers_until)
    for pool in list(app.pools.values()):
        pool.lingering = not pool.retired
        # what was updated is over, for who comes back declares anew
        apps.updated(ledger, pool, pool.spec.autoscaler, now)
    placement.review(ledger, now)  # what it kept warm may be what another pool starves for


def adopted(ledger: Ledger, event: AppAdopted, now: float) -> None:
    """Its notebook is back. Pools go on lingering until they are opened or used again."""
    app = ledger.apps.get(event.app)
    if app is None or not app.orphaned:
        return
    app.owner = event.owner
    for pool in app.pools.values():
        ledger.touch(pool, now)


def pool_opened(ledger: Ledger, event: PoolOpened, now: float) -> None:
    """As for any app; a pool that lingers is what its owner finds warm."""
    pool = ledger.keys.get((event.app, event.spec.key))
    if pool is not None:
        used(ledger, pool, now)
    apps.pool_opened(ledger, event, now)


def used(ledger: Ledger, pool: Pool, now: float) -> None:
    """A pool is opened, or gets an input: where its app has an owner it goes on as declared, with whole windows."""
    if not pool.lingering or pool.app.orphaned:
        return
    pool.lingering = False
    for container in pool.idle:
        container.since = now
    apps.updated(ledger, pool, pool.asked, now)


def look(ledger: Ledger, app: App, now: float) -> None:
    """Its time may be over: an app without an owner ends, of one that was adopted the pools that nobody came for."""
    if app.stopping:
        return
    if now < app.lingers_until:
        ledger.deadlines.arm(app, app.lingers_until)
        return
    orphan = app.orphaned
    app.lingers_until = inf
    if orphan:
        apps.stop(ledger, app, now, reason="its notebook is gone and did not come back in time")
        return
    for pool in [pool for pool in app.pools.values() if pool.lingering]:
        for container in list(pool.idle):
            stops.drain(ledger, container, "its notebook came back and did not use it again", now)
        apps.retire(ledger, pool, now)
