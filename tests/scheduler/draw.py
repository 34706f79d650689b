"""What chance decides in a history: declarations, run times, faults of containers and messages."""

from __future__ import annotations

from dataclasses import replace
from random import Random

from modal_nb.scheduler import events as ev
from modal_nb.spec.limits import Limits
from modal_nb.spec.pool import PoolSpec
from modal_nb.spec.resources import Resources
from modal_nb.spec.retries import RetryPolicy
from modal_nb.spec.scaling import Autoscaler, Batching, Concurrency
from tests.scheduler.machine import Habits, Work


class Draw:
    """One history's luck."""

    def __init__(self, random: Random) -> None:
        self.random = random
        self._other = Random(repr(random.getstate()[1][:9]))
        self._notebooks = Random(repr(random.getstate()[1][9:18]))
        self.notebooks = self._notebooks.random() < 0.3
        #: how rough this history is, from 0 to 1; and whether messages get lost in it
        self.rough = random.choice([0.0, 0.1, 0.3])
        self.lossy = random.random() < 0.2
        #: and a die for those who look into containers: how curious they are here
        self._third = Random(repr(random.getstate()[1][9:18]))
        self.curious = self._third.choice([0.0, 0.0, 0.1, 0.5])
        #: how many of its inputs make calls of their own
        self.nested = self._other.choice([0.0, 0.0, 0.3, 0.6])

    # -- declarations

    def settings(self, least: int) -> Autoscaler:
        random = self.random
        cap = random.choice([None, max(1, least), least + 1, least + 3])
        return Autoscaler(least, cap, random.choice([0, 0, 1]), random.choice([2, 10]))

    def spec(self) -> PoolSpec:
        random, key = self.random, self.random.randrange(4)
        slots = random.choice([1, 1, 1, 2, 4])
        return PoolSpec(
            key=f"key {key}",
            lineage=f"lineage {key % 2}" if random.random() < 0.7 else f"lineage of {key}",
            service="Model",
            autoscaler=self.settings(random.choice([0, 0, 0, 1, 2])),
            concurrency=Concurrency(slots, random.choice([None, max(1, slots // 2)])),
            limits=self._limits(),
            resources=Resources(
                cpu=random.choice([None, None, 1.0, 4.0]),
                memory=random.choice([None, 3000]),
            ),
            retries=self._retries(),
            batching=self._batching(),
        )

    def _retries(self) -> RetryPolicy | None:
        """By the other die, as whatever came later."""
        other = self._other
        if other.random() < 0.6:
            return None
        delays = other.choice([0.0, 0.3]), other.choice([1.0, 2.0])
        return RetryPolicy(other.choice([1, 3]), other.choice([1.0, 2.0]), *delays, other.random() < 0.7)

    def _batching(self) -> tuple[tuple[str, Batching], ...]:
        other = self._other
        methods = other.choice([0, 0, 0, 1, 2])
        return tuple(
            (f"method {number}", Batching(other.choice([1, 2, 4]), other.choice([0, 20, 500])))
            for number in range(methods)
        )

    def line(self, spec: PoolSpec) -> int:
        """Which method of a pool is called; 0: one that gets no lists."""
        return self._other.choice([0, *range(1, len(spec.batching) + 1)] if spec.batching else [0])

    def _limits(self) -> Limits:
        random = self.random
        return Limits(
            timeout=random.choice([0.5, 3.0, 300.0]),
            startup_timeout=random.choice([2.0, 5.0]),
            single_use=random.random() < 0.15,
            crash_budget=random.choice([0, 1, 3]),
            start_budget=random.choice([1, 3]),
        )

    # -- behaviour

    def habits(self, *, broken: bool) -> Habits:
        """``broken``: the class cannot start, whatever happens."""
        random, start = self.random, "fails" if broken else "ok"
        if not broken and random.random() < self.rough:
            start = random.choice(["ok", "ok", "fails", "fails unlaunched", "exits", "hangs"])
        return Habits(
            launch=random.choice([0.0, 0.05, 0.3]),
            enter=random.choice([0.0, 0.1, 0.5]),
            start=start,
            exit=random.choice([0.0, 0.1]),
            ignores_stop=random.random() < self.rough / 3,
            lives=random.uniform(0, 20) if random.random() < self.rough else None,
        )

    def work(self) -> Work:
        random, end = self.random, "ok"
        if random.random() < self.rough / 2:
            end = random.choice(["error", "error", "crash", "stuck"])
            if end == "error" and self._other.random() < 0.2:
                end = "final"
        seconds = random.choice([0.0, 0.0005, 0.001, 0.001, 0.01, 0.2, 1.0, 4.0])
        return Work(seconds, end, pause=self._pause())

    def calling(self, pools: list[int], depth: int) -> Work:
        """An input that makes calls to any of the pools, its own too, whose inputs may do the same."""
        other, work = self._other, self.work()
        if not depth or other.random() > self.nested:
            return work
        calls = []
        for _ in range(other.choice([1, 1, 2])):
            works = [self.calling(pools, depth - 1) for _ in range(other.choice([1, 1, 3]))]
            calls.append((other.choice(pools), works))
        return replace(work, calls=tuple(calls), patient=other.random() < 0.3)

    def _pause(self) -> float:
        """By another die: which histories there are does not hang on who waits in them."""
        return self._other.choice([0.4, 5.0]) if self._other.random() < 0.05 else 0.0

    # -- who looks into containers

    def looks(self) -> bool:
        return self._third.random() < self.curious

    def looked_at(self, numbers: list[int]) -> int:
        return self._third.choice(numbers)

    def looking(self, pools: list[int]) -> Work:
        """What a pinned input does: it makes calls, too."""
        third = self._third
        seconds, end = third.choice([0.0, 0.01, 1.0, 6.0]), third.choice(["ok", "ok", "error", "crash"])
        if third.random() < 0.7:
            return Work(seconds, "ok" if third.random() > self.rough else end)
        return Work(seconds, calls=((third.choice(pools), [Work(third.choice([0.001, 1.0]))]),))

    # -- notebooks

    def of_notebooks(self) -> str:
        """What happens to notebooks after this action; by a die of its own: most histories know of none."""
        return self._notebooks.choice(["goes", *["comes back"] * 3, *[""] * 8]) if self.notebooks else ""

    def one_of(self, numbers: list[int]) -> int:
        return self._notebooks.choice(numbers)

    def linger(self) -> float:
        return self._notebooks.choice([0.5, 4.0, 20.0])

    # -- messages

    def delay(self) -> float:
        return self.random.choice([0.0, 0.0, 0.001, 0.001, 0.1])

    def copies(self, message: object) -> int:
        """0: it is lost. What containers tell may also come twice."""
        if self.lossy and self.random.random() < self.rough / 5:
            return 0
        return 2 if isinstance(message, ev.Event) and self.random.random() < self.rough / 3 else 1

    def echo(self) -> float:
        return self.random.choice([0.0, 0.1, 1.0, 2.0])
