"""Inputs that failed and are tried again: whether, and when."""

from __future__ import annotations

from modal_nb.scheduler import nesting
from modal_nb.scheduler.inputs import Input
from modal_nb.scheduler.ledger import Ledger
from modal_nb.spec.retries import RetryPolicy


def delay(policy: RetryPolicy, failures: int) -> float:
    """Seconds between the ``failures``-th failed attempt and the next one."""
    seconds = policy.initial_delay * policy.backoff_coefficient ** min(failures - 1, 64)
    return min(seconds, policy.max_delay)


def may(input: Input, *, timed_out: bool = False) -> bool:
    """Its policy has an attempt left for it. A message of many is never tried again as a whole."""
    policy = input.pool.spec.retries
    if policy is None or input.count > 1 or input.pool.closing or (timed_out and not policy.on_timeout):
        return False
    if input.pinned is not None:
        return False
    return input.failures < policy.max_retries


def postpone(ledger: Ledger, input: Input, now: float) -> None:
    """An attempt has failed and is over; the next one waits for its delay, outside of the queue."""
    pool, policy = input.pool, input.pool.spec.retries
    assert policy is not None
    input.come_back()
    input.failures += 1
    pool.retried += 1
    input.postponed = True
    pool.postponed[input] = None
    ledger.deadlines.arm(input, now + delay(policy, input.failures))
    nesting.moved(ledger, input)


def take_out(ledger: Ledger, input: Input) -> None:
    """An input that is in no container is not to be sent any more."""
    if input.pinned is not None:
        ledger.unpin(input)
    elif input.postponed:
        input.postponed = False
        del input.pool.postponed[input]
        ledger.deadlines.disarm(input)
    else:
        input.pool.queue.discard(input)


def due(ledger: Ledger, input: Input) -> None:
    """Its delay is over: it waits in front of all others."""
    if input.postponed:
        input.postponed = False
        del input.pool.postponed[input]
        input.pool.queue.push_front(input)
        nesting.moved(ledger, input)
