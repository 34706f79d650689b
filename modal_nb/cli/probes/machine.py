"""How much of everything there is."""

from __future__ import annotations

import os
import resource
from pathlib import Path

import psutil

from modal_nb.cli.probes.finding import Finding, ok, problem

#: below these, containers get into trouble
_OPEN_FILES = 1024
_PROCESSES = 512
_SHARED_MEMORY = 64 << 20
_MEMORY = 1 << 30


def cores() -> list[Finding]:
    usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return [ok("cores", f"{usable} of {os.cpu_count()}")]


def memory() -> list[Finding]:
    """Of the machine, or of the control group that we are in."""
    virtual = psutil.virtual_memory()
    bound = _number(Path("/sys/fs/cgroup/memory.max"))
    total = min(virtual.total, bound) if bound else virtual.total
    text = f"{_size(virtual.available)} free of {_size(total)}"
    if virtual.available < _MEMORY:
        return [
            problem("memory", text, "end what is not needed: modal-nb status, modal-nb container stop ID")
        ]
    return [ok("memory", text)]


def open_files() -> list[Finding]:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if 0 <= soft < _OPEN_FILES:
        return [problem("open files", f"{_limit(soft)} at most", f"ulimit -n {_limit(hard)}")]
    return [ok("open files", f"{_limit(soft)} at most, up to {_limit(hard)}")]


def processes() -> list[Finding]:
    """The smallest of the limits that count."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NPROC)
    limits = [soft, _number(Path("/sys/fs/cgroup/pids.max")), _number(Path("/proc/sys/kernel/pid_max"))]
    known = [limit for limit in limits if limit is not None and limit > 0]
    most = min(known, default=0)
    if known and most < _PROCESSES:
        return [problem("processes", f"{most} at most", "ulimit -u unlimited; in Docker: --pids-limit -1")]
    return [ok("processes", f"{most or 'no limit'} at most")]


def shared_memory() -> list[Finding]:
    folder = Path("/dev/shm")  # noqa: S108 - asked for its size
    if not folder.is_dir():
        return [problem("shared memory", "not there", "mount -t tmpfs tmpfs /dev/shm, as root")]
    usage = psutil.disk_usage(str(folder))
    text = f"{_size(usage.free)} free of {_size(usage.total)}"
    if usage.total <= _SHARED_MEMORY:
        return [
            problem(
                "shared memory", text, "mount -o remount,size=2G /dev/shm, as root; in Docker: --shm-size 2g"
            )
        ]
    return [ok("shared memory", text)]


def _number(file: Path) -> int | None:
    """Of a limit of the kernel; None where there is none."""
    try:
        return int(file.read_text(encoding="ascii"))
    except (OSError, ValueError):
        return None


def _limit(value: int) -> str:
    return "unlimited" if value == resource.RLIM_INFINITY else str(value)


def _size(count: float) -> str:
    return f"{count / 2**30:.1f} GiB"
