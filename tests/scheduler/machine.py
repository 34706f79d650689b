"""A simulated container: it runs what it is sent, or crashes, hangs and ignores as its habits say."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from modal_nb.scheduler import events as ev
from modal_nb.spec.lifecycle import CauseKind, ExitCause

if TYPE_CHECKING:
    from tests.scheduler.world import World

CRASH = ExitCause(CauseKind.SIGNALLED, signal=9, detail="killed by signal 9 (SIGKILL)")


@dataclass(slots=True)
class Work:
    """What one input does: it takes ``seconds``, then it is "ok", an "error", a "final" one, a "crash", or "stuck".

    ``calls`` come first: to which pool, with what; it waits for all of them, and raises when one fails unless it is
    ``patient``.
    """

    seconds: float = 1.0
    end: str = "ok"
    calls: tuple[tuple[int, list[Work]], ...] = ()
    patient: bool = False
    #: a generator: before its seconds begin it waits so long for its reader
    pause: float = 0.0


@dataclass(slots=True)
class Habits:
    """What one container does. ``start``: "ok", "fails", "fails unlaunched", "exits", "hangs"."""

    launch: float = 0.1
    enter: float = 0.2
    start: str = "ok"
    exit: float = 0.1
    ignores_stop: bool = False
    #: it dies by itself at this age
    lives: float | None = None


@dataclass(slots=True)
class Message:
    """What a caller sent: a list of inputs, and what became of each."""

    pool: int
    works: list[Work]
    outcomes: list[object] = field(default_factory=list)
    #: who waits for it inside a container, and how many of its inputs have no outcome
    caller: Calling | None = None
    left: int = 0


@dataclass(slots=True, eq=False)
class Calling:
    """The nested calls of one running input."""

    container: SimContainer
    sent: Sent
    work: Work
    messages: list[Message] = field(default_factory=list)
    failed: bool = False
    #: nobody waits any more
    over: bool = False

    def ended(self, message: Message, count: int, *, well: bool) -> None:
        """The news of an outcome, as it comes to the container."""
        message.left -= count
        self.failed = self.failed or not well
        if self.over:
            return
        if self.failed and not self.work.patient:
            self.give_up()
            self.container.go_on(self, raised=True)
        elif not any(message.left for message in self.messages):
            self.over = True
            self.container.go_on(self, raised=False)

    def give_up(self) -> None:
        """Cancel what has no outcome."""
        self.over = True
        world = self.container.world
        for input in [input for input, span in world.spans.items() if span[0] in self.messages]:
            if input not in world.told:
                self.container.say(ev.InputCancelled(input))


@dataclass(slots=True, eq=False)
class Sent:
    """One SendInput as the container has it."""

    input: int
    attempt: int
    works: list[Work]
    begun: int = 0
    since: float = 0.0
    calling: Calling | None = None
    #: inputs as they were sent, and of a batch how many messages follow; -1: it runs by itself
    count: int = 1
    following: int = -1
    #: with whom it runs: itself, or the whole batch
    unit: list[Sent] = field(default_factory=list)
    cancelled: bool = False

    @property
    def batched(self) -> bool:
        return self.following >= 0


_OUTCOMES = {"error": ev.Outcome.ERROR, "final": ev.Outcome.FINAL}
_WORST = ("stuck", "crash", "error", "final", "ok")


def _together(unit: list[Sent]) -> Work:
    """What a batch does: as long as its slowest, as bad as its worst; calls are made in the name of its first."""
    works = [work for sent in unit for work in sent.works]
    end = next(end for end in _WORST if any(work.end == end for work in works))
    first = unit[0].works[0]
    return Work(max(work.seconds for work in works), end, first.calls, first.patient)


class SimContainer:
    """Runs up to ``slots`` messages or batches side by side, the inputs of a message one after the other."""

    def __init__(self, world: World, number: int, pool: int, habits: Habits) -> None:
        self.world, self.number, self.pool, self.habits = world, number, pool, habits
        self.slots = world.specs[pool].concurrency.max_inputs
        self.retried = world.specs[pool].retries is not None
        #: of a batch that is still on its way
        self.gathered: list[Sent] = []
        self.waiting: list[Sent] = []
        self.running: list[Sent] = []
        self.launched = self.entered = self.dead = self.stopping = False
        self.exits = 0
        self.told_until = self.said_until = 0.0
        #: as which client its code makes calls; 0: it made none
        self.client = 0
        world.after(habits.launch, self._launch)

    def tell(self, event: ev.Event) -> None:
        """Messages of one container stay in order; their delay is the world's business."""
        world = self.world
        self.told_until = max(self.told_until, world.now + world.delay())
        # a stream does not double or lose; that the others survive it is more than they need
        copies = 1 if isinstance(event, ev.InputPaused) else world.copies(event)
        if isinstance(event, ev.PartFinished):
            copies = max(1, copies)
        for copy in range(copies):
            world.at(self.told_until + copy * world.echo(), lambda: world.feed(event))

    def say(self, event: ev.Event) -> None:
        """What its code says as a client: in order too, and never doubled or lost while it lives."""
        world = self.world
        self.said_until = max(self.said_until, world.now + world.delay())
        world.at(self.said_until, lambda: world.feed(event))

    def _launch(self) -> None:
        if self.dead:
            return
        if self.habits.start == "fails unlaunched":
            self.dead = True
            self.world.feed(ev.ContainerStartFailed(self.number, launched=False))
            return
        self.launched = True
        self.tell(ev.ContainerLaunched(self.number))
        self.world.after(self.habits.enter, self._enter)
        if self.habits.lives is not None:
            self.world.after(self.habits.lives, lambda: self.die(CRASH))

    def _enter(self) -> None:
        if self.dead or self.habits.start == "hangs":
            return
        if self.habits.start == "fails":
            self.tell(ev.ContainerStartFailed(self.number))
            self.world.after(self.habits.exit, lambda: self.die(ExitCause(CauseKind.START_FAILED, code=1)))
        elif self.habits.start == "exits":
            self.die(ExitCause(CauseKind.EXITED, code=3))
        else:
            self.entered = True
            self.tell(ev.ContainerReady(self.number))
            if self.stopping:
                self._exit()

    def send(self, sent: Sent) -> None:
        if self.dead:
            return
        assert self.entered, "an input was sent before its container was ready"
        assert not self.stopping, "an input was sent to a container that ends"
        self.gathered.append(sent)
        if sent.following <= 0:
            unit = list(self.gathered)
            for one in unit:
                one.unit = unit
            self.waiting += unit
            self.gathered.clear()
            self._pump()

    def _pump(self) -> None:
        while self.waiting and len({id(sent.unit) for sent in self.running}) < self.slots:
            unit = [sent for sent in self.waiting if sent.unit is self.waiting[0].unit]
            for sent in unit:
                self.waiting.remove(sent)
                sent.since = self.world.now
            self.running += unit
            if unit[0].batched:
                self._begin_batch(unit)
            else:
                self._begin_next(unit[0])

    def _begin_batch(self, unit: list[Sent]) -> None:
        work = _together(unit)
        for sent in unit:
            sent.unit, sent.begun = unit, len(sent.works)
        if work.calls:
            self._call(unit[0], work)
        elif work.end != "stuck":
            self.world.after(work.seconds, lambda: self._ended(unit[0], work))

    def _begin_next(self, sent: Sent) -> None:
        work = sent.works[sent.begun]
        sent.begun += 1
        # only a generator waits for a reader, and it is never part of a chunk
        pause = work.pause if len(sent.works) == 1 and not work.calls else 0.0
        if pause:
            self._tell_pause(sent, True)
            self.world.after(pause, lambda: self._tell_pause(sent, False))
        if work.calls:
            self._call(sent, work)
        elif work.end != "stuck":
            self.world.after(pause + work.seconds, lambda: self._ended(sent, work))

    def _call(self, sent: Sent, work: Work) -> None:
        world = self.world
        self.client = self.client or world.scheduler.next_number()
        calling = sent.calling = Calling(self, sent, work)
        for pool, works in work.calls:
            message = Message(pool, works, caller=calling, left=len(works))
            calling.messages.append(message)
            input = world.scheduler.next_number()
            world.spans[input] = (message, 0, len(works))
            self.say(ev.InputArrived(input, pool, self.client, len(works), sent.input, world.line(pool)))

    def go_on(self, calling: Calling, *, raised: bool) -> None:
        """Its calls have ended, or one has failed."""
        sent, work = calling.sent, calling.work
        sent.calling = None
        if raised:
            work = Work(0.0, "error")
        if not self.dead and work.end != "stuck":
            self.world.after(work.seconds, lambda: self._ended(sent, work))

    def _tell_pause(self, sent: Sent, paused: bool) -> None:
        if not self.dead and sent in self.running:
            self.tell(ev.InputPaused(self.number, sent.input, sent.attempt, paused))

    def _ended(self, sent: Sent, work: Work) -> None:
        if self.dead or sent not in self.running:
            return
        outcome = _OUTCOMES.get(work.end, ev.Outcome.OK)
        if work.end == "crash":
            self.die(CRASH)
        elif sent.batched:
            self._finish_all(sent.unit, outcome)
        elif work.end == "error" and self.retried and sent.count > 1:
            self._give_back_failed(sent)
        elif sent.begun < len(sent.works):
            self._begin_next(sent)
        else:
            self._finish(sent, outcome)

    def _give_back_failed(self, sent: Sent) -> None:
        """The newest input of a chunk has failed and may be tried again: it goes back, and what is behind it."""
        done = sent.begun - 1
        self.tell(ev.InputReturned(self.number, sent.input, sent.attempt, done, failed=True))
        if done:
            self._finish(sent, ev.Outcome.OK)
        else:
            self.running.remove(sent)
            self._pump()

    def _finish_all(self, unit: list[Sent], outcome: ev.Outcome) -> None:
        for sent in [sent for sent in unit if sent in self.running]:
            self.running.remove(sent)
            self._tell_end(sent, outcome)
        self._pump()

    def _finish(self, sent: Sent, outcome: ev.Outcome) -> None:
        self._finish_all([sent], outcome)

    def _tell_end(self, sent: Sent, outcome: ev.Outcome) -> None:
        if sent.calling is not None:
            sent.calling.give_up()
        seconds = self.world.now - sent.since
        self.tell(ev.InputFinished(self.number, sent.input, sent.attempt, outcome, seconds))

    def recall(self, input: int, attempt: int) -> None:
        for sent in self.waiting:
            if (sent.input, sent.attempt) == (input, attempt):
                self.waiting.remove(sent)
                self.tell(ev.InputReturned(self.number, input, attempt, 0))
                return
        for sent in self.running:
            if (sent.input, sent.attempt) != (input, attempt):
                continue
            if sent.begun > 1 and not sent.batched:
                self.tell(ev.PartFinished(self.number, input, attempt, sent.begun - 1))
            if sent.begun < len(sent.works):
                del sent.works[sent.begun :]
                self.tell(ev.InputReturned(self.number, input, attempt, sent.begun))

    def cancel(self, input: int, attempt: int) -> None:
        for sent in self.waiting:
            if (sent.input, sent.attempt) == (input, attempt):
                self.waiting.remove(sent)
                self.tell(ev.InputFinished(self.number, input, attempt, ev.Outcome.CANCELLED, 0.0))
                return
        for sent in self.running:
            if (sent.input, sent.attempt) == (input, attempt):
                sent.cancelled = True
                if self._may_end(sent):
                    self._finish_all(sent.unit, ev.Outcome.CANCELLED)
                return

    def _may_end(self, sent: Sent) -> bool:
        """It is not stuck; and of a batch, nobody else wants anything of it."""
        if sent.batched:
            whole = [one for one in sent.unit if one in self.running]
            return all(one.cancelled for one in whole) and _together(sent.unit).end != "stuck"
        return sent.works[sent.begun - 1].end != "stuck"

    def stop(self) -> None:
        if self.dead:
            return
        assert not self.waiting + self.running, "told to stop while it holds inputs"
        self.stopping = True
        if self.entered and not self.habits.ignores_stop:
            self._exit()

    def _exit(self) -> None:
        self.exits += 1
        self.world.after(self.habits.exit, lambda: self.die(ExitCause(CauseKind.STOPPED, code=0)))

    def die(self, cause: ExitCause) -> None:
        """The news of its end takes another road than its messages: it may overtake them."""
        if self.dead:
            return
        self.dead = True
        for sent in self.running:
            if sent.calling is not None:
                sent.calling.over = True
        self.gathered.clear()
        self.waiting.clear()
        self.running.clear()
        if self.client:
            self.say(ev.ClientLost(self.client))
        self.world.after(self.world.delay(), lambda: self.world.feed(ev.ContainerExited(self.number, cause)))
