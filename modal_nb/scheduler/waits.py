"""Why single inputs have no outcome yet: facts for sentences that others make."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from math import inf

from modal_nb.scheduler import placement, reports
from modal_nb.scheduler.batcher import Lines
from modal_nb.scheduler.inputs import Input
from modal_nb.scheduler.ledger import Ledger
from modal_nb.scheduler.pool import Pool


@dataclass(frozen=True, slots=True)
class Short:
    """Of what the machine has too little for one more container."""

    #: "containers", "cpu" or "memory"
    what: str
    asked: float
    free: float
    limit: float


@dataclass(frozen=True, slots=True)
class PoolWait:
    """What all inputs in the queue of a pool wait for."""

    pool: int
    max_containers: int | None
    #: it may have no more of them
    at_maximum: bool
    #: containers that run something, that start, and that are aside
    busy: int
    starting: tuple[int, ...]
    aside: int
    short: Short | None = None
    #: a start that is wanted may be tried at this scheduler time; inf: none is held back
    held_until: float = inf
    #: why it waits, as reports say it
    why: str = ""


@dataclass(frozen=True, slots=True)
class Wait:
    """Where one input is: "running", "fetched" (behind ``behind`` in its container), "pinned" (in line for its
    container), "retrying" (not due before ``due``), "gathering" (its batch may fill until ``due``), or "queued".
    """

    state: str
    pool: PoolWait
    #: where it runs, or will
    container: int = 0
    #: what runs there now
    behind: tuple[int, ...] = ()
    #: inputs that are before it
    ahead: int = 0
    due: float = inf
    #: attempts that failed
    failures: int = 0


def waits(ledger: Ledger, numbers: Iterable[int]) -> dict[int, Wait]:
    """Of those that have no outcome. Queues are gone through once, for all of them."""
    asked = {number: ledger.inputs[number] for number in numbers if number in ledger.inputs}
    pools = {input.pool: _pool(ledger, input.pool) for input in asked.values()}
    queued = {input for input in asked.values() if _state(input) == "queued"}
    before = {input: n for pool in pools for input, n in _places(pool, queued)}
    return {number: _wait(input, pools[input.pool], before) for number, input in asked.items()}


def _state(input: Input) -> str:
    if input.container is not None:
        return "fetched" if input.ahead else "running"
    if input.pinned is not None:
        return "pinned"
    return "retrying" if input.postponed else "queued"


def _wait(input: Input, pool: PoolWait, before: dict[Input, int]) -> Wait:
    state = _state(input)
    if state == "retrying":
        return Wait(state, pool, due=input.armed, failures=input.failures)
    if state == "queued":
        due = _due(input)
        return Wait(
            "queued" if due == inf else "gathering", pool, 0, (), before.get(input, 0), due, input.failures
        )
    container = input.container or input.pinned
    assert container is not None
    if state == "pinned":
        before[input] = list(container.pins).index(input)
    behind = () if state == "running" else tuple(other.number for other in container.running())
    return Wait(state, pool, container.number, behind, before.get(input, 0), failures=input.failures)


def _due(input: Input) -> float:
    """Until when its batch may go on to fill although a container has room; inf: it waits for no batch."""
    lines = input.pool.queue
    if not isinstance(lines, Lines) or not input.line or input.pool.roomiest() is None:
        return inf
    return lines.due(input.line)


def _places(pool: Pool, asked: set[Input]) -> Iterator[tuple[Input, int]]:
    if not any(input.pool is pool for input in asked):
        return
    before = 0
    for input in pool.queue:
        if input in asked:
            yield input, before
        before += input.count


def _pool(ledger: Ledger, pool: Pool) -> PoolWait:
    containers = pool.containers.values()
    cap = pool.settings.max_containers
    held = pool.hold_until if pool.back_off and pool.hold_until > -inf and pool.ready else inf
    return PoolWait(
        pool.number,
        cap,
        cap is not None and pool.had >= cap,
        sum(c.ready and bool(c.held) for c in containers),
        tuple(c.number for c in containers if c.serving and not c.ready),
        pool.aside,
        _short(ledger, pool),
        held,
        reports.why(ledger, pool),
    )


def _short(ledger: Ledger, pool: Pool) -> Short | None:
    if not pool.wanting and placement.could_fit(ledger, pool):
        return None
    free = ledger.limit - ledger.used
    what = pool.request.lacking(free)
    if not what:
        return None
    scale = 1000 if what == "cpu" else 1
    asked, left, limit = (getattr(share, what) / scale for share in (pool.request, free, ledger.limit))
    return Short(what, asked, max(0.0, left), limit)
