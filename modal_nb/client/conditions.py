"""Waiting until reports say that a pool is in a certain state: what ``wait_for`` is, blocking and awaited."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from modal_nb.client.subject import Subject
from modal_nb.client.subscription import CONNECTED, ENDED, Seen, Subscription
from modal_nb.exception import ExecutionError, InvalidError
from modal_nb.protocol.reports import Diff
from modal_nb.spec import checks
from modal_nb.spec.lifecycle import ContainerState


@dataclass(frozen=True, slots=True)
class Condition:
    """What is waited for; None: whatever it is."""

    #: how many containers live, or are in this state
    containers: int | None = None
    state: str | None = None
    queued: int | None = None
    running: int | None = None

    @classmethod
    def declared(
        cls, *, containers: Any = None, state: Any = None, queued: Any = None, running: Any = None
    ) -> Condition:
        """As users write it; InvalidError names what does not fit."""
        counts = {"containers": containers, "queued": queued, "running": running}
        for option, value in counts.items():
            if value is not None:
                checks.integer(option, value, 0)
        states = [one.value for one in ContainerState]
        if state is not None and state not in states:
            raise InvalidError(f"`state` must be one of {', '.join(states)}, not {state!r}")
        if state is None and all(value is None for value in counts.values()):
            raise InvalidError("wait_for() waits for nothing: say containers=, state=, queued= or running=")
        return cls(containers, state, queued, running)

    def met(self, seen: Seen) -> bool:
        """Whether the reports say so. A ``state`` alone asks for at least one container in it."""
        reports = seen.reports.values()
        if self.queued not in (None, sum(report["queued"] for report in reports)):
            return False
        if self.running not in (None, sum(report["running"] for report in reports)):
            return False
        count = self._count(seen)
        return count == self.containers if self.containers is not None else self.state is None or count > 0

    def _count(self, seen: Seen) -> int:
        states = [
            container["state"] for report in seen.reports.values() for container in report["containers"]
        ]
        if self.state is not None:
            return states.count(self.state)
        return sum(state != ContainerState.DEAD for state in states)

    def __str__(self) -> str:
        given = (("containers", self.containers), ("state", self.state), ("queued", self.queued))
        parts = [
            f"{name}={value!r}" for name, value in (*given, ("running", self.running)) if value is not None
        ]
        return ", ".join(parts)


def wait(subject: Subject, condition: Condition, timeout: float | None) -> None:
    """Until a report says so. Python's TimeoutError after ``timeout`` seconds; ExecutionError if the app ends."""
    limit = _limit(timeout)
    changed = threading.Event()
    subscription = _subscribe(subject, lambda _: changed.set())
    try:
        while not _arrived(subscription, condition):
            left = limit - time.monotonic()
            if left <= 0:
                raise _too_late(subscription, condition, timeout)
            changed.wait(left)
            changed.clear()
    finally:
        subscription.close()


async def wait_async(
    subject: Subject,
    condition: Condition,
    timeout: float | None,  # noqa: ASYNC109 - as the blocking face has it, and it names what was there
) -> None:
    """The same on an event loop."""
    limit = _limit(timeout)
    loop = asyncio.get_running_loop()
    changed = asyncio.Event()
    subscription = await asyncio.to_thread(_subscribe, subject, _setter(loop, changed))
    try:
        while not _arrived(subscription, condition):
            left = limit - time.monotonic()
            if left <= 0:
                raise _too_late(subscription, condition, timeout)
            await _either(changed, left)
            changed.clear()
    finally:
        await asyncio.shield(asyncio.to_thread(subscription.close))


def _subscribe(subject: Subject, tell: Callable[[Diff | None], None]) -> Subscription:
    return subject.session.watching.subscribe(subject, tell)


def _arrived(subscription: Subscription, condition: Condition) -> bool:
    seen = subscription.seen()
    if seen.connection not in {CONNECTED, ENDED}:
        return False  # what was reported may not be true any more
    if condition.met(seen):
        return True
    if seen.connection == ENDED:
        raise ExecutionError(f"waited for {condition} of {subscription.subject.title}, but {seen.message}")
    return False


def _setter(loop: asyncio.AbstractEventLoop, changed: asyncio.Event) -> Callable[[Diff | None], None]:
    def tell(_: Diff | None) -> None:
        try:
            loop.call_soon_threadsafe(changed.set)
        except RuntimeError:
            return  # the loop is closed: nobody waits any more

    return tell


async def _either(changed: asyncio.Event, seconds: float) -> None:
    """Until it is set, or for so long."""
    try:
        await asyncio.wait_for(changed.wait(), seconds)
    except TimeoutError:
        return


def _limit(timeout: float | None) -> float:
    if timeout is None:
        return time.monotonic() + threading.TIMEOUT_MAX / 2
    return time.monotonic() + checks.number("timeout", timeout, 0)


def _too_late(subscription: Subscription, condition: Condition, timeout: float | None) -> TimeoutError:
    seen = subscription.seen()
    states = [
        container["state"]
        for report in seen.reports.values()
        for container in report["containers"]
        if container["state"] != ContainerState.DEAD
    ]
    counted = ", ".join(f"{states.count(state)} {state}" for state in dict.fromkeys(states)) or "no container"
    why = "; ".join(report["why"] for report in seen.reports.values()) or seen.message
    return TimeoutError(
        f"{subscription.subject.title} was not at {condition} within {timeout:g} s: it has {counted}; {why}"
    )
