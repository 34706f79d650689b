"""What the kernel of the operating system says of processes: whose they are, their memory, their processor time."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

import psutil

#: marks every process that descends from a peer's, daemons included
MARK = "MODAL_NB_BENCH_MARK"


def marked(mark: str) -> Iterator[psutil.Process]:
    """By what they inherited, so that no other process is meant; whoever is just ending is left out."""
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            if process.environ().get(MARK) == mark:
                yield process


def others() -> list[psutil.Process]:
    """What this peer's process has started, and what that has."""
    return [process for process in marked(os.environ[MARK]) if process.pid != os.getpid()]


def mentioning(path: str) -> Iterator[psutil.Process]:
    """Whose command line has this path in it."""
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            if any(path in part for part in process.cmdline()) and process.pid != os.getpid():
                yield process


def pss(pids: Iterable[int]) -> float:
    """MiB: pages of their own, and of those that they share with others their part."""
    return sum(_pss_kib(pid) for pid in pids) / 1024


def _pss_kib(pid: int) -> int:
    with contextlib.suppress(OSError):
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="ascii").splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1])
    return 0


def busy_percent(pids: Iterable[int], seconds: float) -> float:
    """Per cent of one core that these processes use together in the next seconds."""
    asked = list(pids)
    assert asked, "there is nobody to be watched"
    before = sum(map(_on_cpu_ns, asked))
    time.sleep(seconds)
    return (sum(map(_on_cpu_ns, asked)) - before) / (seconds * 1e9) * 100


def _on_cpu_ns(pid: int) -> int:
    """Of all threads, exactly; the clock ticks of utime and stime are as long as what is measured here."""
    total = 0
    with contextlib.suppress(OSError):
        for task in Path(f"/proc/{pid}/task").iterdir():
            total += int((task / "schedstat").read_text(encoding="ascii").split()[0])
    return total
