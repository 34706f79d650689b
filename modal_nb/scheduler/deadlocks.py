"""Nested calls that can never start because containers of full pools wait for each other.

An input waits for its nested calls. A queued one waits for the containers of its pool, if these are as many as may be
and all of them are blocked. Where nothing that can be reached this way runs, starts or may start, nothing ever will.
"""

from __future__ import annotations

from collections.abc import Iterator

from modal_nb.scheduler import attempts
from modal_nb.scheduler.effects import FailureKind
from modal_nb.scheduler.inputs import Input
from modal_nb.scheduler.ledger import Ledger
from modal_nb.scheduler.nesting import awaited, waits
from modal_nb.scheduler.pool import Pool


def resolve(ledger: Ledger, input: Input, now: float) -> None:
    """Look from an input on that waits; if nothing moves there, the youngest queued call fails.

    With it fail the other queued calls of its caller, which is to go on. Each failure makes somebody look again.
    """
    queued = _caught(input)
    if not queued:
        return
    youngest = max(queued, key=lambda input: input.number)
    for call in [call for call in queued if call.parent is youngest.parent]:
        pool = call.pool
        pool.queue.discard(call)
        attempts.fail(ledger, call, FailureKind.DEADLOCK, times=pool.settings.max_containers or 0)
        ledger.touch(pool, now)


def _caught(start: Input) -> list[Input]:
    """The queued inputs that can be reached, if nothing that can be reached moves; else none.

    Depth first, so that in a system that works the search ends at the first thing that moves.
    """
    seen: set[Input] = set()
    pools: set[Pool] = set()
    queued: list[Input] = []
    path = [awaited(start)]
    while path:
        input = next(path[-1], None)
        if input is None:
            path.pop()
        elif input in seen:
            continue
        elif input.container is None:
            if input.postponed or not stuck(input.pool):
                return []
            queued.append(input)
            if input.pool not in pools:
                pools.add(input.pool)
                path.append(_all_that_run(input.pool))
        elif input.ahead or not waits(input):
            return []
        else:
            path.append(awaited(input))
        if input is not None:
            seen.add(input)
    return queued


def _all_that_run(pool: Pool) -> Iterator[Input]:
    return (input for container in pool.containers.values() for input in container.running())


def stuck(pool: Pool) -> bool:
    """It may have no more containers, and none that it has gets a slot free before a nested call has ended."""
    cap = pool.settings.max_containers
    full = cap is not None and pool.had >= cap
    return full and all(container.blocked for container in pool.containers.values())
