"""What a probe found, and how probes are run so that none of them can hold the others up."""

from __future__ import annotations

import shutil
import subprocess
import threading
from collections.abc import Callable, Sequence
from enum import StrEnum

import msgspec

#: seconds for one command that a probe runs, and for a probe as a whole
COMMAND_LIMIT = 4.0
PROBE_LIMIT = 10.0


class State(StrEnum):
    """How it is."""

    OK = "ok"
    MISSING = "missing"
    PROBLEM = "problem"


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """One line of the report."""

    what: str
    state: State
    found: str
    #: a command, or what to do
    remedy: str = ""
    #: modal_nb itself does not work without it
    needed: bool = False


Probe = Callable[[], list[Finding]]


def ok(what: str, found: object) -> Finding:
    return Finding(what=what, state=State.OK, found=str(found))


def missing(what: str, found: str, remedy: str, *, needed: bool = False) -> Finding:
    return Finding(what=what, state=State.MISSING, found=found, remedy=remedy, needed=needed)


def problem(what: str, found: str, remedy: str, *, needed: bool = False) -> Finding:
    return Finding(what=what, state=State.PROBLEM, found=found, remedy=remedy, needed=needed)


def run_all(probes: Sequence[tuple[str, Probe]], limit: float = PROBE_LIMIT) -> list[Finding]:
    """The findings of all, in their order. One that takes more than ``limit`` seconds, or fails, is a problem."""
    runs = [_Run(what, probe) for what, probe in probes]
    for one in runs:
        one.thread.join(limit)
    return [finding for one in runs for finding in one.result(limit)]


class _Run:
    """One probe on a thread of its own, which is left behind if it hangs: in a dead network file system, say."""

    def __init__(self, what: str, probe: Probe) -> None:
        self._what = what
        self._probe = probe
        self._found: list[Finding] | None = None
        self.thread = threading.Thread(target=self._go, daemon=True)
        self.thread.start()

    def _go(self) -> None:
        try:
            self._found = self._probe()
        except Exception as error:  # noqa: BLE001 - a machine may be odd in any way
            self._found = [
                problem(self._what, f"cannot be told: {type(error).__name__}: {error}", "look at it")
            ]

    def result(self, limit: float) -> list[Finding]:
        if self._found is None:
            return [problem(self._what, f"no answer within {limit:g} s", "look at it")]
        return self._found


class Ran(msgspec.Struct, frozen=True):
    """What a command said."""

    code: int
    output: str
    errors: str

    @property
    def line(self) -> str:
        """The first line of either."""
        return next(iter((self.output.strip() or self.errors.strip()).splitlines()), "")


def command(*arguments: str) -> Ran | None:
    """Run it; None if it is not on PATH. One that takes too long has the code 124."""
    if shutil.which(arguments[0]) is None:
        return None
    try:
        done = subprocess.run(
            arguments,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=COMMAND_LIMIT,
            check=False,
            stdin=subprocess.DEVNULL,
        )
    except subprocess.TimeoutExpired:
        return Ran(124, "", f"no answer within {COMMAND_LIMIT:g} s")
    except OSError as error:
        return Ran(126, "", str(error))
    return Ran(done.returncode, done.stdout, done.stderr)
