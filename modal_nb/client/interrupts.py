"""What must be done to its end although the user presses Ctrl-C once more."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")

#: so many interrupts in the middle of one act mean that it hangs
_MOST = 20


def surely(act: Callable[[], None]) -> None:
    """Do it; again from its start after each interrupt in its middle, so ``act`` must be harmless to repeat.

    For clean-up after an interrupt, which is about to be raised anyway.
    """
    for _ in range(_MOST):
        try:
            act()
            return
        except KeyboardInterrupt:
            continue


def or_undo(act: Callable[[], T], undo: Callable[[], None], of: type[BaseException] = BaseException) -> T:
    """What ``act`` gives. If it raises one ``of`` these or is interrupted, ``undo`` is surely done first.

    Between an exception and the first line that handles it there is room for another interrupt: hence the outer part.
    """
    __tracebackhide__ = True
    try:
        try:
            return act()
        except of:
            surely(undo)
            raise
    except KeyboardInterrupt:
        surely(undo)
        raise
