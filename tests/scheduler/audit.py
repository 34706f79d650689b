"""The scheduler's own books, counted again from scratch."""

from __future__ import annotations

from math import inf

from modal_nb.scheduler import placement
from modal_nb.scheduler.scheduler import Scheduler
from tests.scheduler.circles import doomed


class Broken(AssertionError):
    """A promise was broken."""


def audit(scheduler: Scheduler, now: float) -> None:
    """Every number that is kept up step by step equals what a count gives; nobody waits beside a free container."""
    ledger = scheduler._ledger
    pools = {id(pool): pool for pool in ledger.pools.values()}.values()
    counts = [(sum(len(pool.containers) for pool in pools), len(ledger.containers), "containers")]
    used = [0, 0, 0, 0]
    for container in ledger.containers.values():
        if _blocked(container):
            continue
        request = container.pool.request
        used[0] += 1
        used[1] += request.cpu
        used[2] += request.memory
        used[3] += not container.serving
    counts += [(ledger.used.containers, used[0], "used"), (ledger.used.cpu, used[1], "used cores")]
    counts += [(ledger.used.memory, used[2], "used memory"), (ledger.ending.containers, used[3], "ending")]
    for pool in pools:
        counts += _pool(pool, now)
    held = sum(not i.over for c in ledger.containers.values() for i in c.held.values())
    waiting = sum(len(list(pool.queue)) + len(pool.postponed) for pool in pools)
    pinned = sum(i.container is None for c in ledger.containers.values() for i in c.pins)
    counts.append((len(ledger.inputs), held + waiting + pinned, "inputs"))
    counts.append((ledger.repinned, {}, "repinned"))
    counts += _nesting(ledger)
    _fairness(ledger)
    for kept, counted, name in counts:
        if kept != counted:
            raise Broken(f"the books say {kept} {name}, a count says {counted}")


def _waits(input) -> bool:
    code = _code(input)
    return (
        code is not None
        and bool(_awaited(input))
        and not code.over
        and not code.cancelling
        and code.left == inf
    )


def _awaited(input) -> list:
    code = _code(input)
    return [child for child in (code and code.children) or () if child.left == inf]


def _code(input):
    """In whose name the code runs that serves it: of a batch, its first one, while that is in it."""
    return input.batch.code if input.batch else input


def _units(inputs) -> int:
    """Slots that these take: a batch takes one."""
    return len({id(input.batch or input) for input in inputs})


def _blocked(container) -> bool:
    running = [input for input in container.held.values() if not input.ahead]
    return bool(running) and not container.killed and all(_waits(input) for input in running)


def _nesting(ledger) -> list[tuple[object, object, str]]:
    """Parents know their children and the other way round; nobody who waits can never move again."""
    held = [input for container in ledger.containers.values() for input in container.held.values()]
    parents = {input for input in held if input.children}
    children = {input for input in ledger.inputs.values() if input.parent is not None}
    calling = {container for container in ledger.containers.values() if container.calling}
    caught = [
        node.number for node in doomed(_graph(ledger)) if hasattr(node, "children") and not node.container
    ]
    return [
        (dict(ledger.unsettled), {}, "unsettled"),
        (children, {child for parent in parents for child in parent.children}, "nested calls"),
        (parents, {child.parent for child in children}, "inputs that made them"),
        (calling, {parent.container for parent in parents}, "containers that made them"),
        (caught, [], "in a deadlock"),
    ]


def _graph(ledger) -> dict[object, list[object]]:
    """Who waits for whom: inputs for their calls, those in a queue for their pool, a full pool for what it runs."""
    graph: dict[object, list[object]] = {}
    for input in ledger.inputs.values():
        if input.container is None:
            if input.pinned:  # nobody waits for it; it waits for what runs before it, or for a start
                continue
            if not input.postponed:  # that one moves: its time will come
                graph[input] = [input.pool]
        elif not input.ahead and _waits(input):
            graph[input] = _awaited(input)
    for pool in ledger.pools.values():
        cap = pool.settings.max_containers
        containers = pool.containers.values()
        counted = [c for c in containers if not c.aside]
        if cap is not None and len(counted) >= cap and all(_blocked(c) for c in containers):
            graph[pool] = [input for c in containers for input in c.held.values() if not input.ahead]
    return graph


