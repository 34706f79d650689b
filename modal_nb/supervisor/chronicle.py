"""What is remembered of one pool for people: its recent history, its recent dead; and its report, made of both and of
what lives.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping
from math import inf
from typing import Any

from modal_nb.protocol.reports import MOST_POINTS, Report, birth
from modal_nb.scheduler.reports import ContainerView, PoolStats
from modal_nb.scheduler.scheduler import Scheduler
from modal_nb.spec.lifecycle import CauseKind, ContainerState
from modal_nb.supervisor.modes import modes, slots
from modal_nb.supervisor.records import Container, Pool
from modal_nb.supervisor.starting import PHASES, breakdown, phase, way

#: the dead that a report still shows: so many, for so many seconds
MOST_DEAD = 20
DEAD_FOR = 600.0

_ON_ITS_WAY = (ContainerState.STARTING, ContainerState.ENTERING)

#: container number -> MiB, and cores once two samples were taken
Used = Mapping[int, tuple[int | None, float | None]]


class Chronicle:
    """Of one pool, from its opening until it is forgotten."""

    def __init__(self, pool: Pool) -> None:
        self.pool = pool
        self._history: deque[list[float]] = deque(maxlen=MOST_POINTS)
        self._dead: deque[dict[str, Any]] = deque(maxlen=MOST_DEAD)
        self._counted = PoolStats(0, 0, 0, 0)

    def note(self, stats: PoolStats, now: float) -> None:
        """Add a point to the history, if anything has changed since the last one; at most one per moment."""
        self._counted = stats
        point = [round(now, 6), stats.backlog, stats.num_running_inputs, stats.num_total_runners]
        last = self._history[-1] if self._history else [-1.0]
        if point[0] > last[0] and point[1:] != last[1:]:
            self._history.append(point)

    def died(self, container: Container, now: float) -> None:
        """A container of this pool is dead, and ``container.cause`` says why."""
        self._dead.append(
            _container(
                container,
                state=ContainerState.DEAD,
                since=now,
                ended=round(now, 6),
                cause=_cause(container),
            )
        )

    def report(
        self,
        scheduler: Scheduler,
        living: Mapping[int, Container],
        used: Used,
        now: float,
        *,
        gone: bool = False,
    ) -> Report:
        """Everything that people see of the pool. ``gone``: for the last time."""
        pool = self.pool
        number = pool.number
        stats = self._final() if gone else scheduler.pool_stats(number)
        containers = [*self._lately_dead(now), *self._living(scheduler.containers(number), living, used)]
        state = "retired" if scheduler.retired(number) else "running"
        return {
            "pool": number,
            "app": {"id": pool.app.id, "name": pool.app.name},
            "service": pool.spec.service,
            "parameters": pool.parameters,
            "variant": pool.variant,
            "version": pool.version,
            "state": "gone" if gone else state,
            "now": round(now, 6),
            "autoscaler": {
                "min_containers": pool.autoscaler.min_containers,
                "max_containers": pool.autoscaler.max_containers,
                "buffer_containers": pool.autoscaler.buffer_containers,
                "scaledown_window": pool.autoscaler.scaledown_window,
            },
            "queued": stats.backlog,
            "running": stats.num_running_inputs,
            **modes(pool.spec, stats, now),
            "why": scheduler.why(number),
            "containers": sorted(containers, key=birth),
            "history": list(self._history),
        }

    def _final(self) -> PoolStats:
        """The scheduler has forgotten the pool: nothing is there, but what was counted last stays as it was."""
        last = self._counted
        return PoolStats(0, 0, 0, 0, retried=last.retried, batches=last.batches, batched=last.batched)

    def _lately_dead(self, now: float) -> list[dict[str, Any]]:
        return [dead for dead in self._dead if dead["ended"] + DEAD_FOR > now]

    def _living(
        self, views: list[ContainerView], living: Mapping[int, Container], used: Used
    ) -> Iterator[dict[str, Any]]:
        most = slots(self.pool.spec)
        for view in views:
            container = living.get(view.number)
            if container is not None:
                memory, cpu = used.get(view.number, (None, None))
                yield _container(
                    container,
                    state=view.state,
                    since=view.since,
                    running=view.taken,
                    slots=most,
                    inputs=view.inputs,
                    memory=memory,
                    cpu=cpu,
                    reason=view.reason,
                    pinned=view.pinned,
                    aside=None if view.aside_since == inf else round(view.aside_since, 6),
                )


def _container(
    container: Container,
    *,
    state: ContainerState,
    since: float,
    ended: float | None = None,
    running: int = 0,
    slots: int = 0,
    inputs: int = 0,
    memory: int | None = None,
    cpu: float | None = None,
    cause: str = "",
    reason: str = "",
    pinned: int = 0,
    aside: float | None = None,
) -> dict[str, Any]:
    """One container in a report; times in the supervisor's seconds, memory in MiB, cpu in cores. ``running`` of its
    ``slots`` are in use, by ``inputs`` inputs: all of a batch are in one. ``pinned``
    inputs are for this very container; ``aside``: since when its pool does without it, because somebody looks inside.
    """
    return {
        "id": container.id,
        "state": state.value,
        "phase": PHASES.get(phase(container), "") if state in _ON_ITS_WAY else "",
        "start": breakdown(container),
        "way": way(container),
        "since": round(since, 6),
        "born": round(container.born, 6),
        "ended": ended,
        "served": container.served,
        "running": running,
        "slots": slots,
        "inputs": inputs,
        "pinned": pinned,
        "aside": aside,
        "memory": memory,
        "cpu": cpu,
        "pid": container.process.pid if container.process else 0,
        "cause": cause,
        "reason": reason,
    }


def _cause(container: Container) -> str:
    """How it ended, in plain words, with the reason where it was us who ended it."""
    cause = container.cause
    if cause is None:
        return ""
    if cause.kind is CauseKind.KILLED:
        return f"killed: {cause.detail}"
    if cause.kind is CauseKind.STOPPED and container.stop_reason:
        return f"stopped: {container.stop_reason}"
    return cause.detail or cause.kind.value
