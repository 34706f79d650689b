"""``.map`` and its kin: many inputs of one method, read lazily, answered in order or as they come."""

from __future__ import annotations

import asyncio
import queue
from collections.abc import AsyncIterator, Callable, Iterator
from typing import TYPE_CHECKING, Any

from modal_nb.client import loops, outcome
from modal_nb.client.feeder import Feeder, Letter
from modal_nb.client.inputs import Inputs
from modal_nb.client.interrupts import surely, take
from modal_nb.client.outcome import Values
from modal_nb.client.questions import Question
from modal_nb.client.sequence import Answer, Sequencer
from modal_nb.protocol.stream import Packet

if TYPE_CHECKING:
    from modal_nb.client.pool import Pool


class Fanout:
    """The results of a ``.map``: iterate it with ``for`` or ``async for``, once. Nothing is sent before that.

    Leaving the loop early, or interrupting it, cancels what has no result yet.
    """

    def __init__(
        self,
        bind: Callable[[], Pool],
        method: str,
        inputs: Inputs,
        *,
        order_outputs: bool,
        return_exceptions: bool,
    ) -> None:
        self._bind = bind
        self._method = method
        self._inputs = inputs
        self._ordered = order_outputs
        self._return_exceptions = return_exceptions

    def __iter__(self) -> Iterator[Any]:
        loops.refuse_to_block(f"{self._method}.map(...)")
        return self._iterate()

    def __aiter__(self) -> AsyncIterator[Any]:
        return self._aiterate()

    def _iterate(self) -> Iterator[Any]:
        __tracebackhide__ = True
        letters: queue.SimpleQueue[Letter] = queue.SimpleQueue()
        pool = self._bind()
        feeder = Feeder(pool, self._method, self._inputs, letters.put)
        intake = _Intake(pool, self._method, self._ordered, feeder)
        try:
            try:
                feeder.start()
                while not intake.complete:
                    letter = take(letters)
                    if isinstance(letter, Question):
                        letter.answer()
                        continue
                    for answers in intake.open(letter):
                        if type(answers) is Values:
                            yield from answers
                            continue
                        for answer in answers:
                            yield self._give(answer)
                intake.check()
            finally:
                surely(feeder.close)
        except KeyboardInterrupt:  # one more may have come before the line above was reached
            surely(feeder.close)
            raise

    async def _aiterate(self) -> AsyncIterator[Any]:
        __tracebackhide__ = True
        loop = asyncio.get_running_loop()
        loops.hear_interrupts()
        letters: asyncio.Queue[Letter] = asyncio.Queue()
        pool = await asyncio.to_thread(self._bind)
        feeder = Feeder(
            pool, self._method, self._inputs, lambda letter: loops.call_soon(loop, letters.put_nowait, letter)
        )
        intake = _Intake(pool, self._method, self._ordered, feeder)
        try:
            feeder.start(loop)
            while not intake.complete:
                letter = await letters.get()
                if isinstance(letter, Question):
                    letter.answer_on_loop()
                    continue
                for answers in intake.open(letter):
                    for answer in answers:
                        yield answer if type(answers) is Values else self._give(answer)
            intake.check()
        finally:
            feeder.close()

    def _give(self, answer: Answer) -> Any:
        __tracebackhide__ = True
        ok, value = answer
        if ok or self._return_exceptions:
            return value
        raise value

    def __repr__(self) -> str:
        return f"<results of {self._method}.map: iterate with `for` or `async for`>"


class _Intake:
    """Opens letters and knows when all have come."""

    def __init__(self, pool: Pool, method: str, ordered: bool, feeder: Feeder) -> None:
        self._pool = pool
        self._method = method
        self._sequencer = Sequencer(ordered=ordered)
        self._feeder = feeder
        self._total: int | None = None
        self._error: BaseException | None = None

    def open(self, letter: tuple[int, int, Packet | BaseException | None]) -> Iterator[list[Any]]:
        """The answers whose turn has come with this letter; where all are values, as ``Values``."""
        first, count, content = letter
        if count == 0:
            self._total = first
            self._error = content if isinstance(content, BaseException) else None
            return
        if isinstance(content, Packet):
            answers = outcome.many_of(self._pool, self._method, content)
        else:
            answers = [(False, content)] * count
        if type(answers) is not Values:
            for ok, _ in answers:
                if not ok:
                    self._feeder.progress.failed()
        before = self._sequencer.given
        yield from self._sequencer.accept(first, answers)
        self._feeder.allow(self._sequencer.given - before)

    @property
    def complete(self) -> bool:
        return self._total is not None and self._sequencer.given >= self._total

    def check(self) -> None:
        """Raise what the input iterator raised."""
        if self._error is not None:
            raise self._error
