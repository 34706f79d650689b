"""The witness's own books on batches: who waits for which method since when, and who must run by itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

from modal_nb.scheduler import effects as fx
from modal_nb.scheduler import events as ev
from tests.scheduler.audit import Broken

if TYPE_CHECKING:
    from tests.scheduler.world import World

#: rounding of clock arithmetic
_EPS = 1e-6


class Batches:
    """Told of everything by the witness. I6: sizes, and waits, are as declared."""

    def __init__(self, world: World) -> None:
        self._world = world
        #: input -> which method it calls, and when it came
        self._lines: dict[int, tuple[int, float]] = {}
        #: a container died under a batch with them
        self._alone: set[int] = set()
        #: they have left before, perhaps as a part of something larger
        self._again: set[int] = set()
        #: the batch whose effects are being read; and with whom each one was sent last
        self._open: list[int] = []
        self._sent_with: dict[int, list[int]] = {}

    def arrived(self, event: ev.InputArrived) -> None:
        self._lines[event.input] = event.batch, self._world.now

    def split(self, input: int, rest: int) -> None:
        self._lines[rest] = self._lines[input]
        for known in (self._alone, self._again):
            if input in known:
                known.add(rest)

    def suspects(self, running: list[int]) -> list[int]:
        """Who is to blame by itself for the death of its container; the others of a batch run alone from now on."""
        blamed = []
        for input in running:
            if len(self._sent_with.get(input, [input])) > 1:
                self._alone.add(input)
            else:
                blamed.append(input)
        return blamed

    def sent(self, effect: fx.SendInput) -> int:
        """The first input of the batch that this one is sent with; itself where there is none."""
        line, _ = self._lines.get(effect.input, (0, 0.0))  # no pinned one is in a line
        if (effect.following >= 0) != bool(line):
            raise Broken(f"input {effect.input} of method {line} was sent the wrong way")
        if not line:
            self._sent_with[effect.input] = [effect.input]
            return effect.input
        self._open.append(effect.input)
        leader = self._open[0]
        if not effect.following:
            self._closed(self._open)
            self._again.update(self._open)
            self._open = []
        return leader

    def _closed(self, batch: list[int]) -> None:
        for input in batch:
            self._sent_with[input] = batch
        message, _, _ = self._world.spans[batch[0]]
        lines = {self._lines[input][0] for input in batch}
        if len(lines) > 1:
            raise Broken(f"the batch {batch} is of the methods {lines}")
        batching = self._world.specs[message.pool].batching[lines.pop() - 1][1]
        size = sum(self._world.spans[input][2] for input in batch)
        if size > batching.max_batch_size:
            raise Broken(f"I6: a batch of {size}, more than {batching.max_batch_size}")
        alone = self._alone & set(batch)
        if alone and len(batch) > 1:
            raise Broken(f"{alone} may have killed a container and run with others")
        waited = self._world.now - min(self._lines[input][1] for input in batch)
        filled = size == batching.max_batch_size or waited >= batching.wait_ms / 1000 - _EPS
        if not (filled or alone or self._again & set(batch)):
            raise Broken(f"I6: a batch of {size} left after {waited:.3f} s, before it was full or due")
