"""stdout and stderr of a container: what inputs print goes to the log as ever, and is noted for its call.

Whose is it? Code on the main thread, in coroutines and on the threads of inputs carries its input in its context. A
thread that code of an input starts belongs to that input, for as long as it prints. Threads of a pool serve whoever
submits: they belong to the only input that runs, if it is one. Everything else belongs to the container alone: hooks,
imports, and what programs and libraries write to the descriptors without Python.
"""

from __future__ import annotations

import io
import sys
import threading
from contextlib import suppress
from typing import Any

from modal_nb.container.call_log import CallLog, Owner
from modal_nb.container.output import STARTING, Output
from modal_nb.runtime import context
from modal_nb.runtime.context import process

_STARTED_BY = "_modal_nb_started_by"
#: where the code of threads stands that serve whoever submits
_POOLS = {"concurrent.futures.thread", "multiprocessing.pool"}
#: what belongs to no input is shown while the container starts
_CONTAINER: Owner = ((STARTING,), "")


def owner() -> Owner | None:
    """Whose the current code is; None: the container's alone."""
    calls = context.current_calls()
    if calls:
        return calls, context.current_input_id() or ""
    thread = threading.current_thread()
    if thread is threading.main_thread():
        return None
    if _STARTED_BY in thread.__dict__:
        started_by: Owner | None = thread.__dict__[_STARTED_BY]
        return started_by
    calls = context.only_calls()
    return (calls, "") if calls else None


class CallStream(io.BufferedWriter):
    """Below ``sys.stdout`` or ``sys.stderr``; also what is written to their ``buffer`` passes here."""

    def __init__(self, raw: io.RawIOBase, number: int, calls: CallLog | None, output: Output | None) -> None:
        super().__init__(raw)
        self._number = number
        self._calls = calls
        self._routes = output.routes if output else {}
        self._put = output.put if output else _nowhere

    def write(self, data: Any, /) -> int:
        """As BufferedWriter's."""
        written = super().write(data)
        whose = owner()
        if whose is not None and self._calls is not None:
            self._calls.put(whose, self._number, bytes(data))
        if self._routes:
            self._put(*(whose or _CONTAINER), self._number, bytes(data))
        return written

    def flush(self) -> None:
        """As BufferedWriter's."""
        super().flush()
        if process.printed and self._calls is not None:
            whose = owner()
            if whose is not None:
                self._calls.flush(whose, self._number)


def _nowhere(*_: Any) -> None:
    """Nobody looks."""


def install(calls: CallLog | None, output: Output | None = None) -> None:
    """Called once by the container's main, before anybody can hold the streams that were there."""
    streams = [_above(found, number, calls, output) for number, found in ((1, sys.stdout), (2, sys.stderr))]
    sys.stdout, sys.stderr = sys.__stdout__, sys.__stderr__ = streams  # type: ignore[misc]
    _mark_threads()
    if calls is None:
        return

    def end(input_id: str | None) -> None:
        for stream in streams:
            with suppress(OSError, ValueError):  # a full disk; closed by user code
                stream.flush()
        calls.end(input_id)

    process.printed, process.on_printed_end = calls.open, end
    process.printed_lately = calls.latest


def _above(found: Any, number: int, calls: CallLog | None, output: Output | None) -> io.TextIOWrapper:
    encoding, errors, name = found.encoding, found.errors, found.name
    found.detach()  # its end must not close what we go on with
    # opened anew: the old one believes that it writes to a file, which was so before the guard put the pipe there
    raw = io.FileIO(number, "w", closefd=False)
    raw.name = name
    # written through: what two inputs print side by side does not meet above of where it is told apart
    stream = CallStream(raw, number, calls, output)
    return io.TextIOWrapper(stream, encoding, errors, "\n", line_buffering=True, write_through=True)


def _mark_threads() -> None:
    """Have every thread know who started it: Python below 3.14 gives it no context."""
    start = threading.Thread.start

    def marked(thread: threading.Thread) -> None:
        if getattr(getattr(thread, "_target", None), "__module__", "") not in _POOLS:
            thread.__dict__[_STARTED_BY] = owner()
        start(thread)

    threading.Thread.start = marked  # type: ignore[method-assign,assignment]
