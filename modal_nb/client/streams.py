"""What ``.remote_gen(...)`` gives: the items of a generator that runs in a container, one by one."""

from __future__ import annotations

import asyncio
import queue
import warnings
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from modal_nb.client import loops
from modal_nb.client.interrupts import or_undo, surely, take
from modal_nb.client.questions import Question
from modal_nb.client.reading import Letter, Reading

if TYPE_CHECKING:
    from modal_nb.client.pool import Pool


class _Stream:
    """What both faces share: the stream begins once, ends once, and says so if it never began."""

    _face = ""
    _loop_word = ""

    def __init__(
        self,
        put: Callable[[Letter], None],
        bind: Callable[[], Pool],
        label: str,
        method: str,
        args: tuple[Any, ...],
        kwargs: Mapping[str, Any],
    ) -> None:
        self._label = label
        self._reading = Reading(bind, method, (args, kwargs), put)
        self._begun = False
        self._over = False

    def _close(self) -> None:
        self._begun = self._over = True
        self._reading.close()

    def __del__(self) -> None:
        if getattr(self, "_over", True):
            return
        if self._begun:
            self._reading.drop()
            return
        warnings.warn(
            f"{self._label}.{self._face}(...) was never iterated, so it never ran: loop over it "
            f"(`{self._loop_word} item in ...`)",
            RuntimeWarning,
            stacklevel=2,
            source=self,
        )

    def __repr__(self) -> str:
        return f"<items of {self._label}: iterate with `{self._loop_word}`>"


class Items(_Stream, Iterator[Any]):
    """Iterate it with ``for``, once. Leaving the loop, ``close()`` or an interrupt closes the generator remotely."""

    _face = "remote_gen"
    _loop_word = "for"

    def __init__(self, *what: Any) -> None:
        self._letters: queue.SimpleQueue[Letter] = queue.SimpleQueue()
        super().__init__(self._letters.put, *what)

    def __next__(self) -> Any:
        __tracebackhide__ = True
        if self._over:
            raise StopIteration
        found, value = or_undo(self._next, self._close)
        if found:
            return value
        self._over = True
        raise StopIteration

    def _next(self) -> tuple[bool, Any]:
        """(True, item), or (False, None) at the end."""
        __tracebackhide__ = True
        loops.refuse_to_block(f"{self._label}.remote_gen(...)")
        if not self._begun:
            self._begun = True
            self._reading.begin()
        while True:
            found, value = self._reading.take(take(self._letters))
            if found:
                return True, value
            if value:
                return False, None

    def close(self) -> None:
        """End the iteration and close the generator in its container, as ``close`` of a Python generator does.

        It does not wait for that.
        """
        self._close()


class _LoopLetters:
    """Takes letters from any thread to the loop that iterates."""

    def __init__(self) -> None:
        self.queue: asyncio.Queue[Letter] = asyncio.Queue()
        self.loop: asyncio.AbstractEventLoop | None = None

    def put(self, letter: Letter) -> None:
        assert self.loop is not None
        loops.call_soon(self.loop, self.queue.put_nowait, letter)


class AsyncItems(_Stream, AsyncIterator[Any]):
    """Iterate it with ``async for``, once. Leaving the loop, ``aclose()`` or cancelling the task closes the generator
    remotely.
    """

    _face = "remote_gen.aio"
    _loop_word = "async for"

    def __init__(self, *what: Any) -> None:
        self._letters = _LoopLetters()
        super().__init__(self._letters.put, *what)

    async def __anext__(self) -> Any:
        __tracebackhide__ = True
        if self._over:
            raise StopAsyncIteration
        try:
            if not self._begun:
                self._begun = True
                self._letters.loop = asyncio.get_running_loop()
                loops.hear_interrupts()
                await asyncio.to_thread(self._reading.begin)
            while True:
                letter = await self._letters.queue.get()
                if isinstance(letter, Question):
                    letter.answer_on_loop()
                    continue
                found, value = self._reading.take(letter)
                if found:
                    return value
                if value:
                    break
        except BaseException:
            surely(self._close)
            raise
        self._over = True
        raise StopAsyncIteration

    async def aclose(self) -> None:
        """End the iteration and close the generator in its container; it does not wait for that."""
        self._close()
