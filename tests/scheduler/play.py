"""The simulated machine with the words that unit tests read well in."""

from __future__ import annotations

from modal_nb.scheduler import effects as fx
from modal_nb.scheduler import events as ev
from modal_nb.spec.lifecycle import ContainerState
from modal_nb.spec.limits import Limits
from modal_nb.spec.pool import PoolSpec
from modal_nb.spec.resources import MachineLimit, Resources
from modal_nb.spec.retries import RetryPolicy
from modal_nb.spec.scaling import Autoscaler, Batching, Concurrency
from tests.scheduler.machine import Message, SimContainer, Work
from tests.scheduler.world import World

CLIENT = 1_000_000


class Play(World):
    """One client with one app, unless a test asks for more."""

    def __init__(self, machine: MachineLimit | None = None, **settings: object) -> None:
        super().__init__(machine, **settings)
        self.app = self.open_app()
        self._keys = 0

    def open_app(self, owner: int = CLIENT) -> int:
        app = self.scheduler.next_number()
        self.feed(ev.AppOpened(app, "app", owner))
        return app

    def pool(
        self,
        *,
        key: str = "",
        lineage: str = "",
        app: int | None = None,
        min: int = 0,
        max: int | None = None,
        buffer: int = 0,
        window: int = 60,
        slots: int = 1,
        target: int | None = None,
        batch: int = 0,
        wait_ms: int = 0,
        retries: RetryPolicy | None = None,
        cpu: float | None = None,
        memory: int | None = None,
        **limits: object,
    ) -> int:
        self._keys += 1
        spec = PoolSpec(
            key or f"key {self._keys}",
            lineage or f"lineage {self._keys}",
            "Model",
            Autoscaler(min, max, buffer, window),
            Concurrency(slots, target),
            Limits(**limits),
            Resources(cpu=cpu, memory=memory),
            retries,
            (("predict", Batching(batch, wait_ms)),) if batch else (),
        )
        number = self.scheduler.pool_number(app or self.app, spec.key) or self.scheduler.next_number()
        self.specs[number] = spec
        self.feed(ev.PoolOpened(number, app or self.app, spec))
        return number

    def update(self, pool: int, *, min: int = 0, max: int | None = None, buffer: int = 0, window: int = 60):
        self.feed(ev.AutoscalerUpdated(pool, Autoscaler(min, max, buffer, window)))

    def call(self, pool: int, seconds: float = 1.0, end: str = "ok", *, client: int = CLIENT) -> int:
        return self.chunk(pool, [Work(seconds, end)], client=client)

    def nested(self, pool: int, *calls: tuple[int, list[Work]], patient: bool = False) -> int:
        """One input whose code makes these calls, waits for them, and takes a second more."""
        return self.chunk(pool, [Work(1.0, calls=calls, patient=patient)])

    def calls(self, pool: int, number: int, seconds: float = 1.0, end: str = "ok") -> list[int]:
        return [self.call(pool, seconds, end) for _ in range(number)]

    def pin(
        self, container: int, seconds: float = 1.0, end: str = "ok", *, aside: bool = False, **work: object
    ) -> int:
        """An input for this very container."""
        input = self.scheduler.next_number()
        pool = self.containers[container].pool if container in self.containers else 0
        self.spans[input] = (Message(pool, [Work(seconds, end, **work)]), 0, 1)
        self.feed(ev.PinnedArrived(input, container, CLIENT, aside))
        return input

    def chunk(self, pool: int, works: list[Work], *, client: int = CLIENT) -> int:
        input = self.scheduler.next_number()
        self.spans[input] = (Message(pool, works), 0, len(works))
        self.feed(ev.InputArrived(input, pool, client, len(works), batch=self.line(pool)))
        return input

    # -- what can be seen

    def outcome(self, input: int) -> str:
        """ "reply", "dropped" or the kind of failure; "" while there is none. Two would be an error."""
        ends = self.effects(fx.ReplyInput, fx.FailInput, fx.DropInput)
        found = [str(getattr(end, "kind", type(end).__name__)) for end in ends if end.input == input]
        assert len(found) < 2, f"input {input} has the outcomes {found}"
        return {"ReplyInput": "reply", "DropInput": "dropped"}.get(found[0], found[0]) if found else ""

    def outcomes(self, inputs: list[int]) -> set[str]:
        return {self.outcome(input) for input in inputs}

    def failure(self, input: int) -> fx.FailInput:
        return next(effect for effect in self.effects(fx.FailInput) if effect.input == input)

    def effects(self, *types: type) -> list:
        return [effect for _, _, effects in self.log for effect in effects if isinstance(effect, types)]

    def states(self, pool: int) -> list[str]:
        return [str(view.state) for view in self.scheduler.containers(pool)]

    def alive(self, pool: int) -> int:
        return len(self.scheduler.containers(pool))

    def backlog(self, pool: int) -> int:
        return self.scheduler.pool_stats(pool).backlog

    def running(self, pool: int) -> int:
        return self.scheduler.pool_stats(pool).num_running_inputs

    def why(self, pool: int) -> str:
        return self.scheduler.why(pool)

    def containers_of(self, pool: int) -> list[SimContainer]:
        """In the order of their launch, dead ones too."""
        return [container for container in self.containers.values() if container.pool == pool]

    def busy(self, pool: int) -> list[SimContainer]:
        numbers = [v.number for v in self.scheduler.containers(pool) if v.state is ContainerState.BUSY]
        return [self.containers[number] for number in numbers]
