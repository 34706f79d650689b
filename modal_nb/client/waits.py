"""Why a call has no outcome yet, in one plain sentence. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from modal_nb.protocol.containers import CallWait, RunningInput, Short, Starting

_PHASES = {
    "snapshot": "its memory snapshot",
    "launch": "its process",
    "imports": "imports",
    "enter": "enter hooks",
}


def sentence(wait: CallWait) -> str:
    """What the call waits for, or where it runs."""
    match wait.state:
        case "running":
            return f"runs since {seconds(wait.seconds)} in {wait.container}"
        case "fetched":
            return f"next in {wait.container}, which {_busy_with(wait.behind)}"
        case "pinned":
            return _in_line(wait)
        case "retrying":
            return f"failed {_times(wait.failures)}: tried again in {seconds(wait.seconds)}"
        case "gathering":
            return f"its batch fills, for {seconds(wait.seconds)} at most"
        case _:
            return _queued(wait)


def _in_line(wait: CallWait) -> str:
    if wait.ahead > len(wait.behind):
        return f"behind {_others(wait.ahead)} for {wait.container}"
    if wait.behind:
        return f"waits for {wait.container}, which {_busy_with(wait.behind)}"
    return f"waits until {wait.container} has started"


def _queued(wait: CallWait) -> str:
    """How many are before it, and why that takes time."""
    before = f"behind {_others(wait.ahead)}: " if wait.ahead else ""
    failed = f"; it failed {_times(wait.failures)} before" if wait.failures else ""
    return f"{before}{_reason(wait)}{failed}"


def _reason(wait: CallWait) -> str:
    if wait.starting:
        return _starts(wait.starting)
    if wait.short is not None:
        return _capacity(wait.short)
    if wait.back_off:
        return f"starts failed: the next one is tried in {seconds(wait.back_off)}"
    busy = f"{_containers(wait.busy)} busy"
    if wait.at_maximum:
        return f"{busy}, max_containers={wait.max_containers}"
    if wait.aside and not wait.busy:
        return f"{_containers(wait.aside)} aside while somebody looks inside"
    return busy if wait.busy else wait.why


def _starts(starting: Sequence[Starting]) -> str:
    """Of several the one that is furthest."""
    first = max(starting, key=lambda one: (list(_PHASES).index(one.phase), one.seconds))
    over = [f"{_PHASES[name]} {seconds(first.start[name])}" for name in _PHASES if name in first.start]
    now = f"{_PHASES[first.phase]} since {seconds(first.seconds)}"
    what = "a container is starting" if len(starting) == 1 else f"{len(starting)} containers are starting"
    return f"{what}: {', '.join([*over, now])}"


def _capacity(short: Short) -> str:
    if short.what == "containers":
        return f"no capacity: all {short.limit:g} containers of this machine are taken"
    unit = " MiB" if short.what == "memory" else ""
    return (
        f"no capacity: needs {short.what}={short.asked:g}, {short.free:g} of {short.limit:g}{unit} are free"
    )


def _busy_with(running: Sequence[RunningInput]) -> str:
    """As much as is known: bodies are closed to the supervisor, so it may be no name."""
    if not running:
        return "is about to take it"
    first = max(running, key=lambda one: one.seconds)
    what = first.method or ("another input" if first.count == 1 else f"{first.count:,} inputs")
    more = f" and {_others(len(running) - 1)}" if len(running) > 1 else ""
    return f"runs {what} since {seconds(first.seconds)}{more}"


def _others(number: int) -> str:
    return "one other" if number == 1 else f"{number:,} others"


def _containers(number: int) -> str:
    return "1 container is" if number == 1 else f"{number:,} containers are"


def _times(number: int) -> str:
    return "once" if number == 1 else f"{number} times"


def seconds(value: float) -> str:
    """As people read them: 0.3 s, 4.2 s, 31 s."""
    return f"{value:.1f} s" if value < 9.95 else f"{value:.0f} s"
