"""What code in a container asks a person: answered by the thread that waits for its call, in the cell of that call."""

from __future__ import annotations

import asyncio
import getpass
from collections.abc import Callable
from contextvars import Context
from typing import Any

from modal_nb.client.screens import output

#: sends the content of an input_reply
Reply = Callable[[dict[str, Any]], None]
NOBODY = "nobody waits for this call, so nobody can answer: wait for it with .remote() or .get()"


class Question:
    """One ``input()`` or ``getpass()`` in a container. Made on the reading thread, answered once."""

    def __init__(self, ask: int, prompt: str, *, password: bool, reply: Reply, context: Context) -> None:
        """``context``: that of the cell which made the call."""
        self._context = context
        self._ask = ask
        self._prompt = prompt
        self._password = password
        self._reply = reply

    def answer(self) -> None:
        """On the thread that waits for the call. An interrupt goes on: it ends the wait, which cancels the input."""
        __tracebackhide__ = True
        if output.pending:
            output.settle()
        try:
            value = getpass.getpass(self._prompt) if self._password else input(self._prompt)
        except Exception as error:  # noqa: BLE001 - whatever it is, the container waits for a word
            self.refuse(_why_not(error))
            return
        self._reply({"ask": self._ask, "value": value})

    def answer_on_loop(self) -> None:
        """The same in a coroutine or a callback: an interrupt must not end the loop, so it cancels the wait."""
        __tracebackhide__ = True
        try:
            self.answer()
        except KeyboardInterrupt:
            raise asyncio.CancelledError from None

    def answer_soon(self, loop: asyncio.AbstractEventLoop, waiting: asyncio.Future[Any]) -> None:
        """From any thread: on ``loop``, which stands still meanwhile as it does for ``input()`` of a cell."""

        def answer() -> None:
            try:
                self.answer_on_loop()
            except asyncio.CancelledError:
                waiting.cancel()

        try:
            loop.call_soon_threadsafe(answer, context=self._context)
        except RuntimeError:
            self.refuse("the event loop that waited for the call is closed")

    def refuse(self, why: str) -> None:
        """Nobody answers; ``why`` is a sentence."""
        self._reply({"ask": self._ask, "error": why})


def _why_not(error: Exception) -> str:
    if isinstance(error, EOFError):
        return "there is nobody to answer: stdin of the calling program is at its end"
    return f"nobody can answer it there, for the calling program has no stdin to read ({error})"
