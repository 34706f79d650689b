"""Which pool gets the next place on the machine.

All launches pass here. A pool that wants containers is entered in ``ledger.wanting``; then we look, in the
order of who has the fewest:

1. there is room: launch.
2. there is none, and the pool starves (inputs, no container): the room that comes is kept for it; idle
   containers of others, above their minimum, give way at once; if that is not enough, busy pools give one
   back when an input has finished (``gives_back``).
3. there is none, and it only wants more: idle containers of others give way when they have been idle for a
   while, or when their pool has more than this one would have.
"""

from __future__ import annotations

from modal_nb.scheduler import attempts, nesting, stops
from modal_nb.scheduler.containers import Container
from modal_nb.scheduler.effects import FailureKind, LaunchContainer
from modal_nb.scheduler.ledger import Ledger
from modal_nb.scheduler.pool import Pool
from modal_nb.scheduler.share import Share
from modal_nb.spec.lifecycle import ContainerState


def scale_up(ledger: Ledger, pool: Pool, now: float) -> None:
    """Launch what the pool wants, as far as the machine has room; if it never can have, nobody waits for it."""
    nesting.refresh(ledger)
    if pool.wanted(now) <= 0 or ledger.closing:
        return
    if not could_fit(ledger, pool):
        if pool.starves():
            attempts.fail_waiting(ledger, pool, FailureKind.DOES_NOT_FIT)
        return
    starves = pool.starves()
    if not pool.wanting or starves is not pool.urgent:
        pool.wanting, pool.urgent = True, starves
        ledger.wanting[pool] = None
        ledger.stuck = False
    _admit(ledger, now)


def review(ledger: Ledger, now: float) -> None:
    """Give out places after something has happened that may have made room."""
    nesting.refresh(ledger)
    ledger.stuck = False
    _admit(ledger, now)


def _admit(ledger: Ledger, now: float) -> None:
    if ledger.stuck or not ledger.wanting:
        return
    line = _line(ledger, now)
    while (pool := _next(ledger, line)) is not None:
        launch(ledger, pool, now)
        line = _line(ledger, now)
    ledger.stuck = not _make_room(ledger, line, now)


def launch(ledger: Ledger, pool: Pool, now: float) -> Container:
    number = ledger.next_number()
    container = Container(number, pool, now, pool.generation)
    container.start_deadline = now + pool.spec.limits.startup_timeout
    ledger.containers[number] = container
    pool.add(container)
    pool.launched_at = now
    ledger.used += pool.request
    ledger.deadlines.arm(container, container.start_deadline)
    ledger.out.append(LaunchContainer(number, pool.number))
    ledger.touch(pool, now)
    return container


def could_fit(ledger: Ledger, pool: Pool) -> bool:
    """One container of this pool is possible on this machine at all."""
    return pool.request.within(ledger.limit)


def _line(ledger: Ledger, now: float) -> list[Pool]:
    """Who still wants a container: the pool with the fewest first, among equals who got one longest ago."""
    for pool in [pool for pool in ledger.wanting if pool.wanted(now) <= 0]:
        pool.wanting = False
        del ledger.wanting[pool]
        ledger.touch(pool, now)
    for pool in ledger.wanting:
        pool.urgent = pool.starves()
    return sorted(ledger.wanting, key=lambda pool: (pool.had - pool.blocked, pool.launched_at))


def _next(ledger: Ledger, line: list[Pool]) -> Pool | None:
    room = ledger.limit - ledger.used
    for pool in line:
        if pool.request.within(room - not_for(pool)):
            return pool
        if pool.starves() and can_be_helped(ledger, pool, kept_warm(ledger)):
            return None
    return None


def not_for(pool: Pool) -> Share:
    """Room left by blocked containers that this pool may not take: see ``Pool.counted``."""
    return pool.request * (pool.counted() - pool.serving + pool.blocked)


def kept_warm(ledger: Ledger) -> Share:
    """What pools keep warm and never give away."""
    kept = Share()
    for pool in ledger.pools.values():
        if pool.warm or pool.aside:
            kept += _kept_by(pool)
    return kept


def _kept_by(pool: Pool) -> Share:
    return pool.request * (min(pool.warm, pool.had - pool.blocked) + _aside(pool))


