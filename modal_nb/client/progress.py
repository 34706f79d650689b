"""How far a ``.map`` is: one line, or a bar, from a few numbers. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from html import escape

#: weight of the newest rate in the moving average
_WEIGHT = 0.3


@dataclass(slots=True)
class Counts:
    """Of one ``.map``, now."""

    #: None: nobody knows, for the inputs come from a generator
    total: int | None
    #: inputs with an outcome, and those of them that raised
    done: int = 0
    failed: int = 0
    running: int = 0
    queued: int = 0
    containers: int = 0
    seconds: float = 0.0
    #: inputs done per second, lately; 0.0: nothing is known
    rate: float = 0.0
    #: why nothing runs; empty where something does
    why: str = ""
    #: "": it goes on; else how it ended
    end: str = ""

    @property
    def left(self) -> float | None:
        """Seconds until all are done, at this rate."""
        if self.total is None or not self.rate:
            return None
        return (self.total - self.done) / self.rate


class Rate:
    """Inputs per second, a moving average."""

    def __init__(self, now: float) -> None:
        self._now, self._done = now, 0
        self._rate = 0.0

    def after(self, done: int, now: float) -> float:
        """The rate, now that so many are done."""
        seconds = now - self._now
        if seconds > 0 and (done > self._done or self._rate):
            rate = (done - self._done) / seconds
            self._rate = self._rate + _WEIGHT * (rate - self._rate) if self._rate else rate
            self._now, self._done = now, done
        return self._rate


def line(label: str, counts: Counts) -> str:
    """One line: "Model.predict.map: 512 of 1,000 done, 3 failed, 4 running, ...".

    At its end it says the same in every run that has the same outcomes: tests of notebooks may compare it.
    """
    of_all = f" of {counts.total:,}" if counts.total is not None and counts.total != counts.done else ""
    parts = [f"{counts.done:,}{of_all} done"]
    if counts.failed:
        parts.append(f"{counts.failed:,} failed")
    if counts.end:
        return f"{label}: {', '.join([*parts, *([counts.end] if counts.end != 'done' else [])])}"
    return f"{label}: {', '.join([*parts, *_now(counts)])}"


def bar(label: str, counts: Counts) -> str:
    """Inert HTML: a bar and the line."""
    most = counts.total if counts.total is not None else (counts.done if counts.end else None)
    value = f' value="{counts.done}" max="{max(most, 1)}"' if most is not None else ""
    said = escape(line(label, counts) + _took(counts))
    return (
        '<div style="display:flex;gap:.75em;align-items:center;flex-wrap:wrap;'
        "font-family:var(--jp-ui-font-family,sans-serif);font-size:var(--jp-ui-font-size1,13px);"
        'font-variant-numeric:tabular-nums">'
        f'<progress{value} aria-label="{escape(label)}" style="flex:0 1 16em"></progress>'
        f"<span>{said}</span></div>"
    )


def _took(counts: Counts) -> str:
    if not counts.end or counts.seconds < 1:
        return ""
    each = f", {_rate(counts.done / counts.seconds)}" if counts.done else ""
    how = " after" if counts.end != "done" else ", in" if counts.failed else " in"
    return f"{how} {_time(counts.seconds)}{each}"


def _now(counts: Counts) -> list[str]:
    parts = []
    if counts.running:
        parts.append(f"{counts.running:,} running")
    if counts.queued:
        parts.append(f"{counts.queued:,} queued")
    parts.append(f"{counts.containers:,} container{'' if counts.containers == 1 else 's'}")
    if counts.rate:
        parts.append(_rate(counts.rate))
    if counts.left is not None:
        parts.append(f"{_time(counts.left)} left")
    if counts.why:
        parts.append(counts.why)
    return parts


def _rate(rate: float) -> str:
    return f"{rate:,.0f}/s" if rate >= 10 else f"{rate:.1f}/s" if rate >= 1 else f"{rate * 60:.1f}/min"


def _time(seconds: float) -> str:
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    minutes, rest = divmod(whole, 60)
    if minutes < 60:
        return f"{minutes} min {rest} s"
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min"
