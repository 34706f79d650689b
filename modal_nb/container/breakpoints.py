"""``breakpoint()``: Python's own debugger, in the user's frames only; the next input is not traced any more."""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Callable
from types import FrameType
from typing import Any

from modal_nb.container.arrivals import Arrivals
from modal_nb.runtime.context import process

_STOCK = sys.breakpointhook
#: whose hook was there, and whether it has a front end that listens
_other: tuple[Callable[..., Any], Callable[[], bool]] = _STOCK, lambda: False
#: modules whose frames are passed over: they call the user's
_OURS = ["modal_nb.*", "asyncio.*", "threading", "contextlib"]


def install() -> None:
    """Before any code of the user is loaded. ``PYTHONBREAKPOINT`` goes before, as everywhere."""
    sys.breakpointhook = _breakpoint
    Arrivals({"pdb": _arrived}).install()


def outrank(listens: Callable[[], bool]) -> None:
    """Go before the hook of a debugger that was loaded since, unless a front end of it ``listens``."""
    global _other  # noqa: PLW0603 - as the hook, one per process
    if sys.breakpointhook is not _breakpoint:
        _other = sys.breakpointhook, listens
        sys.breakpointhook = _breakpoint


def _breakpoint(*args: Any, **options: Any) -> Any:
    if os.environ.get("PYTHONBREAKPOINT"):
        return _STOCK(*args, **options)
    hook, listens = _other
    if listens():
        return hook(*args, **options)
    # most containers never load it
    _stop(importlib.import_module("pdb"), sys._getframe(1))  # noqa: SLF001 - the frame that asked
    return None


def _arrived(module: Any) -> None:
    """It was imported: its own ``set_trace`` does as ``breakpoint``."""

    def set_trace(*, header: str | None = None) -> None:
        _stop(module, sys._getframe(1), header)  # noqa: SLF001 - as in pdb

    module.set_trace = set_trace
    process.at_end.append(_untrace)


def _stop(module: Any, frame: FrameType, header: str | None = None) -> None:
    debugger = module.Pdb(skip=_OURS)
    if header is not None:
        debugger.message(header)
    debugger.set_trace(frame)


def _untrace() -> None:
    """Whoever stepped to the end of the method does not go on in the next input."""
    debugger = getattr(sys.gettrace(), "__self__", None)
    if debugger is not None and isinstance(debugger, sys.modules["bdb"].Bdb):
        sys.settrace(None)
