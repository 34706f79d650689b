"""Ending every descendant where no namespace does it: the caller has adopted orphans
(linux.adopt_orphans).
"""

from __future__ import annotations

import os
import signal
import time
from contextlib import suppress
from pathlib import Path

#: seconds after which processes that cannot be ended (another user's, or stuck in the system) are left
_PATIENCE = 5.0


def sweep(*, group: int = 0) -> None:
    """Stop and kill all descendants until none is left; returns when they are gone and reaped.

    ``group``: a process group to end as well, where /proc does not tell who the descendants are (macOS).
    """
    deadline = time.monotonic() + _PATIENCE
    while time.monotonic() < deadline:
        _stop_all()
        for process in descendants(os.getpid()):
            _send(process, signal.SIGKILL)
        if group:
            with suppress(OSError):
                os.killpg(group, signal.SIGKILL)
        if not _reap(deadline):
            return


def descendants(root: int) -> list[int]:
    """Every process below ``root``, parents first. Empty where the system does not tell."""
    found: list[int] = []
    rest = [root]
    while rest:
        below = _children(rest.pop())
        found += below
        rest += below
    return found


def _stop_all() -> None:
    """Stopped processes cannot fork away from the list that is taken of them."""
    seen: set[int] = set()
    while new := set(descendants(os.getpid())) - seen:
        for process in new:
            _send(process, signal.SIGSTOP)
        seen |= new


def _reap(deadline: float) -> bool:
    """Reap what ended; True when children are left that have to be looked at again."""
    while time.monotonic() < deadline:
        try:
            ended, _ = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return False
        if ended == 0:
            time.sleep(0.001)
            return True
    return True


def _children(parent: int) -> list[int]:
    children: list[int] = []
    # a thread or the process itself may end while we look
    with suppress(OSError):
        for thread in Path(f"/proc/{parent}/task").iterdir():
            with suppress(OSError):
                children += map(int, (thread / "children").read_text(encoding="ascii").split())
    return children


def _send(process: int, number: signal.Signals) -> None:
    with suppress(OSError):
        os.kill(process, number)
