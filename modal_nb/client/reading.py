"""The caller's end of one generator: what has come, what is read, and the word about it to the writer."""

from __future__ import annotations

import logging
import os
import queue
import threading
from collections.abc import Callable, Mapping
from typing import Any

from modal_nb.client import classes, outcome, references
from modal_nb.client.calls import Call
from modal_nb.client.pool import Pool
from modal_nb.client.questions import Question
from modal_nb.client.screens import output
from modal_nb.exception import ConnectionError
from modal_nb.protocol.codec import MessageRefused
from modal_nb.protocol.leases import weight
from modal_nb.protocol.lending import restore
from modal_nb.protocol.stream import Packet, Result
from modal_nb.runtime.payload import dumps_arguments, loads
from modal_nb.runtime.window import ReaderWindow

log = logging.getLogger("modal_nb.client")

#: an item or the outcome; the error of a lost session; what its code asks; None: the generator began anew, tell it
#: where we are
Letter = Packet | BaseException | Question | None


class Reading:
    """One call of a generator. Letters come by ``put``, on the link's thread, and the iterator gives each to ``take``.

    The session holds it while the call lasts, so it must not hold the iterator: that would never be thrown away.
    """

    def __init__(
        self,
        bind: Callable[[], Pool],
        method: str,
        arguments: tuple[tuple[Any, ...], Mapping[str, Any]],
        put: Callable[[Letter], None],
    ) -> None:
        self._bind = bind
        self._method = method
        self._arguments = arguments
        self._put = put
        self._window = ReaderWindow()
        #: items that have come, read or not
        self._received = 0
        self._told_anew = False
        self._pool: Pool | None = None
        self._call: Call | None = None
        self._closed = False

    def begin(self) -> None:
        """Send the call. Raises what opening the pool or pickling the arguments raises."""
        __tracebackhide__ = True
        pool = self._pool = self._bind()
        _start_finisher()
        args, kwargs = self._arguments
        frames = dumps_arguments(args, kwargs, method=self._method)
        if references.any_untold():
            classes.tell(pool.app)
        self._call = pool.submit_stream(self._method, frames, self)
        if self._closed:  # the task that waits for this thread was cancelled
            self.close()

    def close(self) -> None:
        """Nobody reads any more: the generator is closed in its container. Again or after the end it is nothing."""
        self._closed = True
        if self._pool is not None:
            self._pool.app.session.cancel_for(self)

    def drop(self) -> None:
        """``close`` for a destructor, which may run in the middle of any code and must not take locks."""
        if self._call is not None:
            _dropped.put(self._call)

    # -- on the reading thread ----------------------------------------------------------------------------------

    def deliver(self, call: Call, result: Packet) -> None:
        """An item or the outcome. Items that were here before a container died are thrown away."""
        if result.flags == Result.ITEM:
            if result.parent < self._received:
                if not self._told_anew:
                    self._told_anew = True
                    self._put(None)
                return
            self._received += 1
        self._put(result)

    def fail(self, call: Call, error: BaseException) -> None:
        self._put(error)

    def ask(self, question: Question) -> None:
        self._put(question)

    # -- on the reader's thread ---------------------------------------------------------------------------------

    def take(self, letter: Letter) -> tuple[bool, Any]:
        """(True, item); (False, True) at the end, (False, False) for a letter that says nothing to the user.

        Raises what the generator raised.
        """
        __tracebackhide__ = True
        if isinstance(letter, BaseException):
            raise letter
        if isinstance(letter, Question):
            letter.answer()
            return False, False
        if letter is None:
            self._told_anew = False
            self._allow(self._window.renew())
            return False, False
        assert self._call is not None
        if letter.flags != Result.ITEM:
            self._end(self._call.pool, letter)
            return False, True
        if output.pending:
            output.settle()
        item = _item(self._call.pool, letter)
        total = self._window.took(weight(letter.body))
        if total is not None:
            self._allow(total)
        return True, item

    def _allow(self, total: int) -> None:
        assert self._call is not None
        self._call.pool.app.session.allow(self._call, total)

    def _end(self, pool: Pool, result: Packet) -> None:
        __tracebackhide__ = True
        outcome.value_of(pool, self._method, result)
        made = pool.app.codec.open(result.frames()).content.get("items", 0)
        if made > self._received:
            raise ConnectionError(
                f"{self._method} gave {made} items and only {self._received} came: call it again"
            )


def _item(pool: Pool, packet: Packet) -> Any:
    __tracebackhide__ = True
    try:
        message = restore(pool.app.codec.open(packet.frames()), packet)
    except MessageRefused as refused:
        raise ConnectionError(f"an item came damaged: {refused}") from None
    if message.content.get("index") != packet.parent:
        raise ConnectionError("an item came out of its place: call the generator again")
    return loads(message.buffers)


#: calls whose iterator was thrown away; a SimpleQueue may be put to in a destructor
_dropped: queue.SimpleQueue[Call] = queue.SimpleQueue()
_finisher_pid = 0
_finisher_lock = threading.Lock()


def _start_finisher() -> None:
    """The thread that cancels what was dropped: one per process, also in a forked one."""
    global _finisher_pid  # noqa: PLW0603 - one per process
    with _finisher_lock:
        if _finisher_pid != os.getpid():
            _finisher_pid = os.getpid()
            threading.Thread(target=_finish, name="modal_nb-dropped", daemon=True).start()


def _finish() -> None:
    while True:
        call = _dropped.get()
        try:
            call.pool.app.session.cancel(call)
        except Exception:
            log.exception("a generator that was dropped could not be closed")
        del call  # it holds its arguments, and the next one may never come