def _aside(pool: Pool) -> int:
    """Containers that take a place for as long as somebody looks into them."""
    return sum(c.aside and not c.blocked for c in pool.containers.values()) if pool.aside else 0


def can_be_helped(ledger: Ledger, pool: Pool, kept: Share) -> bool:
    """One more would fit beside its own, if every other pool had only what it keeps warm."""
    others = kept - _kept_by(pool)
    return pool.request.within(ledger.limit - others - pool.request * (pool.counted() + _aside(pool)))


def _make_room(ledger: Ledger, line: list[Pool], now: float) -> bool:
    """Nobody in the line fits: share out what is about to end, ask the idle to end, note who still starves.

    True: room for all is on its way. False: until something happens, there is no need to look again.
    """
    ledger.starving.clear()
    coming = ledger.limit - ledger.used + ledger.ending
    kept = kept_warm(ledger)
    enough = True
    for pool in line:
        if not can_be_helped(ledger, pool, kept):
            enough = False
            continue
        withheld = not_for(pool)
        coming -= withheld
        for _ in range(pool.wanted(now)):
            coming = _claim(ledger, pool, coming, now)
            if not pool.request.within(coming):
                enough = False
                if pool.starves():
                    ledger.starving.append(pool)
                break
            coming -= pool.request
        coming += withheld
    return enough


def _claim(ledger: Ledger, pool: Pool, coming: Share, now: float) -> Share:
    """Ask idle containers to end until one of this pool fits into what is coming, or nobody gives way."""
    while not pool.request.within(coming):
        idle = _who_gives_way(ledger, pool, now)
        if idle is None:
            break
        coming += idle.pool.request
        stops.drain(ledger, idle, "gives way to another pool", now)
    return coming


def _who_gives_way(ledger: Ledger, pool: Pool, now: float) -> Container | None:
    """The longest idle container that its pool can spare, if it is due to this pool."""
    chosen: Container | None = None
    starves = pool.starves()
    for other in ledger.containers.values():
        theirs = other.pool
        if other.state is not ContainerState.IDLE or theirs is pool:
            continue
        # what its own pool would start again at once is given to none but a pool that has nothing
        if theirs.serving <= (theirs.warm if starves else theirs.desired(now) + theirs.wished):
            continue
        old = other.since + ledger.rules.give_way_after
        if starves or old <= now or theirs.serving > pool.serving + 1:
            if chosen is None or other.since < chosen.since:
                chosen = other
        else:
            ledger.deadlines.arm(ledger, old)
    return chosen


def gives_back(ledger: Ledger, container: Container, now: float) -> bool:
    """A busy container has finished an input: should its place go to a pool that starves?"""
    pool = container.pool
    if pool.serving <= pool.warm or not any(other.starves() for other in ledger.starving):
        return False
    if pool.serving > 1:
        return True
    had_its_turn = now >= container.ready_at + ledger.rules.turn
    return had_its_turn and not any(other.serving > max(1, other.warm) for other in ledger.pools.values())


def thin_out(ledger: Ledger, now: float) -> None:
    """Containers that were blocked go on, above the limit: who has been idle for a while gives way.

    Not at once: most often it has just served one of their calls, and the next one follows.
    """
    while ledger.crowded:
        ledger.crowded = not (ledger.used - ledger.ending).within(ledger.limit)
        idle = min(_spare(ledger), key=lambda c: c.since, default=None) if ledger.crowded else None
        if idle is None:
            return
        old = idle.since + ledger.rules.give_way_after
        if now < old:
            ledger.deadlines.arm(ledger, old)
            return
        stops.drain(ledger, idle, "containers that waited for calls of their own go on", now)


def shrink(ledger: Ledger, now: float) -> None:
    """The limit was lowered: what is idle above it ends; what runs may finish."""
    while not (ledger.used - ledger.ending).within(ledger.limit):
        idle = min(_spare(ledger), key=lambda c: c.since, default=None)
        if idle is None:
            return
        stops.drain(ledger, idle, "the machine-wide limit was lowered", now)


def _spare(ledger: Ledger) -> list[Container]:
    """Idle containers that their pools need not keep."""
    idle = [c for c in ledger.containers.values() if c.state is ContainerState.IDLE]
    return [c for c in idle if c.pool.serving > c.pool.warm]
