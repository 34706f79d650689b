"""What the scheduler's decisions cost for each input, with much in its books and with little.

Pure: the real scheduler is fed events, no process is started. `python -m benchmarks.scheduler_cost` prints it.
"""

from __future__ import annotations

import gc
import itertools
import statistics
import time
from collections import deque
from dataclasses import dataclass, field

from modal_nb.scheduler import effects as fx
from modal_nb.scheduler import events as ev
from modal_nb.scheduler.scheduler import Scheduler
from modal_nb.spec.pool import PoolSpec
from modal_nb.spec.resources import MachineLimit
from modal_nb.spec.scaling import Autoscaler

LITTLE = (1, 10)
MUCH = (1_000, 10_000)
#: inputs of one sample, and samples of each; the least one counts, because all that disturbs makes it longer
INPUTS, SAMPLES = 2_000, 15
#: run time that containers tell, in seconds
RUN = 0.001


@dataclass
class Books:
    """A scheduler with so many pools and inputs that wait; each pool has one container, as far as there is room."""

    pools: int
    queued: int
    #: containers that the machine has room for
    room: int = 2_000
    now: float = 0.0
    #: inputs in their containers, the first sent first: (container, input, attempt)
    running: deque[tuple[int, int, int]] = field(default_factory=deque)
    numbers: list[int] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.scheduler = Scheduler(MachineLimit(self.room, 10_000.0, 1 << 30))
        self.client, app = self.scheduler.next_number(), self.scheduler.next_number()
        self.feed(ev.AppOpened(app, "cost", self.client))
        settings = Autoscaler(max_containers=1, scaledown_window=3_600)
        for index in range(self.pools):
            number = self.scheduler.next_number()
            self.feed(ev.PoolOpened(number, app, PoolSpec(f"key{index}", f"line{index}", "Cost", settings)))
            self.numbers.append(number)
        self.ring = itertools.cycle(self.numbers)
        for _ in range(self.queued):
            self.arrive()

    def feed(self, event: ev.Event) -> None:
        """As the supervisor does, with all that follows at once."""
        self.now += 1e-5
        for effect in self.scheduler.feed(event, self.now):
            if type(effect) is fx.SendInput:
                self.running.append((effect.container, effect.input, effect.attempt))
            elif type(effect) is fx.LaunchContainer:
                self.feed(ev.ContainerLaunched(effect.container))
                self.feed(ev.ContainerReady(effect.container))
            elif type(effect) is fx.StopContainer:
                self.feed(ev.ContainerExited(effect.container, fx.ExitCause("stopped")))
        self.scheduler.wake_at()

    def arrive(self) -> None:
        self.feed(ev.InputArrived(self.scheduler.next_number(), next(self.ring), self.client))

    def finish(self) -> None:
        container, number, attempt = self.running.popleft()
        self.feed(ev.InputFinished(container, number, attempt, ev.Outcome.OK, RUN))

    def sample(self, inputs: int = INPUTS) -> float:
        """Seconds for one input, from its arrival to its end, while as many wait as before."""
        start = time.perf_counter()
        for _ in range(inputs):
            self.arrive()
            self.finish()
        return (time.perf_counter() - start) / inputs


def costs(samples: int = SAMPLES) -> dict[str, float]:
    """Microseconds for one input with little and with much in the books, and the ratio of the two."""
    little, much = Books(*LITTLE), Books(*MUCH)
    gc.collect()
    gc.freeze()  # as the supervisor does, else what is measured is Python's collector
    try:
        pairs = [(little.sample(), much.sample()) for _ in range(samples + 1)][1:]
    finally:
        gc.unfreeze()
    ratio = statistics.median(more / less for less, more in pairs)
    return {
        "little_us": min(less for less, _ in pairs) * 1e6,
        "much_us": min(more for _, more in pairs) * 1e6,
        "ratio": ratio,
    }


def main() -> None:
    found = costs()
    print(f"10 inputs wait in 1 pool:            {found['little_us']:.1f} us for each input")
    print(f"10,000 inputs wait in 1,000 pools:   {found['much_us']:.1f} us for each input")
    print(f"ratio (median of {SAMPLES} pairs):       {found['ratio']:.2f}")


if __name__ == "__main__":
    main()
