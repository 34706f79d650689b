"""The way of an input through its containers: sent, begun, finished, given back, cancelled, lost."""

from __future__ import annotations

from math import inf

from modal_nb.scheduler import nesting
from modal_nb.scheduler.containers import Container
from modal_nb.scheduler.effects import (
    CancelInput,
    DropInput,
    FailInput,
    FailureKind,
    RecallInput,
    ReplyInput,
    SendInput,
    SplitInput,
)
from modal_nb.scheduler.events import InputArrived, InputFinished, InputPaused, InputReturned, Outcome
from modal_nb.scheduler.inputs import Input
from modal_nb.scheduler.ledger import Ledger
from modal_nb.scheduler.pool import Pool
from modal_nb.spec.lifecycle import ContainerState, ExitCause


def accept(ledger: Ledger, pool: Pool, event: InputArrived) -> None:
    """The input waits. Where a container serves one input only, a chunk can only travel apart."""
    weight = 1 if pool.short() else event.count
    input = Input(event.input, pool, event.client, event.count, weight)
    ledger.inputs[event.input] = input
    if event.parent:
        nesting.adopt(ledger, input, event.parent)
    if input.count > 1 and pool.spec.limits.single_use:
        for single in _singles(ledger, input):
            pool.queue.push(single)
    else:
        pool.queue.push(input)


def place(ledger: Ledger, pool: Pool, now: float) -> None:
    """Send what waits to whoever has room."""
    queue = pool.queue
    while queue.backlog:
        container = pool.roomiest()
        if container is None:
            return
        _send(ledger, container, queue.pop(), now)


def _send(ledger: Ledger, container: Container, input: Input, now: float) -> None:
    pool, held = container.pool, container.held
    input.attempt += 1
    input.container = container
    held[input.number] = input
    pool.held_load += input.weight
    if len(held) > pool.slots:
        input.ahead = True
        container.ahead = input
        due = input.recall_at = now + ledger.rules.recall_after
    else:
        due = _begin(ledger, input, now)
    if container.state is ContainerState.IDLE:
        container.move(ContainerState.BUSY, now)
        del pool.idle[container]
    pool.relist(container)
    if due < container.armed:
        ledger.deadlines.arm(container, due)
    if container.calling:
        ledger.unsettled[container] = None
    ledger.out.append(SendInput(container.number, input.number, input.attempt))


def _begin(ledger: Ledger, input: Input, now: float) -> float:
    """Its time starts; a chunk has the time of all its inputs, but is called back long before."""
    input.ahead = False
    input.recall_at = inf
    if input.cancelling:
        input.deadline = now + ledger.rules.cancel_grace
        return input.deadline
    input.deadline = min(input.deadline, now + input.pool.spec.limits.timeout * input.count)
    if input.count > 1:
        input.recall_at = now + ledger.rules.recall_after
    return min(input.deadline, input.recall_at)


def _leave(ledger: Ledger, container: Container, input: Input, now: float) -> None:
    """The container has done with it; the one that waited behind it begins."""
    del container.held[input.number]
    input.container = None
    if container.calling:
        ledger.unsettled[container] = None
        nesting.let_go(input)
    ahead = container.ahead
    if input is ahead:
        container.ahead = None
    else:
        container.slow = False
        if ahead is not None:
            container.ahead = None
            ledger.deadlines.arm(container, _begin(ledger, ahead, now))
    if container.serving:
        pool = container.pool
        pool.held_load -= input.weight
        pool.relist(container)


def heard(
    ledger: Ledger, event: InputFinished | InputReturned | InputPaused
) -> tuple[Container, Input] | None:
    """The fence: only the attempt that runs now, in the container that it was sent to, is heard."""
    container = ledger.containers.get(event.container)
    input = container.held.get(event.input) if container is not None else None
    if container is None or input is None or input.attempt != event.attempt:
        return None
    return container, input


def finished(ledger: Ledger, event: InputFinished, now: float) -> Container | None:
    """The container whose slot is free now, or None for a message that came too late."""
    found = heard(ledger, event)
    if found is None:
        return None
    container, input = found
    _leave(ledger, container, input, now)
    container.served += input.count
    container.pool.learn(event.seconds)
    if not input.over:
        if event.outcome is not Outcome.CANCELLED:
            _end(ledger, input)
            ledger.out.append(ReplyInput(input.number))
        elif input.splitting:
            requeue(ledger, input)
        else:
            fail(ledger, input, FailureKind.CANCELLED)
    return container


def returned(ledger: Ledger, event: InputReturned, now: float) -> Container | None:
    """What was not begun waits again, in front of all others. None for a message that came too late."""
    found = heard(ledger, event)
    if found is None:
        return None
    container, input = found
    if event.begun <= 0:
        _leave(ledger, container, input, now)
        if not input.over:
            requeue(ledger, input)
    elif event.begun < input.count and not input.over:
        rest = _split(ledger, input, event.begun)
        input.recall_at = inf
        if not input.cancelling:
            # the last of those that were begun is the one that runs: its own time at most is left
            input.deadline = min(input.deadline, now + input.pool.spec.limits.timeout)
            ledger.deadlines.arm(container, input.deadline)
        requeue(ledger, rest)
    return container


