"""A reference model of the scheduler: what may become of each input, how many there are of what, and the limits.

It knows no rule about who goes first, when to start or when to stop: only what must never be otherwise.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from modal_nb.scheduler import effects as fx
from modal_nb.scheduler import events as ev
from modal_nb.scheduler.effects import FailureKind
from modal_nb.spec.pool import PoolSpec
from modal_nb.spec.resources import MachineLimit


@dataclass(eq=False)
class ModelInput:
    number: int
    pool: int
    client: int
    count: int
    parent: int
    #: which batched method it calls
    batch: int = 0
    attempt: int = 0
    #: all of its batch, as they were sent
    unit: list[ModelInput] = field(default_factory=list)
    #: attempts that failed and were to be tried again
    failures: int = 0
    container: ModelContainer | None = None
    sent_at: float = 0.0
    #: calls that its present attempt has made and that have no outcome
    children: set[int] = field(default_factory=set)
    over: bool = False
    cancelled: bool = False
    recalled: bool = False
    paused: bool = False
    #: how many that were sent with this attempt were told before the rest
    answered: int = 0
    #: the number of the container that it is for, 0: any of its pool; and whether that is aside then
    pinned: int = 0
    aside: bool = False


@dataclass(eq=False)
class ModelContainer:
    number: int
    pool: int
    launched: bool = False
    ready: bool = False
    start_failed: bool = False
    stopped: bool = False
    killed: bool = False
    held: list[ModelInput] = field(default_factory=list)
    #: pinned inputs that wait or run here, in the order of their arrival
    pins: list[ModelInput] = field(default_factory=list)

    @property
    def aside(self) -> bool:
        return bool(self.pins) and self.pins[0].aside


class Model:
    """Told of every event before it is fed and of every effect; raises AssertionError."""

    def __init__(self, machine: MachineLimit) -> None:
        self.machine = machine
        self.now = 0.0
        self.specs: dict[int, PoolSpec] = {}
        self.apps: dict[int, int] = {}
        self.caps: dict[int, int | None] = {}
        self.inputs: dict[int, ModelInput] = {}
        self.containers: dict[int, ModelContainer] = {}
        self.gone_pools: set[int] = set()
        self.stopping: set[int] = set()
        self.closing = False
        #: apps whose notebook went, and until when they linger
        self.orphans: dict[int, float] = {}
        self.event: ev.Event = ev.TimePassed()
        #: whose answer the event in hand is
        self.answered: ModelInput | None = None
        #: the batch whose effects are being read
        self.open: list[ModelInput] = []

    # -- what can be counted

    def slots(self, pool: int) -> int:
        spec = self.specs[pool]
        return 1 if spec.limits.single_use else spec.concurrency.max_inputs

    def units(self, container: ModelContainer) -> list[int]:
        """What takes a slot each, in the order of sending: messages and batches."""
        return list(dict.fromkeys(id(input.unit) for input in container.held))

    def running(self, container: ModelContainer) -> list[ModelInput]:
        first = self.units(container)[: self.slots(container.pool)]
        return [input for input in container.held if id(input.unit) in first]

    def code(self, input: ModelInput) -> ModelInput | None:
        """In whose name its code makes calls: of a batch its first one, until that has its answer."""
        first = input.unit[0]
        return first if first.unit is input.unit else None

    def waiting(self) -> list[ModelInput]:
        return [input for input in self.inputs.values() if not input.over]

    def of(self, pool: int) -> list[ModelContainer]:
        return [container for container in self.containers.values() if container.pool == pool]

    def asleep(self, container: ModelContainer) -> bool:
        """All that it runs may be waiting for calls of its own."""
        running = self.running(container)
        return bool(running) and all(code is not None and code.children for code in map(self.code, running))

    # -- events

    def hear(self, event: ev.Event) -> None:
        self.event, self.answered = event, None
        hear = getattr(self, "_hear_" + type(event).__name__, None)
        if hear is not None:
            hear(event)

    def _hear_InputArrived(self, event: ev.InputArrived) -> None:  # noqa: N802
        parent = self.inputs.get(event.parent)
        self.inputs[event.input] = ModelInput(
            event.input, event.pool, event.client, event.count, event.parent, event.batch
        )
        if parent is not None and parent.container is not None and not parent.over:
            parent.children.add(event.input)

    def _hear_PinnedArrived(self, event: ev.PinnedArrived) -> None:  # noqa: N802
        container = self.containers.get(event.container)
        input = ModelInput(event.input, container.pool if container else 0, event.client, 1, 0)
        input.pinned, input.aside = event.container, event.aside
        self.inputs[event.input] = input
        if container is not None:
            container.pins.append(input)

    def _hear_InputFinished(self, event: ev.InputFinished) -> None:  # noqa: N802
        input = self.answered = self.current(event.container, event.input, event.attempt)
        if input is not None:
            self._leave(input)
            if event.outcome is ev.Outcome.ERROR and not input.over and self.may_be_tried_again(input):
                input.failures += 1
                self.answered = None

    def _hear_InputReturned(self, event: ev.InputReturned) -> None:  # noqa: N802
        input = self.current(event.container, event.input, event.attempt)
        if input is not None and event.begun == input.answered:
            self._leave(input)
            if event.failed:  # of a chunk its first one, which is what this number stands for from now on
                input.failures += 1

    def _hear_InputCancelled(self, event: ev.InputCancelled) -> None:  # noqa: N802
        self.inputs[event.input].cancelled = True

    def _hear_ContainerLaunched(self, event: ev.ContainerLaunched) -> None:  # noqa: N802
        self.containers[event.container].launched = True

    def _hear_ContainerReady(self, event: ev.ContainerReady) -> None:  # noqa: N802
        container = self.containers[event.container]
        container.launched = container.ready = True

    def _hear_ContainerStartFailed(self, event: ev.ContainerStartFailed) -> None:  # noqa: N802
        if not event.launched:
            self._dead(event.container)

    def _hear_ContainerExited(self, event: ev.ContainerExited) -> None:  # noqa: N802
        self._dead(event.container)

    def _dead(self, number: int) -> None:
        for input in list(self.containers.pop(number).held):
            self._leave(input)

    def _hear_AutoscalerUpdated(self, event: ev.AutoscalerUpdated) -> None:  # noqa: N802
        self.caps[event.pool] = event.settings.max_containers

    def _hear_LimitChanged(self, event: ev.LimitChanged) -> None:  # noqa: N802
        self.machine = event.machine

    def _hear_AppStopped(self, event: ev.AppStopped) -> None:  # noqa: N802
        self.stopping.add(event.app)

    def _hear_AppOrphaned(self, event: ev.AppOrphaned) -> None:  # noqa: N802
        self.orphans[event.app] = self.now + event.linger
        mine = [pool for pool in self.specs if self.apps[pool] == event.app]
        self.caps |= {pool: self.specs[pool].autoscaler.max_containers for pool in mine}

    def _hear_AppAdopted(self, event: ev.AppAdopted) -> None:  # noqa: N802
        self.orphans.pop(event.app, None)

    def _hear_TimePassed(self, _event: ev.TimePassed) -> None:  # noqa: N802
        self.stopping.update(app for app, until in self.orphans.items() if until <= self.now)

    def _hear_ShutdownBegan(self, event: ev.ShutdownBegan) -> None:  # noqa: N802
        self.stopping.update(self.apps.values())
        self.closing = True

    def current(self, container: int, number: int, attempt: int) -> ModelInput | None:
        """The input, if this is its attempt of today."""
        input = self.inputs.get(number)
        if input is None or input.container is None or input.container.number != container:
            return None
        return input if input.attempt == attempt else None

    def _leave(self, input: ModelInput) -> None:
        assert input.container is not None
        input.container.held.remove(input)
        self._unpin(input)
        input.container, input.unit = None, []
        input.recalled = input.paused = False
        input.answered = 0
        input.children.clear()

    def _unpin(self, input: ModelInput) -> None:
        container = self.containers.get(input.pinned)
        if container is not None and input in container.pins:
            container.pins.remove(input)

    # -- effects

    def see(self, effect: fx.Effect) -> None:
        match effect:
            case fx.LaunchContainer():
                self._launch(effect)
            case fx.SendInput():
                self._send(self.inputs[effect.input], effect)
            case fx.StopContainer():
                container = self.containers[effect.container]
                assert not container.stopped, "stopped twice"
                assert not container.held, "stopped although it holds inputs"
                container.stopped = True
            case fx.KillContainer():
                assert not self.containers[effect.container].killed, "killed twice"
                self.containers[effect.container].killed = True
            case fx.CancelInput() | fx.RecallInput():
                input = self.current(effect.container, effect.input, effect.attempt)
                assert input is not None, "asked for an input that is not there"
                input.recalled = input.recalled or isinstance(effect, fx.RecallInput)
            case fx.SplitInput():
                self._split(self.inputs[effect.input], effect)
            case fx.ReplyPart():
                self._part(self.inputs[effect.input], effect)
            case fx.ReplyInput() | fx.FailInput() | fx.DropInput():
                self._over(self.inputs[effect.input], effect)
            case fx.ForgetPool():
                assert not self.of(effect.pool), "a pool was forgotten that has containers"
                self.gone_pools.add(effect.pool)

    def _launch(self, effect: fx.LaunchContainer) -> None:
        pool = effect.pool
        assert pool not in self.gone_pools
        assert self.apps[pool] not in self.stopping, "a container for an app that ends"
        if self.apps[pool] in self.orphans:
            asked = any(self.same(input.pool, pool) for input in self.waiting())
            assert asked or isinstance(self.event, ev.ContainerAsked), "a container for nobody"
        cap = self.caps[pool]
        counted = [container for container in self.of(pool) if not container.aside]
        assert cap is None or len(counted) < cap, f"more than max_containers={cap}"
        self.containers[effect.container] = ModelContainer(effect.container, pool)
        awake = [container for container in self.containers.values() if not self.asleep(container)]
        assert len(awake) <= self.machine.containers, "more containers than the machine may have"

    def _send(self, input: ModelInput, effect: fx.SendInput) -> None:
        container = self.containers[effect.container]
        assert not input.over, "sent although it is over"
        assert input.container is None, "sent although it is in a container"
        assert effect.attempt > input.attempt, "the fence was not raised"
        assert container.pool in {p for p in self.specs if self.same(p, input.pool)}, "sent to another pool"
        assert container.ready, "sent to a container that is not ready"
        assert not container.stopped, "sent to a container that ends"
        assert not container.killed, "sent to a container that was killed"
        assert input.failures <= self.retries(input), "tried more often than its policy allows"
        self._turn(input, container)
        self._gather(input, effect)
        input.attempt, input.container, input.sent_at = effect.attempt, container, self.now
        container.held.append(input)
        most = self.slots(container.pool) + (not input.batch)
        assert len(self.units(container)) <= most, "more than one ahead"

    def _turn(self, input: ModelInput, container: ModelContainer) -> None:
        """Nothing runs beside a pinned input, nor overtakes it."""
        if not input.pinned:
            assert not container.pins, "sent beside a pinned input"
            return
        assert input.pinned == container.number, "pinned, and sent elsewhere"
        assert not input.attempt, "pinned, and sent again"
        assert container.pins[0] is input, "sent before its turn"
        assert not container.held, "pinned, and sent to a container that runs something"

    def _gather(self, input: ModelInput, effect: fx.SendInput) -> None:
        """Batches are of one method and no larger than they may be."""
        assert (effect.following >= 0) == bool(input.batch)
        if not input.batch:
            input.unit = [input]
            return
        self.open.append(input)
        input.unit = self.open
        assert input.batch == self.open[0].batch
        assert self.same(input.pool, self.open[0].pool)
        if not effect.following:
            batching = self.specs[input.pool].batching[input.batch - 1][1]
            assert sum(one.count for one in self.open) <= batching.max_batch_size
            self.open = []

    def retries(self, input: ModelInput) -> int:
        policy = None if input.pinned else self.specs[input.pool].retries
        return 0 if policy is None else policy.max_retries

    def may_be_tried_again(self, input: ModelInput) -> bool:
        closing = self.closing or self.apps[input.pool] in self.stopping
        return input.count == 1 and not closing and input.failures < self.retries(input)

    def same(self, one: int, other: int) -> bool:
        return self.apps[one] == self.apps[other] and self.specs[one].key == self.specs[other].key

    def _split(self, input: ModelInput, effect: fx.SplitInput) -> None:
        assert 0 < effect.keep < input.count
        count = input.count - effect.keep
        rest = ModelInput(effect.rest, input.pool, input.client, count, input.parent, input.batch)
        rest.attempt, rest.cancelled = 0, input.cancelled
        event = self.event
        if isinstance(event, ev.InputReturned) and event.failed and event.input == input.number:
            rest.failures = int(0 < event.begun - input.answered == effect.keep)
        input.count = effect.keep
        self.inputs[effect.rest] = rest
        parent = self.inputs.get(input.parent)
        if parent is not None and input.number in parent.children:
            parent.children.add(effect.rest)

    def _part(self, input: ModelInput, effect: fx.ReplyPart) -> None:
        event = self.event
        assert isinstance(event, ev.PartFinished), "results of a part, but none are in hand"
        assert self.current(event.container, event.input, event.attempt) is input
        assert 0 < effect.count == event.done - input.answered < input.count
        assert not input.over
        input.answered += effect.count
        input.count -= effect.count

    def _over(self, input: ModelInput, effect: fx.ReplyInput | fx.FailInput | fx.DropInput) -> None:
        assert not input.over, f"input {input.number} has two outcomes"
        assert self.may(input, effect), f"{effect} is no fate of {input} after {self.event}"
        input.over = True
        if input.container is None:
            self._unpin(input)
        input.children.clear()
        parent = self.inputs.get(input.parent)
        if parent is not None:
            parent.children.discard(input.number)

    def may(self, input: ModelInput, effect: fx.ReplyInput | fx.FailInput | fx.DropInput) -> bool:
        """Whether this can be what becomes of the input now."""
        event = self.event
        lost = isinstance(event, ev.ClientLost)
        if isinstance(effect, fx.ReplyInput):
            outcome = getattr(event, "outcome", None)
            if outcome is ev.Outcome.ERROR and self.may_be_tried_again(input):
                return False
            return self.answered is input and outcome is not ev.Outcome.CANCELLED
        if isinstance(effect, fx.DropInput):
            return input.cancelled or (lost and event.client == input.client)
        match effect.kind:
            case FailureKind.CANCELLED:
                return input.cancelled or self.answered is input
            case FailureKind.APP_STOPPED:
                return self.closing or self.apps[input.pool] in self.stopping or lost
            case FailureKind.QUEUE_FULL | FailureKind.POOL_GONE:
                arrived = isinstance(event, ev.InputArrived | ev.PinnedArrived)
                return arrived and event.input == input.number
            case FailureKind.CONTAINER_GONE:
                return bool(input.pinned) and input.container is None
            case FailureKind.TIMEOUT | FailureKind.CRASHED:
                return self._may_fail_in_its_container(input, effect)
            case _:
                return input.container is None and self._may_fail_in_its_queue(input, effect)

    def _may_fail_in_its_container(self, input: ModelInput, effect: fx.FailInput) -> bool:
        if input.pinned:
            return effect.kind is FailureKind.CRASHED and isinstance(self.event, ev.ContainerExited)
        if effect.kind is FailureKind.CRASHED:
            budget = self.specs[input.pool].limits.crash_budget
            return isinstance(self.event, ev.ContainerExited) and effect.times > budget
        policy = self.specs[input.pool].retries
        if policy is not None and policy.on_timeout and self.may_be_tried_again(input):
            return False
        long = self.now - input.sent_at >= effect.seconds - 1e-6
        return long and input.container is not None and (input.count == 1 or input.batch > 0)

    def _may_fail_in_its_queue(self, input: ModelInput, effect: fx.FailInput) -> bool:
        spec, mine = self.specs[input.pool], self.of(input.pool)
        match effect.kind:
            case FailureKind.START_FAILED | FailureKind.STARTUP_TIMEOUT:
                return effect.times >= spec.limits.start_budget
            case FailureKind.DOES_NOT_FIT:
                return spec.resources.cpu is not None and spec.resources.cpu > self.machine.cpu
            case FailureKind.DEADLOCK:
                full = len(mine) >= effect.times == self.caps[input.pool]
                return full and bool(input.parent) and all(map(self.asleep, mine))
        return False
