"""One autoscaled set of containers: its queue, its containers by room, its settings in force."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from math import inf

from modal_nb.scheduler.autoscaler import Demand, desired_containers
from modal_nb.scheduler.batcher import Lines
from modal_nb.scheduler.containers import Container
from modal_nb.scheduler.inputs import Input, Queue
from modal_nb.scheduler.rules import Rules
from modal_nb.scheduler.share import Share
from modal_nb.spec.lifecycle import ContainerState
from modal_nb.spec.pool import PoolSpec
from modal_nb.spec.scaling import Autoscaler

#: how much the newest run time counts in the moving average
_NEWEST = 0.2
#: more containers than any machine has
_BOUNDLESS = 1 << 30


@dataclass(slots=True, eq=False)
class App:
    """A number of pools that end together."""

    number: int
    name: str
    owner: int
    pools: dict[int, Pool] = field(default_factory=dict)
    #: its pools take nothing any more; it is forgotten when they are gone
    stopping: bool = False
    #: its notebook went: what lingers of it ends then
    lingers_until: float = inf
    #: kept by Deadlines
    armed: float = inf

    @property
    def orphaned(self) -> bool:
        """Its notebook is gone and may come back."""
        return not self.owner and self.lingers_until < inf


class Pool:
    """Bookkeeping only: nothing here emits an effect."""

    __slots__ = (
        "app", "armed", "aside", "asked", "average", "back_off", "batched", "batches", "blocked", "closing",
        "containers", "demand", "free", "full", "generation", "held_load", "hold_until", "idle", "launched_at",
        "lingering", "number", "numbers", "part", "pinned", "postponed", "queue", "quiet_at", "ready",
        "report_due", "request", "retired", "retried", "rules", "serving", "settings", "slots", "spec", "stale",
        "start_failures", "target", "target_load", "urgent", "wanting",
    )  # fmt: skip

    def __init__(self, number: int, app: App, spec: PoolSpec, rules: Rules) -> None:
        self.number = number
        #: every number that was given for this key
        self.numbers = [number]
        self.app = app
        self.spec = spec
        self.rules = rules
        #: what one container takes of the machine
        self.request = Share.of(spec.resources)
        #: as declared or updated, and as in force now
        self.asked = self.settings = spec.autoscaler
        self.slots = 1 if spec.limits.single_use else spec.concurrency.max_inputs
        self.target = min(self.slots, spec.concurrency.target_inputs or self.slots)
        self.queue: Queue | Lines = Lines(spec.batching) if spec.batching else Queue()
        #: inputs that one container is meant to have
        self.target_load = self.target * (self.queue.largest if isinstance(self.queue, Lines) else 1)
        #: all that are not dead
        self.containers: dict[int, Container] = {}
        #: those that take inputs or will; and those of them that are ready
        self.serving = 0
        self.ready = 0
        #: those of them that are ready and wait for nested calls
        self.blocked = 0
        #: those of them that something is pinned to; and others, that are aside
        self.pinned = self.aside = 0
        #: when it got its last container
        self.launched_at = -inf
        #: weight of what serving containers hold
        self.held_load = 0
        #: ready containers: below the target, below the limit, at the limit with nothing fetched ahead
        self.free: dict[Container, None] = {}
        self.part: dict[Container, None] = {}
        self.full: dict[Container, None] = {}
        #: the longest idle one first
        self.idle: dict[Container, None] = {}
        #: moving average of the run seconds of a message
        self.average = inf
        #: when the scale-down window after the last input is over
        self.quiet_at = -inf
        #: replaced by a newer definition: serves what still comes, keeps nothing warm
        self.retired = False
        #: its app ends: takes nothing any more
        self.closing = False
        #: its notebook went and has not opened it again: it keeps what is warm, whatever its settings say
        self.lingering = False
        self._begin_counting()
        self.retire(False)

    def _begin_counting(self) -> None:
        """What has happened so far, and when something is due."""
        #: batches sent so far, and the inputs in them
        self.batches = self.batched = 0
        #: inputs whose next attempt is not due yet, and how many attempts were made again so far
        self.postponed: dict[Input, None] = {}
        self.retried = 0
        #: starts that failed in a row, the wait that follows when they are too many, and until when
        self.start_failures = self.generation = 0
        self.back_off = 0.0
        self.hold_until = -inf
        #: it waits for room on the machine; it starved when it last asked
        self.wanting = self.urgent = False
        #: something changed since the last report; the next one may go out then
        self.stale = False
        self.report_due = -inf
        #: kept by Deadlines
        self.armed = inf

    # -- settings

    def configure(self, asked: Autoscaler) -> None:
        """Put settings in force; a retired pool keeps its limit, and nothing warm; one that lingers starts nothing."""
        self.asked = self.settings = asked
        if self.lingering:
            self.settings = replace(asked, min_containers=0, buffer_containers=0)
        elif self.retired:
            window = min(asked.scaledown_window, int(self.rules.retired_window))
            self.settings = replace(asked, min_containers=0, buffer_containers=0, scaledown_window=window)

    def retire(self, retired: bool) -> None:
        self.retired = retired
        self.lingering = self.app.orphaned and not retired
        self.configure(self.asked)

    # -- demand

    def active(self, now: float) -> bool:
        """It has inputs, or had some within the scale-down window."""
        return now < self.quiet_at or self.queue.load + self.held_load > 0 or bool(self.postponed)

    def desired(self, now: float) -> int:
        load = self.queue.load + self.held_load
        return desired_containers(
            Demand(self.settings, self.target_load, load, self.active(now), self.pinned)
        )

    def buffer(self, now: float) -> int:
        """How many containers may be idle for longer than the window."""
        return self.settings.buffer_containers if self.active(now) else 0

    def old(self, now: float) -> int:
        """How many are."""
        window = self.settings.scaledown_window
        return sum(container.since + window <= now for container in self.idle)

    def starts_held(self, now: float) -> bool:
        """Starts failed too often; only inputs that nothing else could serve are worth another try."""
        return now < self.hold_until and (self.ready > 0 or not self.queue.backlog)

    def wanted(self, now: float) -> int:
        """Containers to launch now, if the machine has room."""
        cap = self.settings.max_containers
        room = _BOUNDLESS if cap is None else cap - self.had
        if room <= 0:
            return 0
        if self.closing or self.starts_held(now) or (self.lingering and not self.queue.backlog):
            return 0
        return min(self.desired(now) - self.serving, room)

    def counted(self) -> int:
        """Containers that count when it asks for one more.

        Blocked ones make room for nested calls, not for more of what made these calls: they count unless nested
        calls wait for which nothing is on its way.
        """
        if self.blocked and self.queue.nested > self.serving - self.ready:
            return self.serving - self.blocked
        return self.serving

    @property
    def had(self) -> int:
        """Containers that count in max_containers."""
        return len(self.containers) - self.aside

    def starves(self) -> bool:
        """It has inputs and no container for them."""
        return self.queue.backlog > 0 and not self.counted()

    @property
    def wished(self) -> int:
        """Containers that were asked for by hand: as a buffer, they do not give way to who only wants more."""
        return sum(container.wished for container in self.idle)

    @property
    def warm(self) -> int:
        """Containers that it keeps whatever happens."""
        return 0 if self.closing else self.settings.min_containers

    # -- run times

    def served(self, seconds: float, now: float) -> None:
        """An attempt has ended. One that was long must not hide for long that others are short: hence the bound."""
        self.back_off = 0.0
        self.quiet_at = now + self.settings.scaledown_window
        seconds = min(seconds, self.rules.recall_after)
        if self.average == inf:
            self.average = seconds
        else:
            self.average += _NEWEST * (seconds - self.average)

    def short(self) -> bool:
        """A container may have one more input ready, because waiting for it costs more than running it."""
        spec = self.spec
        return self.average < self.rules.short and not spec.limits.single_use and not spec.batching

    # -- containers

    def add(self, container: Container) -> None:
        self.containers[container.number] = container
        self.serving += 1

    def withdraw(self, container: Container) -> None:
        """It takes no more inputs. Called once, before its state says so."""
        self._count(container, -1)
        container.aside, container.aside_since = False, inf
        self.idle.pop(container, None)
        if container.listed is not None:
            del container.listed[container]
            container.listed = None

    def _count(self, container: Container, sign: int) -> None:
        """Into the numbers (1) or out of them (-1)."""
        if container.aside:
            self.aside += sign
            return
        self.serving += sign
        self.ready += sign * container.ready
        self.blocked += sign * container.blocked
        if container.pins:
            self.pinned += sign
        else:
            self.held_load += sign * sum(input.weight for input in container.held.values())

    def pin(self, container: Container, input: Input, *, there: bool = True) -> None:
        """An input for this container has come, or is not ``there`` any more."""
        if container.serving:
            self._count(container, -1)
        if there:
            container.pins[input] = None
        else:
            del container.pins[input]
        if container.serving:
            container.aside = bool(container.pins) and next(iter(container.pins)).aside
            self._count(container, 1)
            if container.ready:
                self.relist(container)

    def relist(self, container: Container) -> None:
        """Put a ready container into the list that fits what it holds."""
        held = container.taken + (container.ahead is not None)
        wanted: dict[Container, None] | None = None
        if container.pins:
            pass
        elif held < self.target:
            wanted = self.free
        elif held < self.slots:
            wanted = self.part
        elif held == self.slots and not container.slow and not container.blocked:
            wanted = self.full
        if container.listed is not wanted:
            if container.listed is not None:
                del container.listed[container]
            if wanted is not None:
                wanted[container] = None
            container.listed = wanted

    def roomiest(self) -> Container | None:
        """Who takes the next input. The last one that became free: so that the others can grow old and stop.

        Up to the target first, then up to the limit; then, while inputs are short, one ahead of time.
        """
        if self.free:
            return next(reversed(self.free))
        if self.part:
            return next(reversed(self.part))
        if self.full and self.short():
            return next(iter(self.full))
        return None

    def rest(self, container: Container, now: float) -> None:
        """A busy container that holds nothing is idle."""
        if not container.held and container.state is ContainerState.BUSY:
            container.move(ContainerState.IDLE, now)
            self.idle[container] = None
