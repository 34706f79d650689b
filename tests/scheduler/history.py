"""A history: what may happen to a supervisor in some minutes of its life, all of it drawn from one seed."""

from __future__ import annotations

from collections.abc import Callable
from random import Random

from modal_nb.scheduler import events as ev
from modal_nb.scheduler import placement
from modal_nb.scheduler.scheduler import Scheduler
from modal_nb.spec.lifecycle import CauseKind, ContainerState, ExitCause
from modal_nb.spec.pool import PoolSpec
from modal_nb.spec.resources import MachineLimit
from tests.scheduler.audit import Broken
from tests.scheduler.draw import Draw
from tests.scheduler.machine import Message, Work
from tests.scheduler.witness import Witness
from tests.scheduler.world import World

#: steps after which a history that does not come to rest is a failure; calls of calls that are all tried again take
#: some thousands
PATIENCE = 20_000


class History:
    """``run()`` lives through it and raises Broken if a promise was broken on the way."""

    def __init__(self, seed: int, scheduler: type[Scheduler] = Scheduler) -> None:
        self.random = random = Random(seed)
        machine = MachineLimit(random.choice([1, 2, 3, 4, 8]), random.choice([2.0, 8.0]), 8000)
        bound = random.choice([4, 12, 100, 100])
        self.world = World(machine, scheduler, queue_bound=bound, stop_grace=random.choice([2.0, 30.0]))
        self.witness = Witness(self.world)
        self.draw = Draw(random)
        self.clients = [self.world.scheduler.next_number() for _ in range(random.choice([1, 2]))]
        self.lost_clients: set[int] = set()
        self.apps: list[int] = []
        #: who owns them; and of them, those whose notebook went
        self.owners: dict[int, int] = {}
        self.orphans: list[int] = []
        #: of them, those without an owner
        self.deployed: list[int] = []
        self.pools: list[int] = []
        self.broken_pools: set[int] = set()
        self.inputs: list[int] = []
        self.pinned: list[int] = []
        self.world.line = lambda pool: self.draw.line(self.world.specs[pool])
        self.world.habits = lambda pool: self.draw.habits(broken=pool in self.broken_pools)
        self.world.delay, self.world.copies, self.world.echo = (
            self.draw.delay,
            self.draw.copies,
            self.draw.echo,
        )

    # -- what people do

    def open_app(self) -> None:
        owner = self.random.choice(self.clients)
        if owner in self.lost_clients:
            return
        if self.random.random() < 0.1:
            owner = 0
        app = self.world.scheduler.next_number()
        if not owner:
            self.deployed.append(app)
        self.owners[app] = owner
        self.apps.append(app)
        self.world.feed(ev.AppOpened(app, "app", owner))

    def open_pool(self) -> None:
        if self.apps:
            self._open(self.random.choice(self.apps), self.draw.spec())

    def _open(self, app: int, spec: PoolSpec) -> None:
        world = self.world
        number = world.scheduler.pool_number(app, spec.key)
        if number is None:
            number = world.scheduler.next_number()
            world.specs[number] = spec
            if self.random.random() < self.draw.rough / 3:
                self.broken_pools.add(number)
        self.pools.append(number)
        world.feed(ev.PoolOpened(number, app, spec))

    def replace_pool(self) -> None:
        """A newer version of its deployed app has taken its place."""
        if self.pools:
            self.world.feed(ev.PoolReplaced(self.random.choice(self.pools)))

    def update(self) -> None:
        if self.pools:
            pool = self.random.choice(self.pools)
            self.world.feed(ev.AutoscalerUpdated(pool, self.draw.settings(self.random.choice([0, 1, 3]))))

    def call(self) -> None:
        if self.pools:
            pool = self.random.choice(self.pools[-4:])
            work = self._work() if self.random.random() < 0.5 else Work(0.001)
            for _ in range(self.random.choice([1, 1, 2, 6])):
                self._send(pool, [work])

    def map(self) -> None:
        if self.pools:
            quick = self.random.random() < 0.5
            works = [Work(0.001) if quick else self._work() for _ in range(self.random.choice([2, 3, 5, 8]))]
            self._send(self.random.choice(self.pools[-4:]), works)

    def _work(self) -> Work:
        return self.draw.calling(self.pools[-4:], depth=4)

    def _send(self, pool: int, works: list[Work]) -> None:
        client = self.random.choice(self.clients)
        if client in self.lost_clients:
            return
        input = self.world.scheduler.next_number()
        self.inputs.append(input)
        self.world.spans[input] = (Message(pool, works), 0, len(works))
        line = self.world.line(pool)
        self.world.feed(ev.InputArrived(input, pool, client, len(works), batch=line))

    def _looks(self) -> None:
        """Somebody looks into a container, that may be gone already."""
        living = [client for client in self.clients if client not in self.lost_clients]
        if not self.world.containers or not living or not self.draw.looks():
            return
        container = self.draw.looked_at(list(self.world.containers)[-6:])
        input = self.world.scheduler.next_number()
        self.inputs.append(input)
        self.pinned.append(input)
        work = self.draw.looking(self.pools[-4:])
        self.world.spans[input] = (Message(self.world.containers[container].pool, [work]), 0, 1)
        aside = bool(self.draw.looked_at([0, 1]))
        self.world.feed(ev.PinnedArrived(input, container, self.draw.looked_at(living), aside))

    def cancel(self) -> None:
        if self.inputs:
            self.world.feed(ev.InputCancelled(self.random.choice(self.inputs[-6:])))

    def stop_container(self) -> None:
        if self.world.containers:
            number = self.random.choice(list(self.world.containers)[-6:])
            self.world.feed(ev.ContainerStopAsked(number, kill=self.random.random() < 0.5))

    def ask_for_container(self) -> None:
        if self.pools:
            self.world.feed(ev.ContainerAsked(self.random.choice(self.pools)))

    def crash_container(self) -> None:
        living = [container for container in self.world.containers.values() if container.launched]
        if living and self.random.random() < self.draw.rough * 3:
            kind = self.random.choice([CauseKind.SIGNALLED, CauseKind.OUT_OF_MEMORY, CauseKind.UNKNOWN])
            self.random.choice(living[-6:]).die(ExitCause(kind))

    def repeat(self) -> None:
        """An old message comes again; if there is one, an answer to an attempt that was given up."""
        if self.random.random() > self.draw.rough * 3:
            return
        books = self.witness.books.items()
        fenced = [(number, i, a - 1) for number, book in books for i, (a, _) in book.held.items() if a > 1]
        old = [event for _, event, _ in self.world.log[-60:] if isinstance(event, _OF_CONTAINERS)]
        if fenced:
            attempt = self.random.choice(fenced)
            late = self.random.choice(
                [ev.InputReturned(*attempt), ev.InputFinished(*attempt, ev.Outcome.OK, 0.1)]
            )
            self.world.feed(late)
        elif old:
            self.world.feed(self.random.choice(old))

    def change_limit(self) -> None:
        containers = self.random.choice([1, 2, 4, 8])
        self.world.machine = MachineLimit(containers, self.random.choice([2.0, 8.0]), 8000)
        self.world.feed(ev.LimitChanged(self.world.machine))

    def stop_app(self) -> None:
        if len(self.apps) > 1:
            self.world.feed(ev.AppStopped(self.apps.pop(self.random.randrange(len(self.apps)))))

    def lose_client(self) -> None:
        if len(self.clients) - len(self.lost_clients) > 1:
            self.lost_clients.add(self.clients[-1])
            self.world.feed(ev.ClientLost(self.clients[-1]))

    def _notebooks(self) -> None:
        happens = self.draw.of_notebooks()
        if happens == "goes":
            self._notebook_goes()
        elif happens:
            self._notebook_comes_back()

    def _notebook_goes(self) -> None:
        """A client that may come back is lost, perhaps the only one."""
        living = [client for client in self.clients if client not in self.lost_clients]
        if not living:
            return
        gone = self.draw.one_of(living)
        mine = [app for app in self.apps if self.owners[app] == gone]
        for app in mine:
            self.world.feed(ev.AppOrphaned(app, self.draw.linger()))
        self.orphans += mine
        self.lost_clients.add(gone)
        self.world.feed(ev.ClientLost(gone))

    def _notebook_comes_back(self) -> None:
        """As another client, which opens some of the pools again, if its app has not ended."""
        if not self.orphans:
            return
        app = self.orphans.pop()
        client = self.owners[app] = self.world.scheduler.next_number()
        self.clients.append(client)
        self.world.feed(ev.AppAdopted(app, client))
        for pool, owner in list(self.witness.apps.items()):
            if owner == app and pool in self.world.specs and self.draw.linger() > 1:
                self._open(app, self.world.specs[pool])

    # -- the course of it

    def run(self) -> History:
        random = self.random
        self.open_app()
        self.open_pool()
        actions = random.choices(*_ACTIONS, k=random.randrange(10, 30))
        for action in actions:
            action(self)
            self._notebooks()
            self._looks()
            self._pass(self.world.now + random.choice([0.0, 0.0, 0.002, 0.05, 0.3, 3.0]))
        self._calm()
        self._end()
        return self

    def _pass(self, until: float) -> None:
        while self.world.step(until):
            self._patience()
        self.world.now = max(self.world.now, until)

    def _patience(self) -> None:
        if len(self.world.log) > PATIENCE:
            raise Broken("I1: it does not come to rest")

    def _calm(self) -> None:
        """Faults stop: every input gets its outcome, every pool its minimum, and nothing more."""
        self.draw.rough = 0.0
        for input in self.pinned:  # nobody looks for ever
            self.world.feed(ev.InputCancelled(input))
        for limit in (60.0, 400.0, 4000.0, 40_000.0):
            if self.witness.waiting():
                self._pass(self.world.now + limit)
        self._all_over()
        self._pass(self.world.now + 100.0)
        self._minimum()

    def _all_over(self) -> None:
        """But for those whose machine is taken by what other pools keep warm: that is the users' wish."""
        ledger = self.world.scheduler._ledger
        kept = placement.kept_warm(ledger)
        left = []
        for input in sorted(self.witness.waiting()):
            pool = ledger.inputs[input].pool
            if pool.counted() or placement.can_be_helped(ledger, pool, kept):
                left.append(input)
        if left:
            raise Broken(f"I1: inputs {left} have no outcome")

    def _minimum(self) -> None:
        scheduler, world = self.world.scheduler, self.world
        used = scheduler.container_count()
        for pool in set(self.pools):
            settings = scheduler.autoscaler(pool)
            if settings is None or pool in self.broken_pools or pool not in scheduler._ledger.pools:
                continue
            least = scheduler._ledger.pools[pool].warm
            states = [view.state for view in scheduler.containers(pool)]
            least = min(least, settings.max_containers or least)
            if states.count(ContainerState.IDLE) > least:
                raise Broken(f"I4: pool {pool} keeps {states} with a minimum of {least}")
            if len(states) < least and used < world.machine.containers and not self._too_big(pool):
                raise Broken(f"I4: pool {pool} has {states} with a minimum of {least}: {scheduler.why(pool)}")

    def _too_big(self, pool: int) -> bool:
        ledger = self.world.scheduler._ledger
        return not ledger.pools[pool].request.within(ledger.limit - ledger.used)

    def _end(self) -> None:
        """The supervisor is told to end, or its clients go: nothing is left."""
        if self.random.random() < 0.5:
            self.call()
            self.world.feed(ev.ShutdownBegan())
        for client in self.clients:
            self.world.feed(ev.ClientLost(client))
        for app in self.deployed:
            self.world.feed(ev.AppStopped(app))
        self._pass(self.world.now + 100.0)
        ledger = self.world.scheduler._ledger
        left = [
            *ledger.containers,
            *ledger.pools,
            *ledger.apps,
            *ledger.inputs,
            *ledger.keys,
            *ledger.lineages,
        ]
        if left or self.witness.books:
            raise Broken(f"I8: left behind: {left} {list(self.witness.books)}")
        twice = [number for number, container in self.world.containers.items() if container.exits > 1]
        if twice:
            raise Broken(f"I7: exit hooks of {twice} ran twice")


_OF_CONTAINERS = (
    ev.ContainerLaunched,
    ev.ContainerReady,
    ev.ContainerStartFailed,
    ev.InputFinished,
    ev.InputReturned,
    ev.PartFinished,
    ev.ContainerExited,
)

_ACTIONS: tuple[list[Callable[[History], None]], list[int]] = (
    [
        History.call,
        History.map,
        History.cancel,
        History.open_pool,
        History.update,
        History.stop_container,
        History.crash_container,
        History.repeat,
        History.open_app,
        History.change_limit,
        History.stop_app,
        History.replace_pool,
        History.lose_client,
        History.ask_for_container,
    ],
    [40, 15, 8, 8, 5, 3, 8, 6, 3, 2, 2, 2, 1, 3],
)
