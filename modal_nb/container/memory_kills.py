"""Did the system kill for memory? An exit by SIGKILL alone does not tell, the counters of the memory group
do.
"""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

_GROUPS = Path("/sys/fs/cgroup")


class MemoryKills:
    """Counts the kills for memory that are seconds old; who holds it calls ``tick`` every ``PERIOD`` seconds
    or more often.

    The group may hold other processes too, so a kill of an hour ago says nothing about a process that ends
    now.
    """

    #: seconds
    PERIOD = 10.0

    def __init__(self) -> None:
        self._source = next((source for source in _sources() if _count(source) is not None), None)
        self._before = self._last = self._now()
        self._ticked = 0.0

    def tick(self, now: float) -> None:
        """Forget, at most once a period, what was counted before the last time. ``now`` is monotonic, in
        seconds.
        """
        if now - self._ticked >= self.PERIOD:
            self._ticked = now
            self._before, self._last = self._last, self._now()

    def recent(self) -> int:
        """Kills in the last one to two periods; 0 where nothing is counted."""
        return self._now() - self._before

    def _now(self) -> int:
        return (_count(self._source) if self._source else None) or 0


class MemoryNotes:
    """Tells with a failure that the system killed for memory: a child that ended by itself would be a riddle."""

    def __init__(self) -> None:
        self._kills = MemoryKills()

    def __call__(self, error: BaseException) -> None:
        """Add a note to ``error`` if there were kills since the last failure, or since the start."""
        kills = self._kills.recent()
        if kills:
            self._kills = MemoryKills()
            error.add_note(
                f"Memory ran out: since the last failure here the system killed {kills} process(es) for it, perhaps a "
                "child process of this container. Give it less to do at a time."
            )


def _sources() -> list[Path]:
    """Counter files from the most telling to the least: own group (v2, v1), the whole machine."""
    found = []
    with suppress(OSError):
        for line in Path("/proc/self/cgroup").read_text(encoding="utf-8").splitlines():
            _, controllers, path = line.split(":", 2)
            below = path.lstrip("/")
            if not controllers:
                found += [_GROUPS / below / "memory.events", _GROUPS / "memory.events"]
            elif "memory" in controllers.split(","):
                v1 = _GROUPS / "memory"
                found += [v1 / below / "memory.oom_control", v1 / "memory.oom_control"]
    return [*found, Path("/proc/vmstat")]


def _count(source: Path) -> int | None:
    with suppress(OSError, ValueError):
        for line in source.read_text(encoding="ascii").splitlines():
            name, _, value = line.partition(" ")
            if name == "oom_kill":
                return int(value)
    return None
