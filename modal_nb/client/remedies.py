"""What to do about a container that died: one sentence for each way in which it can end. Pure."""

from __future__ import annotations

import signal

from modal_nb.protocol.messages import Failure
from modal_nb.spec.lifecycle import CauseKind

_MIB = 2**20
_LESS = (
    "give it less to do at a time, or let fewer containers run side by side (`max_containers`, or a `memory` that says "
    "what one needs)"
)
#: what the code of a program is ended by when it breaks
_BROKEN = {signal.SIGSEGV, signal.SIGBUS, signal.SIGILL, signal.SIGFPE, signal.SIGABRT}


def remedy(failure: Failure) -> str:
    """What to do; "" where nothing can be said."""
    match failure.cause_kind:
        case CauseKind.OUT_OF_MEMORY:
            return f"What to do: {_LESS}."
        case CauseKind.EXITED:
            return _of_exit(failure.code)
        case CauseKind.SIGNALLED:
            return _of_signal(failure)
    return ""


def memory(failure: Failure) -> str:
    """How much a container held whose memory ran out, as a line of its own; "" for others."""
    if failure.cause_kind != CauseKind.OUT_OF_MEMORY or not failure.peak:
        return ""
    limit = f", of {_mib(failure.limit)} that it and what runs beside it may have" if failure.limit else ""
    return f"\n  its biggest process held {_mib(failure.peak)} at most{limit}"


def _of_exit(code: int | None) -> str:
    return (
        f"What to do: something in it ended the process with exit code {code}, such as os._exit or a C library; raise "
        "an exception instead, or return."
    )


def _of_signal(failure: Failure) -> str:
    if failure.signal == signal.SIGKILL:
        held = f" (its biggest process held {_mib(failure.peak)} at most)" if failure.peak else ""
        return (
            "What to do: SIGKILL comes from outside: from somebody who killed it, or from the system when memory runs "
            f"out{held}; the system's log (`dmesg`) tells. If it was memory, {_LESS}."
        )
    if failure.signal in _BROKEN:
        return (
            "What to do: compiled code in it broke. With env={'PYTHONFAULTHANDLER': '1'} among the options of the "
            "class its log says in which line of Python."
        )
    return "What to do: the signal came from outside, or from code of its own; find out who sent it."


def _mib(size: int) -> str:
    return f"{size / _MIB:,.0f} MiB"
