"""From the queue into containers: one message at a time, or batches; and messages cut into parts."""

from __future__ import annotations

from math import inf

from modal_nb.scheduler import nesting
from modal_nb.scheduler.batcher import Batch, Lines
from modal_nb.scheduler.containers import Container
from modal_nb.scheduler.effects import SendInput, SplitInput
from modal_nb.scheduler.inputs import Input
from modal_nb.scheduler.ledger import Ledger
from modal_nb.scheduler.pool import Pool
from modal_nb.spec.lifecycle import ContainerState


def place(ledger: Ledger, pool: Pool, now: float) -> None:
    """Send what waits to whoever has room."""
    queue = pool.queue
    if isinstance(queue, Lines):
        _place_batches(ledger, pool, queue, now)
        return
    while queue.backlog:
        container = pool.roomiest()
        if container is None:
            return
        _send(ledger, container, queue.pop(), now)


def _place_batches(ledger: Ledger, pool: Pool, lines: Lines, now: float) -> None:
    while (container := pool.roomiest()) is not None:
        due, line = lines.next_due()
        if due > now:
            ledger.deadlines.arm(pool, due)
            return
        if line:
            _send_batch(ledger, container, _gathered(ledger, lines, line), now)
        else:
            _send(ledger, container, lines.of(0).pop(), now)


def _gathered(ledger: Ledger, lines: Lines, number: int) -> list[Input]:
    """The next batch of a line; a chunk that is too large for the room that is left is cut."""
    line, room = lines.of(number), lines.most(number)
    members: list[Input] = []
    while room and line.backlog:
        input = line.pop()
        if input.count > room:
            line.push_front(split(ledger, input, room))
        members.append(input)
        room -= input.count
    return members


def _send_batch(ledger: Ledger, container: Container, members: list[Input], now: float) -> None:
    pool = container.pool
    batch = Batch.of(members)
    pool.batches += 1
    pool.batched += sum(input.count for input in members)
    container.taken += 1
    deadline = now + pool.spec.limits.timeout
    for following, input in zip(range(len(members) - 1, -1, -1), members, strict=True):
        _hand_over(container, input)
        input.batch, input.deadline = batch, deadline
        ledger.out.append(SendInput(container.number, input.number, input.attempt, following))
    _sent(ledger, container, deadline, now)


def _send(ledger: Ledger, container: Container, input: Input, now: float) -> None:
    _hand_over(container, input)
    if container.taken >= container.pool.slots:
        input.ahead = True
        container.ahead = input
        due = input.recall_at = now + ledger.rules.recall_after
    else:
        due = begin(ledger, input, now)
    ledger.out.append(SendInput(container.number, input.number, input.attempt))
    _sent(ledger, container, due, now)


def _hand_over(container: Container, input: Input) -> None:
    input.attempt += 1
    input.container = container
    container.held[input.number] = input
    container.pool.held_load += input.weight
    if input.parent is not None:
        input.parent.called = True


def _sent(ledger: Ledger, container: Container, due: float, now: float) -> None:
    pool = container.pool
    if container.state is ContainerState.IDLE:
        container.move(ContainerState.BUSY, now)
        del pool.idle[container]
    pool.relist(container)
    if due < container.armed:
        ledger.deadlines.arm(container, due)
    if container.calling:
        ledger.unsettled[container] = None


def begin(ledger: Ledger, input: Input, now: float) -> float:
    """It takes its slot and its time starts; a chunk has the time of all its inputs, but is called back long before."""
    container = input.container
    assert container is not None
    container.taken += 1
    input.ahead = False
    input.recall_at = inf
    if input.cancelling:
        input.deadline = now + ledger.rules.cancel_grace
        return input.deadline
    input.deadline = min(input.deadline, now + input.pool.spec.limits.timeout * input.count)
    if input.count > 1:
        input.recall_at = now + ledger.rules.recall_after
    return min(input.deadline, input.recall_at)


def split(ledger: Ledger, input: Input, keep: int) -> Input:
    """``input`` keeps its first inputs; the rest is an input of its own, not yet anywhere."""
    number = ledger.next_number()
    count = input.count - keep
    rest = Input(number, input.pool, input.client, count, count, input.since, input.line)
    rest.crashes, rest.alone = input.crashes, input.alone
    if input.parent is not None:
        nesting.join(rest, input.parent)
    rest.nested = input.nested
    ledger.inputs[number] = rest
    shorten(input, keep)
    ledger.out.append(SplitInput(input.number, keep, number))
    return rest


def shorten(input: Input, count: int) -> None:
    """Fewer inputs are left of it than there were."""
    container = input.container
    if container is not None and container.on_duty:
        input.pool.held_load += min(count, input.weight) - input.weight
    input.count = count
    input.weight = min(count, input.weight)


def singles(ledger: Ledger, input: Input) -> list[Input]:
    """A message of many, cut into all its inputs."""
    parts = [input]
    while parts[-1].count > 1:
        parts.append(split(ledger, parts[-1], 1))
    return parts
