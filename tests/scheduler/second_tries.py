"""The witness's own books on retries: what must be tried again, when at the earliest, and when not any more."""

from __future__ import annotations

from collections.abc import Callable, Container
from typing import TYPE_CHECKING

from modal_nb.scheduler import effects as fx
from modal_nb.scheduler import events as ev
from modal_nb.spec.retries import RetryPolicy

if TYPE_CHECKING:
    from tests.scheduler.world import World

#: rounding of clock arithmetic
_EPS = 1e-6


class SecondTries:
    """Told of everything by the witness. I5: attempts that failed are at most the retries and one."""

    def __init__(
        self,
        world: World,
        demand: Callable[[bool, str], None],
        closing: Callable[[int], bool],
        pinned: Callable[[], Container[int]],
    ) -> None:
        """``closing(pool)``: its app takes nothing any more. ``pinned()``: inputs that are never tried again."""
        self._pinned = pinned
        self._world = world
        self._demand = demand
        self._closing = closing
        #: of parts that were cut off in this step
        self._pools: dict[int, int] = {}
        self._failures: dict[int, int] = {}
        #: not to be sent before
        self._due: dict[int, float] = {}
        #: asked to end because their time was over, to be tried again
        self._late: set[int] = set()
        #: whose failure in this step must not be told, and whose outcome must be
        self._kept: set[int] = set()
        self._owed: set[int] = set()
        #: the event in hand gave back an input that failed: the first one behind these
        self._returned: ev.InputReturned | None = None

    def _policy(self, input: int) -> RetryPolicy | None:
        return self._world.specs[self._pool(input)].retries

    def _may(self, input: int, *, timed_out: bool = False) -> bool:
        policy = self._policy(input)
        pinned = input in self._pinned()
        if (
            policy is None
            or pinned
            or self._world.spans[input][2] > 1
            or (timed_out and not policy.on_timeout)
        ):
            return False
        return self._failures.get(input, 0) < policy.max_retries

    def _count(self, input: int) -> None:
        policy = self._policy(input)
        assert policy is not None
        failures = self._failures[input] = self._failures.get(input, 0) + 1
        wait = policy.initial_delay * policy.backoff_coefficient ** (failures - 1)
        self._due[input] = self._world.now + min(wait, policy.max_delay)

    def postponed(self) -> set[int]:
        """Whose next attempt is not due."""
        return {input for input, due in self._due.items() if due > self._world.now}

    # -- told

    def finished(self, input: int, outcome: ev.Outcome) -> None:
        """A living attempt has ended and its caller waits."""
        late = input in self._late
        self._late.discard(input)
        if self._closing(self._pool(input)):
            return
        failed = outcome is ev.Outcome.ERROR and self._may(input)
        if failed or (late and outcome is ev.Outcome.CANCELLED):
            self._count(input)
            self._kept.add(input)
        elif outcome is not ev.Outcome.CANCELLED:
            self._owed.add(input)

    def attempt_ended(self, input: int) -> None:
        """Its container is dead."""
        if input in self._late:
            self._late.discard(input)
            if not self._closing(self._pool(input)):
                self._count(input)

    def timed_out(self, input: int) -> None:
        """It was asked to end although its caller waits, because its time was over."""
        if self._may(input, timed_out=True):
            self._late.add(input)
        else:
            many = self._world.spans[input][2] > 1
            self._demand(
                many, f"I5: input {input} was asked to end, was not told why, and may not be tried again"
            )

    def returned(self, event: ev.InputReturned | None) -> None:
        self._returned = event if event is not None and event.failed else None
        if self._returned is not None and not self._begun(event) and self._world.spans[event.input][2] == 1:
            self._first_of(event.input)

    def split(self, effect: fx.SplitInput) -> None:
        """Of what is given back because its first one failed, that one is cut off. Called before it is done."""
        event, input, rest = self._returned, effect.input, effect.rest
        self._pools[rest] = self._pools.get(input) or self._world.spans[input][0].pool
        if event is None or input != event.input:
            return
        if not self._begun(event):
            self._first_of(input)
        elif self._world.spans[input][2] - effect.keep == 1:
            self._first_of(rest)
        else:
            self._returned = ev.InputReturned(event.container, rest, event.attempt, 0, failed=True)

    def _begun(self, event: ev.InputReturned) -> int:
        """How many stay where they are."""
        return event.begun - self._world.answered.get(event.input, 0)

    def _first_of(self, input: int) -> None:
        """It has failed, as the first of a chunk: never before."""
        self._returned = None
        self._late.discard(input)
        if not self._closing(self._pool(input)):
            self._count(input)

    def _pool(self, input: int) -> int:
        return self._pools.get(input) or self._world.spans[input][0].pool

    def sent(self, input: int) -> None:
        due = self._due.pop(input, 0.0)
        self._demand(
            self._world.now >= due - _EPS, f"I5: input {input} was tried again before its delay was over"
        )
        policy = self._policy(input)
        most = 0 if policy is None else policy.max_retries
        self._demand(
            self._failures.get(input, 0) <= most, f"I5: input {input} is tried more often than allowed"
        )

    def replied(self, input: int) -> None:
        self._owed.discard(input)
        self._demand(
            input not in self._kept, f"I5: the failure of {input} was told before its retries were used up"
        )

    def failed(self, effect: fx.FailInput) -> None:
        self._due.pop(effect.input, None)
        if effect.kind is fx.FailureKind.TIMEOUT and not self._closing(self._pool(effect.input)):
            again = self._may(effect.input, timed_out=True)
            self._demand(not again, f"I5: {effect} although it may be tried again")

    def check(self) -> None:
        """After each step."""
        self._demand(not self._owed, f"I5: the outcome of {self._owed} is there and was not told")
        self._kept.clear()
        self._returned = None
