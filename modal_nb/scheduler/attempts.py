"""The way of an input through its containers: sent, begun, finished, given back, cancelled, lost."""

from __future__ import annotations

from math import inf

from modal_nb.scheduler import nesting, retry
from modal_nb.scheduler.containers import Container
from modal_nb.scheduler.effects import (
    CancelInput,
    DropInput,
    FailInput,
    FailureKind,
    RecallInput,
    ReplyInput,
)
from modal_nb.scheduler.events import InputFinished, InputPaused, InputReturned, Outcome, PartFinished
from modal_nb.scheduler.inputs import Input
from modal_nb.scheduler.ledger import Ledger
from modal_nb.scheduler.pool import Pool
from modal_nb.scheduler.sending import begin, singles, split
from modal_nb.spec.lifecycle import ExitCause


def _leave(ledger: Ledger, container: Container, input: Input, now: float) -> None:
    """The container has done with it; the one that waited behind it begins."""
    del container.held[input.number]
    input.container = None
    if container.calling:
        ledger.unsettled[container] = None
        nesting.let_go(input)
    ahead, batch = container.ahead, input.batch
    if batch is not None:
        batch.leave(input)
    if input is ahead:
        container.ahead = None
    elif batch is None or not batch.members:
        container.taken -= 1
        container.slow = False
        if ahead is not None:
            container.ahead = None
            ledger.deadlines.arm(container, begin(ledger, ahead, now))
    if container.on_duty:
        container.pool.held_load -= input.weight
    if input.pinned is not None:
        ledger.unpin(input)
    if container.serving:
        container.pool.relist(container)


def heard(
    ledger: Ledger, event: InputFinished | InputReturned | InputPaused | PartFinished
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
    if input.pinned is None:
        container.pool.served(event.seconds, now)
    if input.over:
        return container
    if event.outcome is Outcome.CANCELLED:
        _cut_short(ledger, input, now)
    elif event.outcome is Outcome.ERROR and retry.may(input):
        retry.postpone(ledger, input, now)
    else:
        _end(ledger, input)
        ledger.out.append(ReplyInput(input.number))
    return container


def _cut_short(ledger: Ledger, input: Input, now: float) -> None:
    """The attempt was ended, by us or by the user's own code, and its caller still waits."""
    if input.retrying and not input.pool.closing:
        retry.postpone(ledger, input, now)
    elif input.splitting:
        requeue(ledger, input)
    else:
        fail(ledger, input, FailureKind.CANCELLED)


def returned(ledger: Ledger, event: InputReturned, now: float) -> Container | None:
    """What was not begun waits again, in front of all others. None for a message that came too late."""
    found = heard(ledger, event)
    if found is None:
        return None
    container, input = found
    begun = event.begun - input.answered
    if begun <= 0:
        _leave(ledger, container, input, now)
        if not input.over:
            _given_back(ledger, input, event, now)
    elif begun < input.count and not input.over:
        rest = split(ledger, input, begun)
        input.recall_at = inf
        last_runs(ledger, container, input, now)
        _given_back(ledger, rest, event, now)
    return container


def last_runs(ledger: Ledger, container: Container, input: Input, now: float) -> None:
    """Of a chunk the last one of those that are left here is the one that runs: its own time at most is left."""
    if not input.cancelling:
        input.deadline = min(input.deadline, now + input.pool.spec.limits.timeout)
        ledger.deadlines.arm(container, input.deadline)


def _given_back(ledger: Ledger, input: Input, event: InputReturned, now: float) -> None:
    """It waits again; if its first one has failed, that one for its next attempt, and the others by themselves."""
    if input.pinned is not None:
        fail(ledger, input, FailureKind.CONTAINER_GONE)
        return
    if not event.failed:
        requeue(ledger, input)
        return
    input.come_back()
    first, *others = singles(ledger, input)
    for other in reversed(others):
        requeue(ledger, other)
    if retry.may(first):
        retry.postpone(ledger, first, now)
    else:
        requeue(ledger, first)


def requeue(ledger: Ledger, input: Input) -> None:
    """It waits again, in front; as single inputs if it must be split. An app that ends takes nothing back."""
    apart = input.splitting and input.count > 1
    input.come_back()
    for part in reversed(singles(ledger, input) if apart else [input]):
        if part.pool.closing:
            fail(ledger, part, FailureKind.APP_STOPPED)
        else:
            part.pool.queue.push_front(part)
            nesting.moved(ledger, part)


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
    if input.container is not None and input.weight > 1:  # of a chunk only what runs is left to end
        input.pool.held_load -= (input.weight - 1) * input.container.on_duty
        input.weight = 1
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
    waiting = [input for input in pool.queue if everything or input.nested]
    for input in (*waiting, *pool.postponed) if pool.closing else waiting:
        retry.take_out(ledger, input)
        fail(ledger, input, kind, seconds=seconds, times=times)


def drop(ledger: Ledger, input: Input, now: float) -> None:
    """Nobody waits for it, wherever it is."""
    if input.container is None:
        retry.take_out(ledger, input)
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
    """Ask its container, if it is in one, to end the attempt; not to do it in time costs the container.

    The code of a batch goes on for as long as somebody waits for one of its inputs.
    """
    batch = input.batch
    if batch is None:
        _ask_end(ledger, input, now)
    elif batch.given_up:
        for member in batch.members:
            _ask_end(ledger, member, now)


def _ask_end(ledger: Ledger, input: Input, now: float) -> None:
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
    """An input or a batch fails, or is tried again. Nobody knows which one of a chunk took the time: they run again,
    one by one.
    """
    limit = input.pool.spec.limits.timeout
    if input.count > 1 and input.batch is None:
        input.splitting = True
    elif retry.may(input, timed_out=True):
        input.retrying = True
    else:
        fail(ledger, input, FailureKind.TIMEOUT, seconds=limit)
    ask_end(ledger, input, now)


def lost(ledger: Ledger, container: Container, cause: ExitCause, now: float) -> None:
    """Its container is dead. Who ran bears the blame, unless we killed it; chunks and batches are taken apart first."""
    for input in reversed(list(container.held.values())):
        input.container = None
        nesting.let_go(input)
        if input.over:
            continue
        if input.pinned is not None:
            fail(ledger, input, FailureKind.CRASHED, cause=cause, times=1)
            continue
        # a caller whose own call was the reason for the kill would make that call again, for ever
        if not input.ahead and (not container.killed or (container.ignored and input.called)):
            _blame(input)
        if input.crashes > input.pool.spec.limits.crash_budget:
            fail(ledger, input, FailureKind.CRASHED, cause=cause, times=input.crashes)
        elif input.retrying and not input.pool.closing:
            retry.postpone(ledger, input, now)
        else:
            requeue(ledger, input)
    container.held.clear()


def _blame(input: Input) -> None:
    """Of many that ran together nobody knows which one it was: each runs by itself then."""
    together = input.batch is not None and input.batch.together
    input.alone = input.alone or together
    if input.count > 1:
        input.splitting = True
    elif not together:
        input.crashes += 1
