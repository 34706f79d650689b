"""``breakpoint()``: Python's own debugger, in the user's frames only; the next input is not traced any more."""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Callable
from typing import Any

from modal_nb.runtime.context import process

_STOCK = sys.breakpointhook
#: whose hook was there, and whether it has a front end that listens
_other: tuple[Callable[..., Any], Callable[[], bool]] = _STOCK, lambda: False
_OURS = ["modal_nb.*", "asyncio.*", "threading", "contextlib"]


def install() -> None:
    """Before any code of the user is loaded. ``PYTHONBREAKPOINT`` goes before, as everywhere."""
    sys.breakpointhook = _breakpoint


def outrank(listens: Callable[[], bool]) -> None:
    """Go before the hook of a debugger that was loaded since, unless a front end of it ``listens``."""
    global _other  # noqa: PLW0603 - as the hook, one per process
    if sys.breakpointhook is not _breakpoint:
        _other = sys.breakpointhook, listens
        install()


def _breakpoint(*args: Any, **options: Any) -> Any:
    if os.environ.get("PYTHONBREAKPOINT"):
        return _STOCK(*args, **options)
    hook, listens = _other
    if listens():
        return hook(*args, **options)
    if _untrace not in process.at_end:
        process.at_end.append(_untrace)
    # most containers never load it
    importlib.import_module("pdb").Pdb(skip=_OURS).set_trace(sys._getframe(1))  # noqa: SLF001 - the frame that asked
    return None


def _untrace() -> None:
    """Whoever stepped to the end of the method does not go on in the next input."""
    trace = sys.gettrace()
    if trace is not None and type(getattr(trace, "__self__", None)).__name__ == "Pdb":
        sys.settrace(None)
