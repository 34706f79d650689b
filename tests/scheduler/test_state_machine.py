"""The scheduler against a reference model, by event sequences that hypothesis makes up and shrinks."""

from __future__ import annotations

import os

import hypothesis.strategies as st
from hypothesis import HealthCheck, settings
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from modal_nb.scheduler import events as ev
from modal_nb.scheduler.scheduler import Scheduler
from modal_nb.spec.lifecycle import CauseKind, ExitCause
from modal_nb.spec.limits import Limits
from modal_nb.spec.pool import PoolSpec
from modal_nb.spec.resources import MachineLimit, Resources
from modal_nb.spec.scaling import Autoscaler, Concurrency
from tests.scheduler.audit import audit
from tests.scheduler.model import Model, ModelContainer, ModelInput
from tests.scheduler.strategies import autoscalers, batchings, limits, machines, picks, policies

#: MODAL_NB_EXAMPLES=20000 for the deep run, other ones each time
EXAMPLES = int(os.environ.get("MODAL_NB_EXAMPLES", "200"))
#: enough for everything that can end to end
ROUNDS = 400

_CHANGES = ("app", "pool", "pool", "pool", "limit", "limit", "stop", "lose", "shut", "go", "come back")


def _something_runs(self) -> bool:
    return any(container.held for container in self.model.containers.values())


def _something_lives(self) -> bool:
    return bool(self.model.containers)


