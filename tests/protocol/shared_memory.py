"""What the system says of shared memory and descriptors."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path


def descriptors(pid: int | None = None) -> int:
    """How many descriptors a process has open; None: this one."""
    return sum(1 for _ in Path(f"/proc/{pid or os.getpid()}/fd").iterdir())


def lent_through(pid: int) -> int:
    """How many segments a process holds descriptors of: lent, or its own."""
    return sum(_leads_to(link).startswith("/memfd:modal_nb") for link in Path(f"/proc/{pid}/fd").iterdir())


def _leads_to(link: Path) -> str:
    try:
        return str(link.readlink())
    except OSError:  # closed meanwhile
        return ""


def named() -> set[str]:
    """What lies in /dev/shm under a name of ours."""
    return {path.name for path in Path("/dev/shm").iterdir() if "modal" in path.name}


def lent_by(pid: int) -> int:
    """How many of the segments that a process has made are lent, as anybody may find out from outside."""
    lent = set()
    for link in Path(f"/proc/{pid}/fd").iterdir():
        if not _leads_to(link).startswith("/memfd:modal_nb"):
            continue
        try:
            probe = os.open(link, os.O_RDONLY)
        except OSError:  # closed meanwhile
            continue
        try:
            fcntl.flock(probe, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lent.add(os.fstat(probe).st_ino)
        finally:
            os.close(probe)
    return len(lent)
