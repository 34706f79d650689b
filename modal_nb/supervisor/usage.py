"""Memory and processor time of containers, sampled only while somebody watches."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping

import psutil

#: above this a process's memory is taken as the kernel counts it anyway: the exact figure would cost too much
_EXACT_UNDER = 512 << 20

#: MiB, and cores (1.0 is one) since the sample before; None in the first one
Sample = tuple[int, float | None]


class Meter:
    """Samples process trees. Blocks for some milliseconds, so it is called in a thread, one call at a time."""

    def __init__(self) -> None:
        #: processor seconds of each process at its last sample
        self._seconds: dict[psutil.Process, float] = {}
        self._taken: dict[int, float] = {}

    def sample(self, roots: Mapping[int, int]) -> dict[int, Sample]:
        """For each container number: the whole tree below this process id. Those that ended are left out."""
        children = _children()
        seconds: dict[psutil.Process, float] = {}
        found: dict[int, Sample] = {}
        now = time.monotonic()
        for number, pid in roots.items():
            tree = list(_tree(pid, children))
            memory, spent = 0, 0.0
            for process in tree:
                memory += _memory(process)
                spent += self._spent(process, seconds)
            if tree:
                before = self._taken.get(number)
                cores = None if before is None else round(max(0.0, spent) / max(now - before, 0.001), 2)
                found[number] = round(memory / 2**20), cores
        self._seconds = seconds
        self._taken = dict.fromkeys(found, now)
        return found

    def _spent(self, process: psutil.Process, seconds: dict[psutil.Process, float]) -> float:
        """Processor seconds since the last sample, or since its birth if it is younger."""
        try:
            times = process.cpu_times()
        except psutil.Error:
            return 0.0
        seconds[process] = times.user + times.system
        return seconds[process] - self._seconds.get(process, 0.0)


def _children() -> dict[int, list[psutil.Process]]:
    """All processes by their parent: one look at the process table for all containers."""
    children: dict[int, list[psutil.Process]] = {}
    for process in psutil.process_iter():
        try:
            children.setdefault(process.ppid(), []).append(process)
        except psutil.Error:
            continue
    return children


def _tree(pid: int, children: Mapping[int, list[psutil.Process]]) -> Iterator[psutil.Process]:
    try:
        waiting = [psutil.Process(pid)]
    except psutil.Error:
        return
    while waiting:
        process = waiting.pop()
        yield process
        waiting += children.get(process.pid, ())


def _memory(process: psutil.Process) -> int:
    """Bytes; pages that processes of a tree share are counted once where that can be found out cheaply."""
    try:
        plain = int(process.memory_info().rss)
        if plain >= _EXACT_UNDER:
            return plain
        full = process.memory_full_info()
        return int(getattr(full, "pss", 0) or plain)
    except (psutil.Error, OSError):
        return 0
