"""Watches every step of a history and says which promise was broken.

It keeps books of its own, from events and effects alone, and compares. I1 to I7 are the invariants of the project's
reliability goals: I1 no accepted input without an outcome; I2 one outcome each; I3 no two living attempts of one
input; I4 never more containers than the maximum, never less than the minimum for long; I5 attempts are bounded
(``second_tries`` holds its part about retries); I6 no container holds more than it may (``batches``: nor a batch); I7
exit hooks run at most once, inputs come after the enter hooks.
"""

from __future__ import annotations

from collections.abc import Iterable
from math import inf

from modal_nb.scheduler import effects as fx
from modal_nb.scheduler import events as ev
from modal_nb.spec.lifecycle import ContainerState
from tests.scheduler.audit import Broken, audit
from tests.scheduler.batches import Batches
from tests.scheduler.book import Book
from tests.scheduler.nests import Nests
from tests.scheduler.orphans import Orphans
from tests.scheduler.parts import Parts
from tests.scheduler.pauses import Pauses
from tests.scheduler.pinned import Pinned
from tests.scheduler.second_tries import SecondTries
from tests.scheduler.world import World

#: rounding of clock arithmetic
EPS = 1e-6


class Witness:
    """Installed with ``Witness(world)``; raises Broken in the middle of the step that is wrong."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.books: dict[int, Book] = {}
        self.accepted: set[int] = set()
        self.over: set[int] = set()
        self.deaths: dict[int, int] = {}
        self.attempts: dict[int, int] = {}
        self.forgotten: set[int] = set()
        self.stopped_apps: set[int] = set()
        self.apps: dict[int, int] = {}
        self.caps: dict[int, int | None] = {}
        self.ending = False
        self.backlog = 0
        #: when a chunk was called back: what it keeps has its full time again
        self.shortened: dict[int, float] = {}
        self.pauses = Pauses()
        self.parts = Parts(world, self.books, self.demand)
        self.batches = Batches(world)
        self.second = SecondTries(world, self.demand, self._closing, lambda: self.pinned.known)
        self.orphans = Orphans(world, self.apps, self.demand, self.waiting)
        self.pinned = Pinned(self.books, self.demand, self._serves)
        self.nests = Nests(self.books, self._running, self.second.postponed, self.pinned.aside)
        #: whose answer is in hand, and who must fail for a crash
        self.in_hand: tuple[int, int] | None = None
        self.doomed: set[int] = set()
        world.before, world.see, world.after_all = self.before, self.see, self.after

    def demand(self, promise: bool, text: str) -> None:
        if not promise:
            raise Broken(f"at {self.world.now:.3f} s: {text}")

    # -- events

    def before(self, event: ev.Event) -> None:
        self.in_hand = None
        self.doomed.clear()
        self.parts.before(event)
        self.orphans.hear(event)
        hear = getattr(self, "_hear_" + type(event).__name__, None)
        if hear is not None:
            hear(event)

    def _hear_InputArrived(self, event: ev.InputArrived) -> None:  # noqa: N802
        self.accepted.add(event.input)
        self.nests.arrived(event, self.over)
        self.batches.arrived(event)
        pool = self.world.scheduler._ledger.pools.get(event.pool)
        self.backlog = pool.queue.backlog + len(pool.postponed) if pool else 0

    def _hear_PinnedArrived(self, event: ev.PinnedArrived) -> None:  # noqa: N802
        self.accepted.add(event.input)
        self.pinned.arrived(event)

    def _serves(self, container: int) -> bool:
        found = self.world.scheduler._ledger.containers.get(container)
        return found is not None and found.serving

    def _hear_PoolOpened(self, event: ev.PoolOpened) -> None:  # noqa: N802
        self.apps[event.pool] = event.app

    def _hear_AppStopped(self, event: ev.AppStopped) -> None:  # noqa: N802
        self.stopped_apps.add(event.app)

    def _hear_AppOrphaned(self, event: ev.AppOrphaned) -> None:  # noqa: N802
        for pool in [pool for pool in self.caps if self.apps.get(pool) == event.app]:
            del self.caps[pool]

    def _hear_ShutdownBegan(self, _event: ev.ShutdownBegan) -> None:  # noqa: N802
        self.ending = True

    def _hear_AutoscalerUpdated(self, event: ev.AutoscalerUpdated) -> None:  # noqa: N802
        self.caps[event.pool] = event.settings.max_containers

    def _hear_ContainerReady(self, event: ev.ContainerReady) -> None:  # noqa: N802
        if event.container in self.books:
            self.books[event.container].ready = True

    def _hear_ContainerStartFailed(self, event: ev.ContainerStartFailed) -> None:  # noqa: N802
        if not event.launched:
            self.books.pop(event.container, None)
        elif event.container in self.books:
            self.books[event.container].failed = True

    def _hear_ContainerExited(self, event: ev.ContainerExited) -> None:  # noqa: N802
        book = self.books.pop(event.container, None)
        if book is None:
            return
        blamed = [
            i for i in self._running(book) if not book.killed or (book.ignored and i in self.nests.called)
        ]
        self.nests.attempt_over(book.held)
        self.doomed |= self.pinned.died(event.container, self.over)
        for input in book.held:
            self.pinned.gone(input)
            self.second.attempt_ended(input)
        for input in self.batches.suspects(blamed):
            if input not in self.over and input not in self.doomed and self.world.spans[input][2] == 1:
                self.deaths[input] = self.deaths.get(input, 0) + 1
                if self.deaths[input] > self.world.specs[book.pool].limits.crash_budget:
                    self.doomed.add(input)

    def _hear_InputFinished(self, event: ev.InputFinished) -> None:  # noqa: N802
        self._answered(event.container, event.input, event.attempt)
        if self.in_hand is not None and event.input not in self.over:
            self.second.finished(event.input, event.outcome)
        if event.outcome is ev.Outcome.CANCELLED:
            self.in_hand = None

    def _hear_InputReturned(self, event: ev.InputReturned) -> None:  # noqa: N802
        book = self.books.get(event.container)
        heard = book is not None and book.held.get(event.input, (0, 0.0))[0] == event.attempt
        self.second.returned(event if heard and event.input not in self.over else None)
        if event.begun == self.world.answered.get(event.input, 0):
            self._answered(event.container, event.input, event.attempt)
            self.in_hand = None
        elif (book := self.books.get(event.container)) and book.held.get(event.input) == (event.attempt, inf):
            # it waited behind one whose end was never told: now it is known to run
            book.held[event.input] = (event.attempt, self.world.now)

    def _hear_InputPaused(self, event: ev.InputPaused) -> None:  # noqa: N802
        if event.container in self.books:
            self.pauses.hear(event, self.books[event.container].held, self.world.now)
            self.nests.pause(event, self.books[event.container])

    def _answered(self, container: int, input: int, attempt: int) -> None:
        book = self.books.get(container)
        if book is None or book.held.get(input, (0, 0.0))[0] != attempt:
            return
        self.in_hand = (input, attempt)
        del book.held[input]
        self.pinned.gone(input)
        self.nests.attempt_over([input])
        for other in self._running(book):
            attempt, since = book.held[other]
            if since == inf:
                book.held[other] = (attempt, self.world.now)

    def _running(self, book: Book) -> list[int]:
        return book.running(self._slots(book))

    def _slots(self, book: Book) -> int:
        return self.world.specs[book.pool].concurrency.max_inputs

    # -- effects

    def see(self, effect: fx.Effect) -> None:
        check = getattr(self, "_see_" + type(effect).__name__, None)
        if check is not None:
            check(effect)

    def after(self, event: ev.Event, effects: list[fx.Effect]) -> None:
        self.demand(not self.doomed, f"I5: inputs {self.doomed} killed too many containers and live on")
        self._check_state()
        self.second.check()
        self.orphans.check(event, effects)
        audit(self.world.scheduler, self.world.now)
        if isinstance(event, ev.InputArrived):
            self._check_bound(event, effects)

    def _see_LaunchContainer(self, effect: fx.LaunchContainer) -> None:  # noqa: N802
        pool = effect.pool
        self.books[effect.container] = Book(pool, self.world.now)
        cap = self._cap(pool)
        alive = [book.pool for number, book in self.books.items() if not self.pinned.aside(number)]
        awake = [book.pool for book in self.books.values() if not self.nests.asleep(book)]
        self.demand(
            cap is None or alive.count(pool) <= cap, f"I4: pool {pool} has more than {cap} containers"
        )
        machine = self.world.machine
        mine = self.world.specs[pool].resources
        requests = [self.world.specs[number].resources for number in awake]
        # the limit may have been lowered since: only what this container asks for must have been there
        cores = sum(r.cpu or 0 for r in requests) if mine.cpu else 0
        memory = sum(r.memory or 0 for r in requests) if mine.memory else 0
        self.demand(len(awake) <= machine.containers, "I4: more containers than the machine may have")
        callers = 0 if self._nested_wait(pool) else self._callers(pool)
        self.demand(
            len(awake) + callers <= machine.containers, "I4: callers multiply in the places they left"
        )
        self.demand(cores <= machine.cpu + EPS, "I4: too many cores")
        self.demand(memory <= machine.memory, "I4: too much memory")
        self.demand(not self.ending, "a container was launched while the supervisor ends")
        self.demand(self.apps.get(pool) not in self.stopped_apps, "a container of a stopped app was launched")
        self.demand(pool not in self.forgotten, "a container of a forgotten pool was launched")
        self.orphans.launched(effect)

    def _callers(self, pool: int) -> int:
        views = self.world.scheduler.containers(pool)
        stay = [
            view.number
            for view in views
            if view.state is not ContainerState.DRAINING and not self.pinned.aside(view.number)
        ]
        return sum(number in self.books and self.nests.asleep(self.books[number]) for number in stay)

    def _nested_wait(self, pool: int) -> bool:
        inside = {input for book in self.books.values() for input in book.held}
        return any(self.world.spans[i][0].pool == pool for i in self.nests.nested - self.over - inside)

    def _see_CancelInput(self, effect: fx.CancelInput) -> None:  # noqa: N802
        self.nests.asked.add(effect.input)
        book = self.books[effect.container]
        if effect.input not in self.over and self._ran_out(effect.input, book):
            self.second.timed_out(effect.input)
        for mate in book.mates(effect.input):
            given_up = mate in self.over or self._ran_out(mate, book)
            self.demand(given_up, f"the batch of {effect.input} was asked to end while {mate} is waited for")

    def _ran_out(self, input: int, book: Book) -> bool:
        """Its time is over."""
        attempt, since = book.held[input]
        paused = self.pauses.of(input, attempt, self.world.now)
        late = since + paused + self.world.specs[book.pool].limits.timeout
        return self.world.now >= late - EPS

    def _see_SendInput(self, effect: fx.SendInput) -> None:  # noqa: N802
        book = self.books.get(effect.container)
        if book is None:
            raise Broken("an input was sent to a container that is not there")
        self.demand(book.ready, "I7: an input was sent before the enter hooks had ended")
        self.demand(not book.stopped and not book.killed, "an input was sent to a container that ends")
        self.demand(effect.input not in self.over, "I2: an input was sent that has its outcome")
        self.demand(
            effect.attempt > self.attempts.get(effect.input, 0), "an attempt has the number of an older one"
        )
        self.attempts[effect.input] = effect.attempt
        self._one_attempt(effect)
        self.pinned.sent(effect, book)
        self.second.sent(effect.input)
        self.nests.sent(effect.input)
        limits = self.world.specs[book.pool].limits
        slots = self._slots(book)
        leader = self.batches.sent(effect)
        book.unit[effect.input] = leader, self.attempts[leader]
        first = leader == effect.input
        ahead = first and len({book.unit[other] for other in book.held}) >= slots
        book.held[effect.input] = (effect.attempt, inf if ahead else self.world.now)
        book.sends += first and effect.input not in self.pinned.known
        units = len({book.unit[other] for other in book.held})
        self.demand(units <= slots + (effect.following < 0), "I6: a container holds more than it may")
        if ahead:
            idle = [v for v in self.world.scheduler.containers(book.pool) if v.state is ContainerState.IDLE]
            self.demand(not idle, "an input was fetched ahead while a container was free")
        self.demand(not limits.single_use or book.sends <= 1, "a single-use container got a second input")

    def _one_attempt(self, effect: fx.SendInput) -> None:
        for number, book in self.books.items():
            self.demand(effect.input not in book.held, f"I3: input {effect.input} is still in {number}")
        message, first, count = self.world.spans[effect.input]
        for container in self.world.containers.values():
            if container.dead:
                continue
            for sent in container.running + container.waiting:
                other, start, _ = self.world.spans[sent.input]
                end = start + len(sent.works) - self.world.answered[sent.input]
                clear = other is not message or end <= first or first + count <= start
                self.demand(clear, f"I3: a part of input {effect.input} still runs in {container.number}")

    def _see_StopContainer(self, effect: fx.StopContainer) -> None:  # noqa: N802
        book = self.books[effect.container]
        self.demand(not book.stopped, "I7: a container was stopped twice")
        self.demand(not book.held, "a container was stopped that holds inputs")
        book.stopped = True
        self.orphans.stopped(effect, book.pool)

    def _see_KillContainer(self, effect: fx.KillContainer) -> None:  # noqa: N802
        self.demand(not self.books[effect.container].killed, "a container was killed twice")
        self.books[effect.container].killed = True
        self.books[effect.container].ignored = "did not end when it was cancelled" in effect.reason

    def _see_ReplyInput(self, effect: fx.ReplyInput) -> None:  # noqa: N802
        in_hand = self.in_hand is not None and self.in_hand[0] == effect.input
        self.demand(in_hand, f"a reply for input {effect.input}, but none is in hand")
        self.second.replied(effect.input)
        self._outcome(effect.input)

    def _see_ReplyPart(self, effect: fx.ReplyPart) -> None:  # noqa: N802
        self.parts.told(effect, self.over)
        self.shortened[effect.input] = self.world.now

    def _see_FailInput(self, effect: fx.FailInput) -> None:  # noqa: N802
        if effect.kind is fx.FailureKind.DEADLOCK:
            caught = self.nests.caught(lambda input: self.world.spans[input][0].pool, self._cap)
            self.demand(effect.input in caught, f"a false alarm: {effect}")
        self._outcome(effect.input)
        budget = effect.kind is fx.FailureKind.CRASHED
        self.pinned.failed(effect)
        self.demand(budget == (effect.input in self.doomed), f"I5: {effect} does not fit the crash budget")
        self.doomed.discard(effect.input)
        self.second.failed(effect)
        if effect.kind is fx.FailureKind.TIMEOUT:
            self._check_timeout(effect.input, effect.seconds)

    def _check_timeout(self, input: int, seconds: float) -> None:
        runs = [book.held[input] for book in self.books.values() if input in book.held]
        now = self.world.now
        ran = bool(runs) and now - runs[0][1] - self.pauses.of(input, runs[0][0], now) >= seconds - EPS
        self.demand(ran, f"input {input} timed out before its time")

    def _see_DropInput(self, effect: fx.DropInput) -> None:  # noqa: N802
        self._outcome(effect.input)

    def _outcome(self, input: int) -> None:
        self.demand(input in self.accepted, f"an outcome for the unknown input {input}")
        self.demand(input not in self.over, f"I2: input {input} has two outcomes")
        self.over.add(input)
        self.pinned.outcome(input)
        self.nests.over(input)

    def _cap(self, pool: int) -> int | None:
        return self.caps.get(pool, self.world.specs[pool].autoscaler.max_containers)

    def _see_SplitInput(self, effect: fx.SplitInput) -> None:  # noqa: N802
        self.demand(effect.input not in self.over, "an input was split that has its outcome")
        self.accepted.add(effect.rest)
        self.nests.split(effect.input, effect.rest)
        self.batches.split(effect.input, effect.rest)
        self.second.split(effect)
        self.shortened[effect.input] = self.world.now

    def _see_ForgetPool(self, effect: fx.ForgetPool) -> None:  # noqa: N802
        self.forgotten.add(effect.pool)
        left = [number for number, book in self.books.items() if book.pool == effect.pool]
        self.demand(not left, f"a pool was forgotten that has the containers {left}")
        waiting = [i for i in self.waiting() if self.world.spans[i][0].pool == effect.pool]
        self.demand(not waiting, f"I1: a pool was forgotten that has the inputs {waiting}")

    # -- state

    def _closing(self, pool: int) -> bool:
        """Its app takes nothing any more."""
        found = self.world.scheduler._ledger.pools.get(pool)
        return found is None or found.closing

    def waiting(self) -> Iterable[int]:
        """Inputs without an outcome."""
        return self.accepted - self.over

    def _check_state(self) -> None:
        now = self.world.now
        for number, book in self.books.items():
            limits = self.world.specs[book.pool].limits
            if not book.ready and not book.killed and not book.stopped and not book.failed:
                slow = now > book.born + limits.startup_timeout + EPS
                self.demand(not slow, f"container {number} may start for ever")
            for input in self._running(book) if not book.killed else ():
                if input in self.pinned.known:  # it has no limit
                    continue
                attempt, begun = book.held[input]
                since = max(begun, self.shortened.get(input, 0.0)) + self.pauses.of(input, attempt, now)
                late = since + limits.timeout * self.world.spans[input][2] + EPS
                self.demand(now <= late or input in self.over or self._asked(input), f"{input} runs for ever")

    def _asked(self, input: int) -> bool:
        """A chunk is asked to end and then split, and what is tried again is asked to end: it has its grace."""
        return self.world.spans[input][2] > 1 or input in self.nests.asked

    def _check_bound(self, event: ev.InputArrived, effects: list[fx.Effect]) -> None:
        """An input is refused when, and only when, the queue is full."""
        failures = [effect.kind for effect in effects if isinstance(effect, fx.FailInput)]
        full = self.backlog + event.count > self.world.scheduler._ledger.rules.queue_bound
        self.demand(fx.FailureKind.QUEUE_FULL not in failures or full, "QUEUE_FULL although there is room")
        self.demand(bool(failures) or not full, "an input was accepted over the bound of the queue")
