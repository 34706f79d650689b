"""The part of the witness about apps whose notebook went: what lingers, until when, and what comes of it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from modal_nb.scheduler import effects as fx
from modal_nb.scheduler import events as ev
from tests.scheduler.world import World

EPS = 1e-6
#: an input that was not taken opens nothing
_REFUSED = (
    fx.FailureKind.QUEUE_FULL,
    fx.FailureKind.POOL_GONE,
    fx.FailureKind.APP_STOPPED,
    fx.FailureKind.DOES_NOT_FIT,
)


class Orphans:
    """Told of events before they are fed, of launches and stops, and of the end of each step."""

    def __init__(
        self,
        world: World,
        apps: Mapping[int, int],
        demand: Callable[[bool, str], None],
        waiting: Callable[[], Iterable[int]],
    ) -> None:
        """``apps``: of each pool; ``waiting``: inputs without an outcome."""
        self.world = world
        self.apps = apps
        self.demand = demand
        self.waiting = waiting
        #: until when something of an app lingers, and those without an owner
        self.until: dict[int, float] = {}
        self.forsaken: set[int] = set()
        self.owner: dict[int, int] = {}
        self.ended: set[int] = set()
        #: pools that nobody has come for
        self.left: dict[int, set[int]] = {}
        #: somebody asks for a container in this step
        self.by_hand = False

    def hear(self, event: ev.Event) -> None:
        match event:
            case ev.AppOpened():
                self.owner[event.app] = event.owner
            case ev.AppOrphaned() if event.app not in self.ended:
                self.until[event.app] = self.world.now + event.linger
                self.forsaken.add(event.app)
                self.left[event.app] = {pool for pool, app in self.apps.items() if app == event.app}
            case ev.AppAdopted() if event.app in self.forsaken and self._lives(event.app):
                self.forsaken.discard(event.app)
                self.owner[event.app] = event.owner
            case ev.ClientLost():
                lost = {app for app, owner in self.owner.items() if owner == event.client}
                self.ended |= lost - self.forsaken
            case ev.AppStopped():
                self.ended.add(event.app)
            case ev.ShutdownBegan():
                self.ended.update(self.owner)
            case ev.PoolOpened() if event.app in self.forsaken:  # by code in one of its containers
                self.left[event.app].add(event.pool)
            case ev.PoolOpened():
                self.left.get(event.app, set()).discard(event.pool)
        self.by_hand = isinstance(event, ev.ContainerAsked)

    def _lives(self, app: int) -> bool:
        found = self.world.scheduler._ledger.apps.get(app)
        return found is not None and not found.stopping

    def launched(self, effect: fx.LaunchContainer) -> None:
        if self.apps.get(effect.pool) in self.forsaken:
            asked = any(self.world.spans[input][0].pool == effect.pool for input in self.waiting())
            self.demand(asked or self.by_hand, f"a container of pool {effect.pool} was launched for nobody")

    def stopped(self, effect: fx.StopContainer, pool: int) -> None:
        found = self.world.scheduler._ledger.pools.get(pool)
        early = effect.reason.startswith("idle for") and found is not None and found.lingering
        self.demand(not early, f"a container of pool {pool} did not linger")

    def check(self, event: ev.Event, effects: list[fx.Effect]) -> None:
        now, ledger = self.world.now, self.world.scheduler._ledger
        refused = any(isinstance(effect, fx.FailInput) and effect.kind in _REFUSED for effect in effects)
        if (
            isinstance(event, ev.InputArrived)
            and not refused
            and self.apps.get(event.pool) not in self.forsaken
        ):
            self.left.get(self.apps[event.pool], set()).discard(event.pool)
        if isinstance(event, ev.ClientLost):
            left = [input.number for input in ledger.inputs.values() if input.client == event.client]
            self.demand(not left, f"inputs {left} of a client that is lost live on")
        for app, until in self.until.items():
            over, lives = now > until + EPS, self._lives(app)
            if app in self.forsaken:
                self.demand(not (over and lives), f"app {app} lingers for ever")
                kept = [pool.number for pool in ledger.apps[app].pools.values() if pool.warm] if lives else []
                self.demand(not kept, f"pools {kept} of app {app} keep a minimum for nobody")
                continue
            self.demand(lives or app in self.ended, f"app {app} ended although its notebook is back")
            for pool in ledger.apps[app].pools.values() if lives else ():
                left = not self.left[app].isdisjoint(pool.numbers)
                self.demand(left or not pool.lingering, f"pool {pool.number} lingers although it is open")
                self.demand(not (over and left) or pool.retired, f"pool {pool.number} is kept for nobody")
