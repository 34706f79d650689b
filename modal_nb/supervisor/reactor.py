"""The only loop: events go into the scheduler, its effects are performed in order.

Nothing here decides; each method performs one kind of effect. The hot ones are SendInput and ReplyInput.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable
from typing import Any

from modal_nb.protocol.messages import Done
from modal_nb.protocol.stream import Kind, Packet, Result, packet, prefix
from modal_nb.scheduler import effects as fx
from modal_nb.scheduler import events as ev
from modal_nb.scheduler.scheduler import Scheduler
from modal_nb.supervisor import reports
from modal_nb.supervisor.fleet import Fleet
from modal_nb.supervisor.gateway import Gateway
from modal_nb.supervisor.outputs import Outputs
from modal_nb.supervisor.records import App, Client, Container, Held, Pool
from modal_nb.supervisor.streams import Streams

log = logging.getLogger("modal_nb.supervisor")

_CANCEL = {fx.CancelInput: Kind.CANCEL_INPUT, fx.RecallInput: Kind.RECALL_INPUT}


class Reactor:
    """Owns the scheduler and what its numbers stand for."""

    def __init__(self, scheduler: Scheduler, loop: asyncio.AbstractEventLoop) -> None:
        self.scheduler = scheduler
        self._loop = loop
        self.apps: dict[int, App] = {}
        self.pools: dict[int, Pool] = {}
        self.inputs: dict[int, Held] = {}
        self.streams = Streams(self.inputs, self._living)
        self.outputs = Outputs(self.inputs, self._living)
        #: set by the composition root, because gateway and fleet report back here
        self.gateway: Gateway
        self.fleet: Fleet
        #: called whenever something ended, so that an idle supervisor can end too
        self.on_quiet: Callable[[], None] = lambda: None
        #: called with a pool's number when people could see a difference, and when the pool is gone
        self.on_change: Callable[[int], None] = lambda _: None
        self.on_forgotten: Callable[[int], None] = lambda _: None
        #: called when an app came, went, or was deployed anew
        self.on_apps: Callable[[], None] = lambda: None
        self._reply: Packet | None = None
        self._events: deque[ev.Event] = deque()
        self._feeding = False
        self._timer: asyncio.TimerHandle | None = None
        self._wake: float | None = None
        self._perform: dict[type, Callable[[Any], None]] = {
            fx.LaunchContainer: self._launch,
            fx.SendInput: self._send,
            fx.RecallInput: self._control,
            fx.CancelInput: self._control,
            fx.StopContainer: lambda e: self.fleet.stop(e.container, e.reason),
            fx.KillContainer: lambda e: self.fleet.kill(e.container, e.reason),
            fx.ReplyInput: self._pass_on,
            fx.ReplyPart: self._pass_part_on,
            fx.FailInput: self._fail,
            fx.DropInput: self._drop,
            fx.SplitInput: self._split,
            fx.ForgetPool: self._forget_pool,
            fx.ForgetApp: self._forget_app,
            fx.PublishReport: lambda e: self.on_change(e.pool),
        }

    def feed(self, event: ev.Event) -> None:
        """Tell the scheduler what happened and do what it says; events born meanwhile wait their turn."""
        self._events.append(event)
        if self._feeding:
            return
        self._feeding = True
        try:
            while self._events:
                for effect in self.scheduler.feed(self._events.popleft(), self._loop.time()):
                    self._perform[type(effect)](effect)
        finally:
            self._feeding = False
        self._set_timer()

    def _living(self, number: int) -> Container | None:
        return self.fleet.containers.get(number)

    # -- what comes in ------------------------------------------------------------------------------------------

    def arrive(self, client: Client, call: Packet) -> None:
        """A CALL packet of a client; its pool must be known."""
        pool = self.pools[call.extra]
        number = self.scheduler.next_number()
        held = Held(pool, client, call.number, call.first, call.count, call.body, call.parts)
        held.batch = call.flags
        self.inputs[number] = held
        client.calls[call.number] = [number]
        arrived = ev.InputArrived(number, pool.number, client.number, call.count, call.parent, call.flags)
        self.feed(arrived)

    def arrive_pinned(self, client: Client, container: Container, call: Packet) -> None:
        """A PINNED packet of a client that may use this container."""
        number = self.scheduler.next_number()
        held = Held(container.pool, client, call.number, 0, 1, call.body, call.parts)
        held.pinned = container
        self.inputs[number] = held
        client.calls[call.number] = [number]
        aside = bool(call.flags & 1)
        self.feed(ev.PinnedArrived(number, container.number, client.number, aside))

    def finish(self, container: int, reply: Packet, outcome: ev.Outcome) -> None:
        """A REPLY packet of a container."""
        held = self.inputs.get(reply.number)
        # the range of a reply begins where the attempt did; what PARTs have told is not held any more
        if held is not None and 0 < reply.count < held.first - reply.first + held.count:
            # the rest of the chunk was recalled meanwhile
            self.feed(ev.InputReturned(container, reply.number, reply.extra, reply.count))
        self._reply = reply
        self.feed(ev.InputFinished(container, reply.number, reply.extra, outcome, reply.seconds))
        self._reply = None

    def finish_part(self, container: int, reply: Packet) -> None:
        """A PART packet of a container."""
        self._reply = reply
        self.feed(ev.PartFinished(container, reply.number, reply.extra, reply.count))
        self._reply = None

    def cancel(self, client: Client, call: int, *, terminate: bool = False) -> None:
        """A CANCEL packet: every input of this call that is not over."""
        for number in list(client.calls.get(call, ())):
            self.feed(ev.InputCancelled(number, terminate))

    def hand_back(self, pool: Pool) -> None:
        """A newer version has taken its place: what was never sent goes back to its callers, who send it there."""
        for number, held in list(self.inputs.items()):
            caller = held.client
            own = caller.container is not None and caller.container.pool is pool
            if held.pool is not pool or held.attempt or not held.whole or own or held.pinned:
                continue
            place = {"number": held.call, "extra": pool.number, "first": held.first, "count": held.count}
            self.feed(ev.InputCancelled(number))
            caller.link.send(packet(Kind.RESULT, (), flags=Result.UNKNOWN_POOL, **place))

    # -- what goes out ------------------------------------------------------------------------------------------

    def _launch(self, effect: fx.LaunchContainer) -> None:
        self.fleet.launch(effect.container, self.pools[effect.pool])

    def _send(self, effect: fx.SendInput) -> None:
        held = self.inputs[effect.input]
        held.attempt, held.container, held.sent_at = effect.attempt, effect.container, self._loop.time()
        link = self.fleet.containers[effect.container].call
        if link is None:
            return  # its end is being reported; the scheduler sends the input elsewhere then
        head = prefix(
            Kind.INPUT,
            len(held.body),
            number=effect.input,
            parent=int(held.client.takes_lent),
            extra=effect.attempt,
            first=held.first,
            count=held.count,
            flags=effect.following + 1,
            parts=held.parts,
        )
        link.send([head, held.body])
        self.streams.remind(effect.input, held)

    def _control(self, effect: fx.CancelInput | fx.RecallInput) -> None:
        container = self.fleet.containers.get(effect.container)
        if container is not None and container.control is not None:
            kind = _CANCEL[type(effect)]
            container.control.send(packet(kind, number=effect.input, extra=effect.attempt))

    def _pass_on(self, effect: fx.ReplyInput) -> None:
        held = self._over(effect.input)
        self._pass(held, held.count)

    def _pass_part_on(self, effect: fx.ReplyPart) -> None:
        held = self.inputs[effect.input]
        self._pass(held, effect.count)
        held.first += effect.count
        held.count -= effect.count
        held.whole = False

    def _pass(self, held: Held, count: int) -> None:
        """The reply in hand, as results of its first ``count`` inputs."""
        reply = self._reply
        assert reply is not None
        head = prefix(
            Kind.RESULT,
            len(reply.body),
            number=held.call,
            first=held.first,
            count=count,
            flags=Result.REPLY,
            parts=reply.parts,
            seconds=reply.seconds,
        )
        held.client.link.send([head, reply.body])

    def _fail(self, effect: fx.FailInput) -> None:
        held = self._over(effect.input)
        place: dict[str, Any] = {"number": held.call, "first": held.first, "count": held.count}
        if effect.kind is fx.FailureKind.POOL_GONE:
            held.client.link.send(
                packet(Kind.RESULT, flags=Result.UNKNOWN_POOL, extra=held.pool.number, **place)
            )
            return
        failure = held.pool.start_failure
        if effect.kind is fx.FailureKind.START_FAILED and failure is not None:
            head = prefix(
                Kind.RESULT, len(failure.body), flags=Result.START_FAILED, parts=failure.parts, **place
            )
            held.client.link.send([head, failure.body])
            return
        content = reports.failure(effect, held.pinned or self.fleet.last_dead(held.pool.number))
        frames = held.pool.app.codec.pack("call_reply", content.content())
        held.client.link.send(packet(Kind.RESULT, frames, flags=Result.FAILURE, **place))

    def _drop(self, effect: fx.DropInput) -> None:
        self._over(effect.input)

    def _over(self, number: int) -> Held:
        """The input has its outcome: forget it."""
        held = self.inputs.pop(number)
        self.outputs.over(number, held)
        numbers = held.client.calls[held.call]
        numbers.remove(number)
        if not numbers:
            del held.client.calls[held.call]
        return held

    def _split(self, effect: fx.SplitInput) -> None:
        held = self.inputs[effect.input]
        rest = Held(
            held.pool,
            held.client,
            held.call,
            held.first + effect.keep,
            held.count - effect.keep,
            held.body,
            held.parts,
        )
        held.count = effect.keep
        held.whole = rest.whole = False
        rest.batch = held.batch
        self.inputs[effect.rest] = rest
        held.client.calls[held.call].append(effect.rest)

    def _forget_pool(self, effect: fx.ForgetPool) -> None:
        self.pools.pop(effect.pool, None)
        self.fleet.forget(effect.pool)
        self.on_forgotten(effect.pool)

    def _forget_app(self, effect: fx.ForgetApp) -> None:
        app = self.apps.pop(effect.app, None)
        if app is not None:
            for client, request in app.waiting:
                reports.answer(client, request, Done())
            for then in app.on_gone:
                then()
            self.on_apps()
        self.on_quiet()

    # -- time ---------------------------------------------------------------------------------------------------

    def _set_timer(self) -> None:
        wake = self.scheduler.wake_at()
        if wake == self._wake:
            return
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._wake = wake
        if wake is not None:
            self._timer = self._loop.call_at(wake, self._time_passed)

    def _time_passed(self) -> None:
        self._timer = None
        self._wake = None
        self.feed(ev.TimePassed())
        self.flush()

    def flush(self) -> None:
        """Write what the performed effects have queued; every turn of the loop ends with it."""
        self.gateway.flush()