class SchedulerMachine(RuleBasedStateMachine):
    """The supervisor's part is played here: containers start, answer, give back and die as hypothesis likes."""

    @initialize(machine=machines, autoscaler=autoscalers, limits=limits, modes=st.tuples(policies, batchings))
    def begin(self, machine, autoscaler, limits, modes):
        self.scheduler = Scheduler(machine, queue_bound=20)
        self.model = Model(machine)
        self.clients = [self.scheduler.next_number(), self.scheduler.next_number()]
        self.apps: list[int] = []
        self.owners: dict[int, int] = {}
        self.pools: list[int] = []
        self.old: list[ev.Event] = []
        self.open_app(0)
        self.open_pool(self.apps[0], 0, Autoscaler(max_containers=1), 1, Limits(), None)
        self.open_pool(self.apps[0], 1, autoscaler, 1, limits, 1.0, *modes)

    def feed(self, event: ev.Event) -> None:
        self.model.hear(event)
        for effect in self.scheduler.feed(event, self.model.now):
            self.model.see(effect)

    def answer(self, event: ev.Event) -> None:
        """What a container says; it may come again, late."""
        self.old = [*self.old[-20:], event]
        self.feed(event)

    # -- choosing

    def container(self, pick: int, **wanted: bool) -> ModelContainer | None:
        living = self.model.containers.values()
        fit = [c for c in living if all(getattr(c, name) is value for name, value in wanted.items())]
        return fit[pick % len(fit)] if fit else None

    def held(self, pick: int) -> ModelInput | None:
        """An input that runs in a container that lives."""
        running = [i for c in self.model.containers.values() if not c.killed for i in self.model.running(c)]
        return running[pick % len(running)] if running else None

    # -- apps, pools, limits

    @rule(
        what=st.sampled_from(_CHANGES),
        pick=picks,
        machine=machines,
        declared=st.tuples(
            st.integers(0, 3),
            autoscalers,
            st.sampled_from([1, 1, 2]),
            limits,
            st.sampled_from([None, None, 1.0, 4.0]),
            policies,
            batchings,
        ),
    )
    def change_the_world(self, what, pick, machine, declared):
        """One rule for what is rare, so that it stays rare."""
        if what == "app":
            self.open_app(pick % len(self.clients))
        elif what == "pool" and self.apps:
            self.open_pool(self.apps[pick % len(self.apps)], *declared)
        elif what == "limit":
            self.feed(ev.LimitChanged(machine))
        elif what == "stop" and len(self.apps) > 1:
            self.feed(ev.AppStopped(self.apps.pop(pick % len(self.apps))))
        elif what == "lose" and len(self.clients) > 1 and pick % 4 == 0:
            self.feed(ev.ClientLost(self.clients.pop()))
        elif what == "go" and len(self.clients) > 1:
            self.go(self.clients.pop(), 1.0 + pick % 50)
        elif what == "come back" and self.model.orphans:
            self.come_back(list(self.model.orphans)[-1])
        elif what == "shut" and pick % 8 == 0:
            self.feed(ev.ShutdownBegan())

    def open_app(self, owner):
        app = self.scheduler.next_number()
        self.apps.append(app)
        self.owners[app] = self.clients[owner]
        self.feed(ev.AppOpened(app, "app", self.clients[owner]))

    def go(self, client, linger):
        """A notebook that may come back is gone: its apps linger."""
        for app in [app for app in self.apps if self.owners[app] == client]:
            self.feed(ev.AppOrphaned(app, linger))
        self.feed(ev.ClientLost(client))

    def come_back(self, app):
        """As another client, which opens one of its pools again."""
        client = self.owners[app] = self.scheduler.next_number()
        self.clients.append(client)
        self.feed(ev.AppAdopted(app, client))
        mine = [p for p in self.pools if self.model.apps[p] == app and self.scheduler.autoscaler(p)]
        if mine and app not in self.model.stopping:
            self.feed(ev.PoolOpened(mine[0], app, self.model.specs[mine[0]]))

    def open_pool(self, app, key, autoscaler, slots, limits, cpu, retries=None, batching=()):
        known = self.scheduler.pool_number(app, f"key {key}")
        pool = known or self.scheduler.next_number()
        if known is None:
            self.pools.append(pool)
            self.model.apps[pool] = app
            self.model.caps[pool] = autoscaler.max_containers
            lineage = f"lineage {key // 2}"
            much = Concurrency(slots), limits, Resources(cpu=cpu)
            spec = PoolSpec(f"key {key}", lineage, "Model", autoscaler, *much, retries, batching)
            self.model.specs[pool] = spec
        self.feed(ev.PoolOpened(pool, app, self.model.specs[pool]))

    @rule(pick=picks)
    def replace_pool(self, pick):
        self.feed(ev.PoolReplaced(self.pool(pick)))

    @rule(pick=picks, autoscaler=autoscalers)
    def update_autoscaler(self, pick, autoscaler):
        self.feed(ev.AutoscalerUpdated(self.pool(pick), autoscaler))

    def pool(self, pick):
        """Most often one that lives."""
        living = [pool for pool in self.pools if self.scheduler.autoscaler(pool) is not None]
        pools = living if living and pick % 16 else self.pools
        return pools[pick % len(pools)]

    # -- inputs

    @rule(pick=picks, client=st.integers(0, 1), count=st.sampled_from([1, 1, 3]), times=st.integers(1, 2))
    def call(self, pick, client, count, times):
        for _ in range(times):
            if len(self.clients) > client:
                self._arrive(self.pool(pick), self.clients[client], count, 0)

    @rule(pick=picks, pool=picks, count=st.sampled_from([1, 1, 3]))
    @precondition(_something_runs)
    def nested_call(self, pick, pool, count):
        """The code of an input that runs makes a call, perhaps to its own pool."""
        parent = self.held(pick)
        if parent is not None:
            parent = self.model.code(parent)
        if parent is not None and parent.container is not None:
            own = parent.pool if pool % 2 else self.pool(pool)
            self._arrive(own, parent.client, count, parent.number)

    @rule(pick=picks, who=picks, aside=st.booleans())
    @precondition(_something_lives)
    def look_into(self, pick, who, aside):
        input = self.held(pick)
        container = input.container if input and pick % 4 else self.container(pick)
        number = container.number if container is not None and pick % 32 else 10**6
        client = self.clients[who % len(self.clients)]
        self.feed(ev.PinnedArrived(self.scheduler.next_number(), number, client, aside))

    def _arrive(self, pool, client, count, parent):
        number = self.scheduler.next_number()
        batch = number % (1 + len(self.model.specs[pool].batching))
        self.feed(ev.InputArrived(number, pool, client, count, parent, batch))

    @rule(pick=picks, terminate=st.booleans())
    @precondition(lambda self: self.model.waiting())
    def cancel(self, pick, terminate):
        waiting = self.model.waiting()
        if waiting:
            self.feed(ev.InputCancelled(waiting[pick % len(waiting)].number, terminate))

    @precondition(_something_runs)
    @rule(pick=picks, outcome=st.sampled_from(ev.Outcome), seconds=st.sampled_from([0.001, 0.001, 2.0]))
    def finish(self, pick, outcome, seconds):
        input = self.held(pick)
        if input is not None:
            assert input.container is not None
            place = input.container.number, input.number, input.attempt
            self.answer(ev.InputFinished(*place, outcome, seconds))

    @rule(pick=picks)
    @precondition(_something_runs)
    def give_back(self, pick):
        living = [c for c in self.model.containers.values() if not c.killed]
        asked = [(c, input) for c in living for input in c.held if input.recalled]
        if asked:
            container, input = asked[pick % len(asked)]
            begun = 0 if input not in self.model.running(container) else input.answered + pick % input.count
            input.recalled = False
            self.answer(ev.InputReturned(container.number, input.number, input.attempt, begun))

    @rule(pick=picks, client=st.integers(0, 1))
    @precondition(_something_runs)
    def fail_in_a_chunk(self, pick, client):
        """One of its inputs fails and may be tried again: it goes back with those behind it."""
        input = self.held(pick)
        if input is None or input.count == 1 or input.batch or not self.model.retries(input):
            return
        stay = pick % input.count
        place = input.container.number, input.number, input.attempt
        self.feed(ev.InputReturned(*place, input.answered + stay, failed=True))
        if stay:
            self.answer(ev.InputFinished(*place, ev.Outcome.OK, 0.1))

    @rule(pick=picks)
    @precondition(_something_runs)
    def finish_a_part(self, pick):
        """The first ones of a chunk are through while another one runs."""
        input = self.held(pick)
        if input is not None and input.count > 1 and not input.batch:
            done = input.answered + 1 + pick % (input.count - 1)
            self.answer(ev.PartFinished(input.container.number, input.number, input.attempt, done))

    @rule(pick=picks, paused=st.booleans())
    @precondition(_something_runs)
    def pause(self, pick, paused):
        """A generator, never one that waits for calls of its own at that moment."""
        input = self.held(pick)
        if input is not None and input.count == 1 and not input.children and not input.batch:
            assert input.container is not None
            self.answer(ev.InputPaused(input.container.number, input.number, input.attempt, paused))

    # -- containers

    @rule()
    @precondition(_something_lives)
    def all_are_ready(self):
        """So that more of them come to do something."""
        while container := self.container(0, ready=False, killed=False, start_failed=False):
            self.answer(ev.ContainerReady(container.number))

    @rule(pick=picks)
    @precondition(_something_lives)
    def launched(self, pick):
        if container := self.container(pick, launched=False):
            self.answer(ev.ContainerLaunched(container.number))

    @rule(pick=picks)
    @precondition(_something_lives)
    def ready(self, pick):
        if container := self.container(pick, ready=False, killed=False, start_failed=False):
            self.answer(ev.ContainerReady(container.number))

    @rule(pick=picks, launched=st.booleans())
    @precondition(_something_lives)
    def start_fails(self, pick, launched):
        if container := self.container(pick, ready=False, start_failed=False):
            event = ev.ContainerStartFailed(container.number, launched=launched or container.launched)
            container.launched = container.start_failed = True
            self.answer(event)

    @precondition(_something_lives)
    @rule(pick=picks, kind=st.sampled_from([CauseKind.SIGNALLED, CauseKind.OUT_OF_MEMORY]))
    def crash(self, pick, kind):
        """Most often of one that runs something."""
        input = self.held(pick)
        if container := input.container if input and pick % 4 else self.container(pick):
            self.answer(ev.ContainerExited(container.number, ExitCause(kind)))

    @rule(pick=picks)
    @precondition(_something_lives)
    def end(self, pick):
        if container := self.container(pick, stopped=True) or self.container(pick, killed=True):
            self.answer(ev.ContainerExited(container.number, ExitCause(CauseKind.STOPPED)))

    @rule(pick=picks, kill=st.booleans())
    @precondition(_something_lives)
    def ask_to_stop(self, pick, kill):
        if container := self.container(pick):
            self.feed(ev.ContainerStopAsked(container.number, kill))

    @rule(pick=picks)
    @precondition(lambda self: self.old)
    def say_again(self, pick):
        """An old message comes late. About one that lives it could be true, so it is about one that does not."""
        event = self.old[pick % len(self.old)]
        if event.container not in self.model.containers:
            before = self.scheduler.wake_at()
            assert self.scheduler.feed(event, self.model.now) == []
            assert self.scheduler.wake_at() == before

    # -- time

    @rule(seconds=st.sampled_from([0.0, 0.001, 0.1, 1.0, 3.0, 100.0]))
    def time_passes(self, seconds):
        self.model.now += seconds
        self.feed(ev.TimePassed())

    # -- what holds at any time

    @invariant()
    def the_numbers_are_those_of_the_model(self):
        model = self.model
        assert self.scheduler.container_count() == len(model.containers)
        for pool in {p for p in self.pools if self.scheduler.autoscaler(p) is not None}:
            stats, mine = self.scheduler.pool_stats(pool), model.of(pool)
            running = [input for c in mine for input in model.running(c)]
            queued = [i for i in model.waiting() if i.pool == pool and i not in running]
            assert stats.num_total_runners == len(mine)
            assert stats.num_running_inputs == sum(input.count for input in running)
            assert stats.backlog == sum(input.count for input in queued)
            assert self.scheduler.why(pool)

    @invariant()
    def the_books_are_right(self):
        audit(self.scheduler, self.model.now)

    # -- and in the end

    def teardown(self):
        """Everything goes well from now on: each input gets its outcome, and nothing is left."""
        self.feed(ev.LimitChanged(MachineLimit(1000, 1000.0, 10**9)))
        for _ in range(ROUNDS):
            if not self.model.waiting():
                break
            self._go_on()
        assert not self.model.waiting(), "inputs without an outcome"
        for client in self.clients:
            self.feed(ev.ClientLost(client))
        self.model.now += 100
        self.feed(ev.TimePassed())
        for container in list(self.model.containers.values()):
            self.feed(ev.ContainerExited(container.number, ExitCause(CauseKind.KILLED)))
        assert self.scheduler.container_count() == 0
        assert not [pool for pool in self.pools if self.scheduler.autoscaler(pool) is not None]

    def _go_on(self):
        self.model.now += 0.5
        self.feed(ev.TimePassed())
        for container in list(self.model.containers.values()):
            if container.stopped or container.killed:
                self.feed(ev.ContainerExited(container.number, ExitCause(CauseKind.STOPPED)))
            elif container.start_failed:
                self.feed(ev.ContainerExited(container.number, ExitCause(CauseKind.START_FAILED)))
            elif not container.ready:
                self.feed(ev.ContainerReady(container.number))
            for input in list(self.model.running(container)):
                if input.container is container:
                    outcome = ev.Outcome.CANCELLED if input.over else ev.Outcome.OK
                    place = container.number, input.number, input.attempt
                    self.feed(ev.InputFinished(*place, outcome, 0.1))


TestScheduler = SchedulerMachine.TestCase
TestScheduler.settings = settings(
    max_examples=EXAMPLES,
    stateful_step_count=80,
    deadline=None,
    database=None,
    derandomize="MODAL_NB_EXAMPLES" not in os.environ,
    suppress_health_check=list(HealthCheck),
)
