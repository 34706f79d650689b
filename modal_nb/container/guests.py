"""Code that people bring to a living container: cells (``%%container``), and debuggers on what has failed (``%debug``).

They are inputs like others, so they print, ask, are interrupted and fail like others. The supervisor sends them when
nothing else runs here.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from types import TracebackType
from typing import Any

from modal_nb.exception import ExecutionError, NotFoundError
from modal_nb.protocol.guests import CELL, COROUTINE_CELL, POST_MORTEM
from modal_nb.runtime import context
from modal_nb.runtime.service import Service

#: seconds for which what has failed is kept for a debugger
_KEPT = 3600.0


class Guests:
    """One per container; serves them beside the methods of the user's class."""

    def __init__(self, service: Service, shell: Callable[[], Any], cancel: Callable[[int], object]) -> None:
        """``shell`` brings the kernel up if it is not; ``cancel`` ends the input of this number."""
        self._shell = shell
        self._cancel = cancel
        self._failed: tuple[str, float, TracebackType] | None = None
        service.also(CELL, self.run_cell)
        service.also(COROUTINE_CELL, self.await_cell)
        service.also(POST_MORTEM, self.post_mortem)

    # -- cells --------------------------------------------------------------------------------------------------------

    def run_cell(self, code: str) -> None:
        """Run a cell beside the instance, which is ``self`` there. What it raises is raised."""
        shell = self._shell()
        with shell.raising():
            result = shell.run_cell(code)
        _raise(result)

    async def await_cell(self, code: str) -> None:
        """The same for a cell that awaits."""
        shell = self._shell()
        with shell.raising():
            result = await shell.run_cell_async(code, transformed_cell=shell.transform_cell(code))
        _raise(result)

    # -- debuggers ----------------------------------------------------------------------------------------------------

    def failed(self, error: BaseException) -> None:
        """An input failed: keep its frames, until the next one does."""
        if error.__traceback__ is not None:
            self._failed = context.current_input_id() or "", time.monotonic(), error.__traceback__

    def post_mortem(self, input_id: str, bound: float) -> None:
        """A debugger on the live frames of this input; ``bound``: seconds without a command after which it is left."""
        kept = self._failed
        if kept is None or kept[0] != input_id or time.monotonic() - kept[1] > _KEPT:
            raise NotFoundError(
                f"the frames of {input_id} are not there any more: a container keeps those of its last failure, for "
                f"{_KEPT / 3600:g} hour; call the method again"
            )
        traceback = _user_part(kept[2])
        self._shell()
        number, left = context.current_input_number(), [False]

        def leave() -> None:
            left[0] = True
            self._cancel(number)

        try:
            _debugger(bound, leave).interaction(None, traceback)
        except BaseException:
            if left[0]:
                raise ExecutionError(
                    f"nobody gave the debugger a command for {bound:g} seconds, so the container went back to its pool"
                ) from None
            raise


def _debugger(bound: float, leave: Callable[[], None]) -> Any:
    """IPython's, with a time limit that begins anew with each command."""
    from IPython.core.debugger import Pdb  # noqa: PLC0415 - a container without people does not load it

    class Bounded(Pdb):
        _limit: threading.Timer | None = None

        def cmdloop(self, intro: Any = None) -> None:
            try:
                self._begin()
                super().cmdloop(intro)
            finally:
                self._end()

        def postcmd(self, stop: bool, line: str) -> bool:
            self._begin()
            return bool(super().postcmd(stop, line))

        def _begin(self) -> None:
            self._end()
            self._limit = threading.Timer(bound, leave)
            self._limit.daemon = True
            self._limit.start()

        def _end(self) -> None:
            if self._limit is not None:
                self._limit.cancel()

    debugger = Bounded()
    debugger.reset()
    return debugger


def _user_part(traceback: TracebackType) -> TracebackType:
    """Without the frames of ours that called the method."""
    return _behind(traceback, "modal_nb.") or traceback


def _behind(part: TracebackType | None, package: str) -> TracebackType | None:
    """The first frame that is not of this package's modules."""
    while part is not None and str(part.tb_frame.f_globals.get("__name__", "")).startswith(package):
        part = part.tb_next
    return part


def _raise(result: Any) -> None:
    __tracebackhide__ = True
    error = result.error_before_exec or result.error_in_exec
    if error is None:
        return
    raise error.with_traceback(_behind(error.__traceback__, "IPython."))
