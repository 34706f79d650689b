"""A container as the scheduler sees it, and the one function that changes its state."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from math import inf
from typing import TYPE_CHECKING

from modal_nb.scheduler.inputs import Input
from modal_nb.spec.lifecycle import MOVES, ContainerState

if TYPE_CHECKING:
    from modal_nb.scheduler.pool import Pool

_READY = (ContainerState.IDLE, ContainerState.BUSY)
_ENDING = (ContainerState.DRAINING, ContainerState.DEAD)


class IllegalMove(Exception):
    """The scheduler tried a move that the table does not have: always a mistake of ours."""


@dataclass(slots=True, eq=False)
class Container:
    """From its launch to the news of its end."""

    number: int
    pool: Pool
    #: when it came into its present state
    since: float
    #: of the pool when it was launched: the failures of an older one no longer count
    generation: int
    #: when it must be ready; infinite once it is
    start_deadline: float = inf
    #: when it must have ended; infinite before it was told to
    stop_deadline: float = inf
    state: ContainerState = ContainerState.STARTING
    #: all that was sent and not answered, in the order of sending
    held: dict[int, Input] = field(default_factory=dict)
    #: slots in use: a message takes one, or a whole batch
    taken: int = 0
    #: the one among them that waits for a slot
    ahead: Input | None = None
    #: something in it ran long: nothing is fetched ahead until an input has finished
    slow: bool = False
    #: an input in it has made nested calls
    calling: bool = False
    #: all that it runs waits for nested calls: it takes no place on the machine meanwhile
    blocked: bool = False
    #: inputs finished here
    served: int = 0
    #: pinned inputs that wait for it or run here, in the order of their arrival: it takes no others meanwhile
    pins: dict[Input, None] = field(default_factory=dict)
    #: the first of them has it put aside: it counts for nothing in its pool; and since when
    aside: bool = False
    aside_since: float = inf
    ready_at: float = inf
    #: we end it: whatever it still holds is not to blame
    killed: bool = False
    #: but what made nested calls is, if one that did not end when it was cancelled is the reason: it may be its own
    ignored: bool = False
    #: StopContainer was sent
    stopped: bool = False
    #: why it drains
    reason: str = ""
    #: somebody asked for it by hand
    wished: bool = False
    #: the pool's list that it is in
    listed: dict[Container, None] | None = None
    #: kept by Deadlines
    armed: float = inf

    @property
    def ready(self) -> bool:
        return self.state in _READY

    def running(self) -> Iterator[Input]:
        """What it holds but for the one that waits for a slot."""
        return (input for input in self.held.values() if not input.ahead)

    @property
    def serving(self) -> bool:
        """It takes inputs, or will when it has started."""
        return self.state not in _ENDING

    @property
    def on_duty(self) -> bool:
        """It serves its pool, and nothing is pinned to it."""
        return self.serving and not self.pins

    def move(self, state: ContainerState, now: float) -> None:
        """The only place where a state changes."""
        if (self.state, state) not in MOVES:
            raise IllegalMove(f"container {self.number}: {self.state} to {state}")
        self.state = state
        self.since = now

    def next_time(self) -> float:
        """The earliest moment at which something is due here."""
        due = min(self.start_deadline, self.stop_deadline)
        for input in self.held.values():
            due = min(due, input.deadline, input.recall_at)
        return due
