"""The few calls of Linux that Python does not offer: namespaces, a parent's death, adopting orphans."""

from __future__ import annotations

import ctypes
import errno
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path

_CLONE_NEWNS = 0x00020000
_CLONE_NEWUSER = 0x10000000
_CLONE_NEWPID = 0x20000000
_MS_NOSUID, _MS_NODEV, _MS_NOEXEC = 0x2, 0x4, 0x8
_MS_REC, _MS_SLAVE = 0x4000, 0x80000
_PR_SET_PDEATHSIG = 1
_PR_SET_CHILD_SUBREAPER = 36

IS_LINUX = sys.platform == "linux"
_libc = ctypes.CDLL(None, use_errno=True) if IS_LINUX else None


def die_with_parent() -> None:
    """Be killed when the thread that forked this process ends. The caller checks that it had not ended
    before.
    """
    if IS_LINUX:
        _call("prctl", _PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)


def adopt_orphans() -> None:
    """Become the parent of every descendant that loses its own."""
    if IS_LINUX:
        _call("prctl", _PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def can_hold_processes() -> bool:
    """True: this machine lets us make a process-id namespace with a /proc of its own. Tried in a child, takes
    some ms.

    A namespace without its own /proc is not wanted: psutil and others would read, and signal, the wrong
    processes.
    """
    return IS_LINUX and _succeeds_in_child(_try_namespace)


def hold_next_child() -> None:
    """From now on children of this process live in a new process-id namespace; the first is its pid 1. May
    raise OSError.
    """
    try:
        _call("unshare", _CLONE_NEWPID | _CLONE_NEWNS)
    except PermissionError:
        user, group = os.geteuid(), os.getegid()
        _call("unshare", _CLONE_NEWUSER | _CLONE_NEWPID | _CLONE_NEWNS)
        Path("/proc/self/uid_map").write_text(f"{user} {user} 1", encoding="ascii")
        Path("/proc/self/setgroups").write_text("deny", encoding="ascii")
        Path("/proc/self/gid_map").write_text(f"{group} {group} 1", encoding="ascii")


def mount_own_proc() -> None:
    """Show the processes of this namespace in /proc, here only; mounts made outside still appear. May raise
    OSError.
    """
    _call("mount", None, b"/", None, _MS_SLAVE | _MS_REC, None)
    _call("mount", b"proc", b"/proc", b"proc", _MS_NOSUID | _MS_NODEV | _MS_NOEXEC, None)


def _try_namespace() -> None:
    hold_next_child()
    if not _succeeds_in_child(mount_own_proc):
        raise PermissionError(errno.EPERM, "no /proc of our own can be mounted here")


def _succeeds_in_child(attempt: Callable[[], None]) -> bool:
    child = os.fork()
    if child == 0:
        try:
            attempt()
            os._exit(0)
        finally:
            os._exit(1)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def _call(name: str, *arguments: object) -> None:
    if getattr(_libc, name)(*arguments) != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{name}: {os.strerror(number)}")
