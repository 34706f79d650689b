"""What must be done to its end although the user presses Ctrl-C once more."""

from __future__ import annotations

from collections.abc import Callable

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
