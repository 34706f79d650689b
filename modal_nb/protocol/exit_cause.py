"""From a guard's last line to the cause that people read."""

from __future__ import annotations

import signal

from modal_nb.protocol.lease import LeaseExit
from modal_nb.spec.lifecycle import CauseKind, ExitCause


def exit_cause(end: LeaseExit | None) -> ExitCause:
    """The cause that the guard told; None: the lease ended without a word, so the guard itself is gone.

    It does not know of our own doing: whoever killed or stopped the container names that cause instead.
    """
    if end is None:
        return ExitCause(CauseKind.UNKNOWN, detail="the guard of the container was killed or lost")
    if end.signal is None:
        return ExitCause(CauseKind.EXITED, code=end.code, detail=f"ended with exit code {end.code}")
    if end.signal == signal.SIGKILL and end.oom_kills > 0:
        detail = "killed by the system because memory ran out"
        return ExitCause(CauseKind.OUT_OF_MEMORY, None, end.signal, detail, end.peak, end.limit)
    detail = f"killed by {signal_name(end.signal)}"
    return ExitCause(CauseKind.SIGNALLED, None, end.signal, detail, end.peak, end.limit)


def signal_name(number: int) -> str:
    """Such as ``signal 11 (SIGSEGV)``."""
    try:
        return f"signal {number} ({signal.Signals(number).name})"
    except ValueError:
        return f"signal {number}"
