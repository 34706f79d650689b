"""Did the system kill for memory, and how much was there? An exit by SIGKILL alone does not tell, the memory group
does.
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

    _kills: MemoryKills | None = None

    def begin(self) -> None:
        """Kills count from here on."""
        self._kills = MemoryKills()

    def __call__(self, error: BaseException) -> None:
        """Add a note to ``error`` if there were kills since the last failure, or since the start."""
        kills = self._kills.recent() if self._kills else 0
        if kills:
            self.begin()
            error.add_note(
                f"Memory ran out: since the last failure here the system killed {kills} process(es) for it, perhaps a "
                "child process of this container. Give it less to do at a time."
            )


def memory_limit() -> int:
    """Bytes that this process and what shares its memory group may have; 0 where nothing says so."""
    limits = [limit for limit in map(_number, _limits()) if limit]
    with suppress(OSError, ValueError, IndexError):
        limits.append(int(Path("/proc/meminfo").read_text(encoding="ascii").split()[1]) * 1024)
    return min(limits, default=0)


def _limits() -> list[Path]:
    """Of the own group and all above it: the lowest counts."""
    found = []
    for top, below, v1 in _groups():
        name = "memory.limit_in_bytes" if v1 else "memory.max"
        parts = Path(below).parts
        found += [top.joinpath(*parts[:depth], name) for depth in range(len(parts) + 1)]
    return found


def _number(file: Path) -> int:
    with suppress(OSError, ValueError):
        return int(file.read_text(encoding="ascii"))
    return 0


def _sources() -> list[Path]:
    """Counter files from the most telling to the least: own group (v2, v1), the whole machine."""
    found = []
    for top, below, v1 in _groups():
        name = "memory.oom_control" if v1 else "memory.events"
        found += [top / below / name, top / name]
    return [*found, Path("/proc/vmstat")]


def _groups() -> list[tuple[Path, str, bool]]:
    """The memory groups of this process: where their tree begins, the path in it, and whether it is cgroup v1."""
    found = []
    with suppress(OSError):
        for line in Path("/proc/self/cgroup").read_text(encoding="utf-8").splitlines():
            _, controllers, path = line.split(":", 2)
            if not controllers:
                found.append((_GROUPS, path.lstrip("/"), False))
            elif "memory" in controllers.split(","):
                found.append((_GROUPS / "memory", path.lstrip("/"), True))
    return found


def _count(source: Path) -> int | None:
    with suppress(OSError, ValueError):
        for line in source.read_text(encoding="ascii").splitlines():
            name, _, value = line.partition(" ")
            if name == "oom_kill":
                return int(value)
    return None
