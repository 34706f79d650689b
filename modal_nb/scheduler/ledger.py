"""The books: everything that lives, by number, and the effects of the event in hand."""

from __future__ import annotations

from math import inf

from modal_nb.scheduler.containers import Container
from modal_nb.scheduler.deadlines import Deadlines
from modal_nb.scheduler.effects import Effect, ForgetApp, ForgetPool, PublishReport
from modal_nb.scheduler.inputs import Input
from modal_nb.scheduler.pool import App, Pool
from modal_nb.scheduler.rules import Rules
from modal_nb.scheduler.share import Share
from modal_nb.spec.resources import MachineLimit


class Ledger:
    """Shared by all rules of this room; nothing outside sees it."""

    def __init__(self, machine: MachineLimit, rules: Rules) -> None:
        self.rules = rules
        self.machine = machine
        self.limit = Share.whole(machine)
        #: taken by all containers that are neither dead nor blocked, and the part of it that is about to come back
        self.used = Share()
        self.ending = Share()
        self.out: list[Effect] = []
        self.deadlines = Deadlines()
        self.apps: dict[int, App] = {}
        self.pools: dict[int, Pool] = {}
        self.keys: dict[tuple[int, str], Pool] = {}
        #: the pool that a lineage means today
        self.lineages: dict[tuple[int, str], Pool] = {}
        self.containers: dict[int, Container] = {}
        #: those without an outcome
        self.inputs: dict[int, Input] = {}
        #: pools that the machine has no room for, in the order they asked
        self.wanting: dict[Pool, None] = {}
        #: those among them for which a busy pool should give a container back
        self.starving: list[Pool] = []
        #: nothing that could make room has happened since the last look
        self.stuck = False
        #: containers in which a nested call has begun or ended: to be looked at before the event is over
        self.unsettled: dict[Container, None] = {}
        #: containers whose pinned inputs are other ones now: to be looked at before the event is over
        self.repinned: dict[Container, None] = {}
        #: containers that were blocked go on and hold more than the limit: the idle give way
        self.crowded = False
        #: when an idle container is old enough to give way; kept by Deadlines
        self.armed = inf
        #: the supervisor ends
        self.closing = False
        self.last_number = 0

    def next_number(self) -> int:
        self.last_number += 1
        return self.last_number

    def unpin(self, input: Input) -> None:
        """It is at its container no more, neither waiting nor running."""
        container = input.pinned
        assert container is not None
        container.pool.pin(container, input, there=False)
        self.repinned[container] = None

    def touch(self, pool: Pool, now: float) -> None:
        """Something that people can see has changed: report it now, or soon if one has just gone out."""
        if now >= pool.report_due:
            pool.report_due = now + self.rules.report_every
            pool.stale = False
            self.out.append(PublishReport(pool.number))
        elif not pool.stale:
            pool.stale = True
            self.deadlines.arm(pool, pool.report_due)

    def forget_if_empty(self, pool: Pool) -> None:
        """Called whenever a pool that nobody starts anew may have lost its last container or input."""
        if not (pool.retired or pool.closing) or pool.containers or pool.queue.backlog or pool.postponed:
            return
        if self.pools.pop(pool.number, None) is None:
            return
        for number in pool.numbers:
            self.pools.pop(number, None)
        app, spec = pool.app, pool.spec
        del self.keys[app.number, spec.key]
        if self.lineages.get((app.number, spec.lineage)) is pool:
            del self.lineages[app.number, spec.lineage]
        del app.pools[pool.number]
        self.wanting.pop(pool, None)
        self.deadlines.disarm(pool)
        self.out.append(ForgetPool(pool.number))
        self.forget_app_if_empty(app)

    def forget_app_if_empty(self, app: App) -> None:
        if app.stopping and not app.pools and self.apps.pop(app.number, None) is not None:
            self.out.append(ForgetApp(app.number))