def _fairness(ledger) -> None:
    """No idle container that its pool need not keep stays while another pool starves for its place."""
    coming = ledger.limit - ledger.used + ledger.ending
    for pool in ledger.wanting:
        if not pool.starves() or pool.starts_held(0.0) or pool.request.within(coming):
            continue
        if not placement.can_be_helped(ledger, pool, placement.kept_warm(ledger)):
            continue
        for other in ledger.pools.values():
            if other is not pool and other.idle and other.serving > other.warm:
                raise Broken(
                    f"pool {pool.number} starves while pool {other.number} is idle above its minimum"
                )


def _pool(pool, now: float) -> list[tuple[object, object, str]]:
    containers = pool.containers.values()
    aside = [container for container in containers if container.aside]
    serving = [container for container in containers if container.serving and not container.aside]
    ready = [container for container in serving if container.ready]
    pinned = [container for container in serving if container.pins]
    for container in containers:
        _pins(container)
    idle = [container for container in ready if not container.held]
    waiting = list(pool.queue)
    if waiting and (pool.free or pool.part) and not _lingers(pool, now):
        raise Broken(f"{len(waiting)} inputs wait although containers of pool {pool.number} have room")
    taken = {c: _units(i for i in c.held.values() if not i.ahead) for c in containers}
    return [
        (pool.serving, len(serving), "serving"),
        (pool.ready, len(ready), "ready"),
        (pool.blocked, sum(map(_blocked, serving)), "blocked"),
        (pool.queue.nested, sum(i.count for i in waiting if i.nested), "nested in the queue"),
        (set(pool.idle), set(idle), "idle"),
        (pool.held_load, sum(i.weight for c in serving if not c.pins for i in c.held.values()), "held load"),
        ((pool.pinned, pool.aside), (len(pinned), len(aside)), "pinned and aside"),
        (pool.queue.backlog, sum(i.count for i in waiting), "backlog"),
        (pool.queue.load, sum(i.weight for i in waiting), "load"),
        (
            set(pool.free),
            {c for c in ready if taken[c] < pool.target and not c.pins},
            "with room to the target",
        ),
        (
            set(pool.part),
            {c for c in ready if pool.target <= taken[c] < pool.slots and not c.pins},
            "with room",
        ),
        ({c: c.taken for c in containers}, taken, "slots in use"),
    ]


def _pins(container) -> None:
    """Who is first in line runs, alone, as soon as it can; and has the container aside if it is to."""
    first = next(iter(container.pins), None)
    aside = first is not None and first.aside and container.serving
    if container.aside is not aside or (container.aside_since < inf) is not aside:
        raise Broken(f"container {container.number} is aside, or is not, and should not, or should be")
    held = list(container.held.values())
    if any(input.pinned for input in held) and held != [first]:
        raise Broken(f"something runs beside a pinned input in container {container.number}")
    if first is not None and not held and (container.ready or not container.serving):
        raise Broken(f"pinned inputs wait although container {container.number} runs nothing")


def _lingers(pool, now: float) -> bool:
    """Every batch that waits may still wait for more, and somebody will look when the first may not any more."""
    lines: dict[int, list] = {}
    for input in pool.queue:
        lines.setdefault(input.line, []).append(input)
    return pool.armed < inf and all(_gathers(pool, line, inputs, now) for line, inputs in lines.items())


def _gathers(pool, line: int, inputs: list, now: float) -> bool:
    if not line:
        return False
    batching = pool.spec.batching[line - 1][1]
    full = sum(input.count for input in inputs) >= batching.max_batch_size
    return not full and now < min(input.since for input in inputs) + batching.wait_ms / 1000
