"""A simulated machine: it performs the scheduler's effects on containers that exist only here, and tells what happens.

Time is a number. Launches and inputs take it; containers crash, hang and ignore; messages are late, doubled or lost.
What exactly happens is said by ``Work`` and ``Habits``; with the default ones nothing goes wrong.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable

from modal_nb.scheduler import effects as fx
from modal_nb.scheduler import events as ev
from modal_nb.scheduler.scheduler import Scheduler
from modal_nb.spec.lifecycle import CauseKind, ExitCause
from modal_nb.spec.pool import PoolSpec
from modal_nb.spec.resources import MachineLimit
from tests.scheduler.machine import Habits, Message, Sent, SimContainer


class World:
    """One supervisor's world, with the clock in ``now`` (seconds)."""

    def __init__(
        self, machine: MachineLimit | None = None, scheduler: type[Scheduler] = Scheduler, **settings: object
    ) -> None:
        self.now = 0.0
        self.machine = machine or MachineLimit(containers=8, cpu=8.0, memory=8000)
        self.scheduler = scheduler(self.machine, **settings)  # type: ignore[arg-type]
        self.specs: dict[int, PoolSpec] = {}
        self.containers: dict[int, SimContainer] = {}
        #: what an input number stands for: its message, and from where to where
        self.spans: dict[int, tuple[Message, int, int]] = {}
        #: of each input how many of those that were sent with its attempt were told before the rest
        self.answered: dict[int, int] = {}
        #: inputs with an outcome
        self.told: set[int] = set()
        self.log: list[tuple[float, ev.Event, list[fx.Effect]]] = []
        self.habits: Callable[[int], Habits] = lambda _pool: Habits()
        self.delay: Callable[[], float] = lambda: 0.0
        self.copies: Callable[[object], int] = lambda _message: 1
        #: which batched method of a pool the next call is for
        self.line: Callable[[int], int] = lambda pool: int(bool(self.specs[pool].batching))
        #: how much later a doubled message comes
        self.echo: Callable[[], float] = lambda: 0.0
        # who watches: before each event, before each effect is performed, and after all of them
        self.before: Callable[[ev.Event], None] = lambda _event: None
        self.see: Callable[[fx.Effect], None] = lambda _effect: None
        self.after_all: Callable[[ev.Event, list[fx.Effect]], None] = lambda _event, _effects: None
        self._agenda: list[tuple[float, int, Callable[[], None]]] = []
        self._order = 0
        self._feeding = False

    # -- time

    def at(self, when: float, do: Callable[[], None]) -> None:
        self._order += 1
        heapq.heappush(self._agenda, (when, self._order, do))

    def after(self, seconds: float, do: Callable[[], None]) -> None:
        self.at(self.now + seconds, do)

    def step(self, until: float) -> bool:
        """The next thing that happens; False: nothing does before ``until``."""
        wake = self.scheduler.wake_at()
        when = self._agenda[0][0] if self._agenda else float("inf")
        if wake is not None and wake < when:
            if wake > until:
                return False
            self.now = max(self.now, wake)
            self.feed(ev.TimePassed())
            return True
        if when > until:
            return False
        self.now = max(self.now, when)
        heapq.heappop(self._agenda)[2]()
        return True

    def run(self, seconds: float = 0.0) -> World:
        """Let this much time pass."""
        until = self.now + seconds
        while self.step(until):
            pass
        self.now = until
        return self

    # -- what the supervisor does

    def feed(self, event: ev.Event) -> list[fx.Effect]:
        assert not self._feeding, "effects must not cause events in the same breath"
        self.before(event)
        effects = self.scheduler.feed(event, self.now)
        self.log.append((self.now, event, effects))
        self._feeding = True
        for effect in effects:
            self.see(effect)
            perform = getattr(self, "_on_" + type(effect).__name__, None)
            if perform is not None:
                perform(effect)
        self._feeding = False
        self.after_all(event, effects)
        return effects

    def _later(self, message: object, do: Callable[[], None]) -> None:
        for _ in range(self.copies(message)):
            self.after(self.delay(), do)

    def _on_LaunchContainer(self, effect: fx.LaunchContainer) -> None:  # noqa: N802
        habits = self.habits(effect.pool)
        self.containers[effect.container] = SimContainer(self, effect.container, effect.pool, habits)

    def _on_SendInput(self, effect: fx.SendInput) -> None:  # noqa: N802
        self.answered[effect.input] = 0
        message, first, count = self.spans[effect.input]
        works = message.works[first : first + count]
        container = self.containers[effect.container]
        sent = Sent(effect.input, effect.attempt, list(works), count=count, following=effect.following)
        # one copy only: a stream does not double, but a message in it can be lost with what carried it; a batch is lost
        # with its last one, for what is left of it would never be whole
        if effect.following > 0 or self.copies(effect):
            self.at(self.now, lambda: container.send(sent))
        else:
            self.at(self.now, container.gathered.clear)

    def _on_RecallInput(self, effect: fx.RecallInput) -> None:  # noqa: N802
        container = self.containers[effect.container]
        self._later(effect, lambda: container.recall(effect.input, effect.attempt))

    def _on_CancelInput(self, effect: fx.CancelInput) -> None:  # noqa: N802
        container = self.containers[effect.container]
        self._later(effect, lambda: container.cancel(effect.input, effect.attempt))

    def _on_StopContainer(self, effect: fx.StopContainer) -> None:  # noqa: N802
        container = self.containers[effect.container]
        if self.copies(effect):
            self.after(self.delay(), container.stop)

    def _on_KillContainer(self, effect: fx.KillContainer) -> None:  # noqa: N802
        container = self.containers[effect.container]
        self.after(self.delay(), lambda: container.die(ExitCause(CauseKind.KILLED, signal=9)))

    def _on_ReplyInput(self, effect: fx.ReplyInput) -> None:  # noqa: N802
        self._tell(effect.input, well=True)

    def _on_ReplyPart(self, effect: fx.ReplyPart) -> None:  # noqa: N802
        message, first, count = self.spans[effect.input]
        assert 0 < effect.count < count, "a part leaves something behind"
        self.spans[effect.input] = (message, first + effect.count, count - effect.count)
        self.answered[effect.input] += effect.count
        self._tell_caller(message, effect.count, well=True)

    def _on_FailInput(self, effect: fx.FailInput) -> None:  # noqa: N802
        self._tell(effect.input, well=False)

    def _on_DropInput(self, effect: fx.DropInput) -> None:  # noqa: N802
        self._tell(effect.input, well=False)

    def _tell(self, input: int, *, well: bool) -> None:
        self.told.add(input)
        message, _, count = self.spans[input]
        self._tell_caller(message, count, well=well)

    def _tell_caller(self, message: Message, count: int, *, well: bool) -> None:
        caller = message.caller
        if caller is not None:
            self.after(self.delay(), lambda: caller.ended(message, count, well=well))

    def _on_SplitInput(self, effect: fx.SplitInput) -> None:  # noqa: N802
        message, first, count = self.spans[effect.input]
        assert 0 < effect.keep < count, "a split leaves something on both sides"
        self.spans[effect.input] = (message, first, effect.keep)
        self.spans[effect.rest] = (message, first + effect.keep, count - effect.keep)
