"""What the scheduler's decisions cost for each input, with much in its books and with little.

Pure: the real scheduler is fed events, no process is started. `python -m benchmarks.scheduler_cost` prints it.
"""

from __future__ import annotations

import gc
import itertools
import time
from collections import deque
from dataclasses import dataclass, field

from modal_nb.scheduler import effects as fx
from modal_nb.scheduler import events as ev
from modal_nb.scheduler.scheduler import Scheduler
from modal_nb.spec.pool import PoolSpec
from modal_nb.spec.resources import MachineLimit
from modal_nb.spec.scaling import Autoscaler

#: what waits -> (pools, inputs that wait, containers that the machine has room for)
CASES = {
    "10 inputs wait in 1 pool, 1 container": (1, 10, 1),
    "10,000 inputs wait in 1 pool, 1 container": (1, 10_000, 1),
    "10,000 inputs wait in 1,000 pools, 1,000 containers": (1_000, 10_000, 1_000),
    "10,000 inputs wait in 1,000 pools, 8 containers": (1_000, 10_000, 8),
}
#: inputs of one sample, and samples of each; the least one counts, because all that disturbs makes it longer
INPUTS, SAMPLES = 1_000, 12
#: run time that containers tell, in seconds
RUN = 0.001


@dataclass
class Books:
    """A scheduler with so many pools and inputs that wait; each pool has one container, as far as there is room."""

    pools: int
    queued: int
    #: containers that the machine has room for
    room: int
    now: float = 0.0
    #: inputs in their containers, the first sent first: (container, input, attempt)
    running: deque[tuple[int, int, int]] = field(default_factory=deque)
    pool_of: dict[int, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.scheduler = Scheduler(MachineLimit(self.room, 10_000.0, 1 << 30))
        self.client, app = self.scheduler.next_number(), self.scheduler.next_number()
        self.feed(ev.AppOpened(app, "cost", self.client))
        settings = Autoscaler(max_containers=1, scaledown_window=3_600)
        numbers = []
        for index in range(self.pools):
            number = self.scheduler.next_number()
            self.feed(ev.PoolOpened(number, app, PoolSpec(f"key{index}", f"line{index}", "Cost", settings)))
            numbers.append(number)
        for number in itertools.islice(itertools.cycle(numbers), self.queued):
            self.arrive(number)
        # as many more as run now, so that so many wait
        for container, _, _ in list(self.running):
            self.arrive(self.pool_of[container])

    def feed(self, event: ev.Event) -> None:
        """As the supervisor does, with all that follows at once."""
        self.now += 1e-5
        for effect in self.scheduler.feed(event, self.now):
            if type(effect) is fx.SendInput:
                self.running.append((effect.container, effect.input, effect.attempt))
            elif type(effect) is fx.LaunchContainer:
                self.pool_of[effect.container] = effect.pool
                self.feed(ev.ContainerLaunched(effect.container))
                self.feed(ev.ContainerReady(effect.container))
            elif type(effect) is fx.StopContainer:
                self.feed(ev.ContainerExited(effect.container, fx.ExitCause("stopped")))
        self.scheduler.wake_at()

    def arrive(self, pool: int) -> None:
        self.feed(ev.InputArrived(self.scheduler.next_number(), pool, self.client))

    def finish(self) -> int:
        """Returns the pool whose input has ended."""
        container, number, attempt = self.running.popleft()
        self.feed(ev.InputFinished(container, number, attempt, ev.Outcome.OK, RUN))
        return self.pool_of[container]

    def sample(self, inputs: int = INPUTS) -> float:
        """Microseconds for one input, from its arrival to its end, while as many wait as before in each pool."""
        start = time.perf_counter()
        for _ in range(inputs):
            self.arrive(self.finish())
        return (time.perf_counter() - start) / inputs * 1e6


def costs(samples: int = SAMPLES) -> dict[str, float]:
    """Microseconds for one input in each case; their samples take turns."""
    books = {name: Books(*case) for name, case in CASES.items()}
    gc.collect()
    gc.freeze()  # as the supervisor does, else what is measured is Python's collector
    try:
        taken = [{name: one.sample() for name, one in books.items()} for _ in range(samples + 1)][1:]
    finally:
        gc.unfreeze()
    return {name: min(sample[name] for sample in taken) for name in books}


def main() -> None:
    found = costs()
    least = found[next(iter(CASES))]
    for name, cost in found.items():
        print(f"{cost:6.1f} us for each input, {cost / least:.2f} times the first: {name}")


if __name__ == "__main__":
    main()