def requeue(ledger: Ledger, input: Input) -> None:
    """It waits again, in front; as single inputs if it must be split. An app that ends takes nothing back."""
    apart = input.splitting and input.count > 1
    input.come_back()
    for part in reversed(_singles(ledger, input) if apart else [input]):
        if part.pool.closing:
            fail(ledger, part, FailureKind.APP_STOPPED)
        else:
            part.pool.queue.push_front(part)
            nesting.moved(ledger, part)


def _split(ledger: Ledger, input: Input, keep: int) -> Input:
    """``input`` keeps its first inputs; the rest is an input of its own, not yet anywhere."""
    number = ledger.next_number()
    rest = Input(number, input.pool, input.client, input.count - keep, weight=input.count - keep)
    rest.crashes = input.crashes
    if input.parent is not None:
        nesting.join(rest, input.parent)
    rest.nested = input.nested
    ledger.inputs[number] = rest
    container = input.container
    if container is not None and container.serving:
        input.pool.held_load += min(keep, input.weight) - input.weight
    input.count = keep
    input.weight = min(keep, input.weight)
    ledger.out.append(SplitInput(input.number, keep, number))
    return rest


def _singles(ledger: Ledger, input: Input) -> list[Input]:
    parts = [input]
    while parts[-1].count > 1:
        parts.append(_split(ledger, parts[-1], 1))
    return parts


def recall(ledger: Ledger, input: Input) -> None:
    """Ask for what the container has not begun, because it keeps it waiting too long."""
    container = input.container
    assert container is not None
    input.recall_at = inf
    container.slow = True
    if container.serving:
        input.pool.relist(container)
    ledger.out.append(RecallInput(container.number, input.number, input.attempt))


def _end(ledger: Ledger, input: Input) -> None:
    """Its outcome is told in this breath; all that it may still have is a slot."""
    del ledger.inputs[input.number]
    input.over = True
    if input.parent is not None or input.children:
        nesting.ended(ledger, input)


def fail(
    ledger: Ledger,
    input: Input,
    kind: FailureKind,
    *,
    seconds: float = 0.0,
    cause: ExitCause | None = None,
    times: int = 0,
) -> None:
    """The one outcome of an input that is nowhere, or whose slot is freed later."""
    _end(ledger, input)
    ledger.out.append(FailInput(input.number, kind, seconds, cause, times))


def fail_waiting(
    ledger: Ledger, pool: Pool, kind: FailureKind, *, seconds: float = 0.0, times: int = 0
) -> None:
    """What is in the queue of this pool ends; but blocked containers, if there are any, will serve all other calls
    when the nested ones have ended.
    """
    everything = pool.closing or not pool.blocked
    for input in [input for input in pool.queue if everything or input.nested]:
        pool.queue.discard(input)
        fail(ledger, input, kind, seconds=seconds, times=times)


def drop(ledger: Ledger, input: Input, now: float) -> None:
    """Nobody waits for it, wherever it is."""
    if input.container is None:
        input.pool.queue.discard(input)
    _end(ledger, input)
    ledger.out.append(DropInput(input.number))
    ask_end(ledger, input, now)


def cancel(ledger: Ledger, input: Input, now: float) -> None:
    """The caller gave it up: what has begun ends as cancelled, what has not is forgotten."""
    if input.container is None or input.ahead:
        drop(ledger, input, now)
    else:
        fail(ledger, input, FailureKind.CANCELLED)
        ask_end(ledger, input, now)


def ask_end(ledger: Ledger, input: Input, now: float) -> None:
    """Ask its container, if it is in one, to end the attempt; not to do it in time costs the container."""
    container = input.container
    if container is None or container.killed or input.cancelling:
        return
    input.cancelling = True
    if input.children:
        ledger.unsettled[container] = None
    input.recall_at = inf
    input.deadline = inf if input.ahead else now + ledger.rules.cancel_grace
    ledger.deadlines.arm(container, input.deadline)
    ledger.out.append(CancelInput(container.number, input.number, input.attempt))


def time_out(ledger: Ledger, input: Input, now: float) -> None:
    """A single input fails. Nobody knows which one of a chunk took the time: they run again, one by one."""
    limit = input.pool.spec.limits.timeout
    if input.count > 1:
        input.splitting = True
    else:
        fail(ledger, input, FailureKind.TIMEOUT, seconds=limit)
    ask_end(ledger, input, now)


def lost(ledger: Ledger, container: Container, cause: ExitCause) -> None:
    """Its container is dead. Who ran bears the blame, unless we killed it; a chunk is taken apart first."""
    for input in reversed(list(container.held.values())):
        input.container = None
        nesting.let_go(input)
        if input.over:
            continue
        # a caller whose own call was the reason for the kill would make that call again, for ever
        if not input.ahead and (not container.killed or (container.ignored and input.called)):
            if input.count > 1:
                input.splitting = True
            else:
                input.crashes += 1
        if input.crashes > input.pool.spec.limits.crash_budget:
            fail(ledger, input, FailureKind.CRASHED, cause=cause, times=input.crashes)
        else:
            requeue(ledger, input)
    container.held.clear()
