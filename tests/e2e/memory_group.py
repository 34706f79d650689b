"""A memory group of our own below the one that this process is in: nothing in it escapes any limit."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil

from tests.e2e.home import until

_GROUPS = Path("/sys/fs/cgroup/memory")


def own_group() -> Path | None:
    """The memory group (cgroup v1) of this process; None where there is none."""
    for line in Path("/proc/self/cgroup").read_text(encoding="utf-8").splitlines():
        _, controllers, path = line.split(":", 2)
        if "memory" in controllers.split(","):
            found = _GROUPS / path.lstrip("/")
            return found if (found / "memory.oom_control").exists() else None
    return None


def why_not() -> str:
    """Why this machine cannot show it; empty if it can."""
    group = own_group()
    if group is None:
        return "this machine has no memory cgroup of version 1 to make a group in"
    probe = group / f"modal_nb-probe-{os.getpid()}"
    try:
        probe.mkdir()
        probe.rmdir()
    except OSError as error:
        return f"the memory cgroup of this machine cannot be written ({error.strerror})"
    return ""


@contextmanager
def limited(pid: int, mib: int) -> Iterator[None]:
    """``pid``, its tree, and what these start from now on, may use ``mib`` more together; empties itself before it is
    removed.
    """
    parent = own_group()
    assert parent is not None
    group = parent / f"modal_nb-{os.getpid()}"
    group.mkdir()
    try:
        (group / "memory.limit_in_bytes").write_text(f"{mib * 2**20}")
        for process in (pid, *(child.pid for child in psutil.Process(pid).children(recursive=True))):
            (group / "cgroup.procs").write_text(f"{process}")
        yield
    finally:
        # what is left of it goes back where it came from
        until(lambda: _emptied(group, parent))
        group.rmdir()


def _emptied(group: Path, parent: Path) -> bool:
    left = (group / "cgroup.procs").read_text().split()
    for pid in left:
        with suppress(OSError):  # it ends in this moment
            (parent / "cgroup.procs").write_text(pid)
    return not left
