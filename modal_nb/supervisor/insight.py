"""Answers to what clients ask about single containers and single calls. Reads state, changes none."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from math import inf
from typing import Any

from modal_nb import exception
from modal_nb.protocol import containers as ct
from modal_nb.protocol.codec import Message
from modal_nb.protocol.messages import Content
from modal_nb.scheduler.reports import ContainerView
from modal_nb.scheduler.waits import Wait
from modal_nb.supervisor.reactor import Reactor
from modal_nb.supervisor.records import Client
from modal_nb.supervisor.starting import begun, breakdown, phase, way

#: calls that one request may ask about
MOST_CALLS = 1000
#: of the parts of one call the one that is furthest is told of
_FURTHEST = ("running", "fetched", "pinned", "gathering", "retrying", "queued")


class Insight:
    """One method per request."""

    def __init__(self, reactor: Reactor, now: Callable[[], float]) -> None:
        self._reactor = reactor
        self._now = now
        self.handlers: Mapping[type[Content], Callable[[Client, int, Message, Any], Content]] = {
            ct.ContainersAsk: self._containers,
            ct.WaitAsk: self._waits,
        }

    def _containers(
        self, client: Client, request: int, message: Message, asked: ct.ContainersAsk
    ) -> ct.ContainersFound:
        pool = self._reactor.pools.get(asked.pool)
        if pool is None or not client.may_use(pool.app):
            raise exception.NotFoundError(
                f"pool {asked.pool} does not run in this supervisor, or is not yours"
            )
        found = [self._found(client, view) for view in self._reactor.scheduler.containers(pool.number)]
        return ct.ContainersFound(containers=[one for one in found if one is not None])

    def _found(self, client: Client, view: ContainerView) -> ct.FoundContainer | None:
        container = self._reactor.fleet.containers.get(view.number)
        if container is None:
            return None
        return ct.FoundContainer(
            number=view.number,
            id=container.id,
            state=view.state.value,
            connection_file=str(container.connection_file),
            age=round(self._now() - container.born, 3),
            start=breakdown(container),
            way=way(container),
            aside=view.aside_since < inf,
            pinned=view.pinned,
            running=self._running(client, view.running),
        )

    def _running(self, client: Client, inputs: Iterable[int]) -> list[ct.RunningInput]:
        return [one for number in inputs if (one := self._input(client, number)) is not None]

    def _input(self, client: Client, number: int) -> ct.RunningInput | None:
        held = self._reactor.inputs.get(number)
        if held is None:
            return None
        return ct.RunningInput(
            number=number,
            seconds=round(self._now() - held.sent_at, 3),
            count=held.count,
            method=held.pool.spec.batching[held.batch - 1][0] if held.batch else "",
            call=held.call if held.client is client else 0,
        )

    def _waits(self, client: Client, request: int, message: Message, asked: ct.WaitAsk) -> ct.WaitTold:
        calls = {call: client.calls[call] for call in asked.calls[:MOST_CALLS] if call in client.calls}
        found = self._reactor.scheduler.waits(number for numbers in calls.values() for number in numbers)
        told = []
        for call, numbers in calls.items():
            parts = [(number, found[number]) for number in numbers if number in found]
            if parts:
                part = min(parts, key=lambda part: _FURTHEST.index(part[1].state))
                told.append(self._told(client, call, *part))
        return ct.WaitTold(waits=told)

    def _told(self, client: Client, call: int, number: int, wait: Wait) -> ct.CallWait:
        pool, now = wait.pool, self._now()
        container = self._reactor.fleet.containers.get(wait.container)
        if wait.state == "running":
            seconds = now - self._reactor.inputs[number].sent_at
        else:
            seconds = max(0.0, wait.due - now) if wait.due < inf else 0.0
        short = pool.short
        return ct.CallWait(
            call=call,
            state=wait.state,
            seconds=round(seconds, 3),
            container=container.id if container else "",
            behind=self._running(client, wait.behind),
            ahead=wait.ahead,
            failures=wait.failures,
            max_containers=pool.max_containers,
            at_maximum=pool.at_maximum,
            busy=pool.busy,
            starting=self._starting(pool.starting),
            aside=pool.aside,
            short=ct.Short(what=short.what, asked=short.asked, free=short.free, limit=short.limit)
            if short
            else None,
            back_off=round(max(0.0, pool.held_until - now), 3) if pool.held_until < inf else 0.0,
            why=pool.why,
        )

    def _starting(self, numbers: Iterable[int]) -> list[ct.Starting]:
        living = (self._reactor.fleet.containers.get(number) for number in numbers)
        return [
            ct.Starting(
                id=container.id,
                phase=phase(container) or "enter",
                seconds=round(self._now() - begun(container), 3),
                start=breakdown(container),
            )
            for container in living
            if container is not None
        ]
