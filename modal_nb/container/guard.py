"""The guard of one container: it holds the lease, keeps the process tree, and names how the kernel ended.

The launcher L (what the provisioner started) forks the guard G, the guard forks the kernel K; ``spare`` says how a warm
parent does it, without L. Where the machine allows it, G is pid 1 of a process-id namespace, so that its end is the end
of all, double-forked daemons included; elsewhere G adopts every orphan and sweeps, with L doing the same should G be
killed. L and G load no more than this module needs.

====================  =====================================================================
what ends             what follows
====================  =====================================================================
K                     G reports the cause on the lease, ends the rest, ends; then L
G                     the system ends the namespace, or K by its parent's death and L sweeps
L, or the lease       G ends everything
====================  =====================================================================
"""

from __future__ import annotations

import faulthandler
import os
import select
import signal
import socket
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import NoReturn

from modal_nb.container.linux import (
    IS_LINUX,
    adopt_orphans,
    can_hold_processes,
    die_with_parent,
    hold_next_child,
    mount_own_proc,
)
from modal_nb.container.log_keeper import LogKeeper
from modal_nb.container.memory_kills import MemoryKills, memory_limit
from modal_nb.container.sweep import sweep
from modal_nb.protocol.lease import (
    LONGEST_LINE,
    LeasePing,
    LeaseRefused,
    lease_exit,
    lease_hello,
    lease_pong,
    read_lease_line,
)

#: exit codes of L and G when it was not the kernel that ended first
LEASE_LOST = 75
LAUNCHER_LOST = 76

_FORWARDED = (signal.SIGTERM, signal.SIGINT)
#: the first choice of the system when memory runs out should be a container, not the supervisor or the
#: notebook
_OOM_SCORE = "500"


def become_kernel(address: str, container: int, token: str, *, namespace: bool | None = None) -> None:
    """Called by the launcher, once, before anything else runs. Returns in the kernel's process only.

    ``address`` is the path of the supervisor's Unix socket; ``container`` and ``token`` open the lease there.
    ``namespace`` is private, for tests: False forces the sweeping way.
    """
    _reset_signals()
    namespaced = can_hold_processes() if namespace is None else namespace
    adopt_orphans()
    watched, held = os.pipe()
    if namespaced:
        hold_next_child()
    guard = os.fork()
    if guard == 0:
        os.close(held)
        _guard(hold_lease(address, container, token, namespaced=namespaced), watched, namespaced=namespaced)
        return
    os.close(watched)
    _await_guard(guard, namespaced=namespaced)


def _await_guard(guard: int, *, namespaced: bool) -> NoReturn:
    """L: pass signals on, wait, and end as the guard ended."""
    for number in _FORWARDED:
        signal.signal(number, lambda number, _: os.kill(guard, number))
    status = os.waitstatus_to_exitcode(os.waitpid(guard, 0)[1])
    for number in _FORWARDED:
        signal.signal(number, signal.SIG_IGN)
    if not namespaced:
        sweep()
    os._exit(_exit_code(status))


def hold_lease(address: str, container: int, token: str, *, namespaced: bool) -> socket.socket:
    """G: the connection for whose life the container may live. Ends the process where there is no supervisor."""
    lease = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        lease.connect(address)
        lease.sendall(lease_hello(container, token, os.getpid(), namespaced=namespaced))
    except OSError as error:
        sys.stderr.write(f"container {container}: no lease, the supervisor is gone ({error})\n")
        sys.stderr.flush()
        os._exit(LEASE_LOST)
    lease.setblocking(False)
    return lease


def _guard(lease: socket.socket, launcher: int, *, namespaced: bool) -> None:
    """G: returns in K only."""
    if namespaced:
        die_with_parent()
        mount_own_proc()
    else:
        adopt_orphans()
    guard = Guard(LogKeeper(), namespaced=namespaced)
    kernel = guard.fork_kernel()
    if kernel == 0:
        os.close(launcher)
        lease.close()
        return
    guard.keep(kernel, lease, launcher)


def _start_kernel(guard: int) -> None:
    """K: a session of its own, signals as a fresh process has them."""
    die_with_parent()
    if os.getppid() != guard:
        os._exit(LAUNCHER_LOST)
    os.setsid()
    signal.set_wakeup_fd(-1)
    _reset_signals()
    if faulthandler.is_enabled():  # by PYTHONFAULTHANDLER; its handlers have just gone
        faulthandler.disable()
        faulthandler.enable(2)
    with suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text(_OOM_SCORE, encoding="ascii")


def _reset_signals() -> None:
    """As in a fresh interpreter, whatever was ignored or blocked by who started us."""
    for number in signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP, signal.SIGPIPE, signal.SIGXFSZ}:
        with suppress(OSError, ValueError):
            signal.signal(number, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.pthread_sigmask(signal.SIG_SETMASK, ())


def _exit_code(status: int) -> int:
    """As shells write it: 128 + n for signal n."""
    return status if status >= 0 else 128 - status


class Guard:
    """The loop of G: the lease, the launcher's pipe, signals, the log."""

    def __init__(self, log: LogKeeper, *, namespaced: bool) -> None:
        self._log = log
        self._namespaced = namespaced
        self._lease: socket.socket
        self._kernel = 0
        self._line = b""
        self._kills: MemoryKills
        self._signals, self._wake = os.pipe()
        for end in (self._signals, self._wake):
            os.set_blocking(end, False)
        for number in (*_FORWARDED, signal.SIGCHLD):
            signal.signal(number, lambda *_: None)
        signal.set_wakeup_fd(self._wake, warn_on_full_buffer=False)

    def fork_kernel(self) -> int:
        """Returns in both: K gets 0, and has nothing of the guard open. Signals wait until ``keep``."""
        signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
        me = os.getpid()
        self._kernel = os.fork()
        if self._kernel:
            self._log.stay()
        else:
            _start_kernel(me)
            for descriptor in (self._signals, self._wake):
                os.close(descriptor)
            self._log.leave()
        return self._kernel

    def keep(self, kernel: int, lease: socket.socket, launcher: int | None = None) -> NoReturn:
        """``launcher``: the end of this pipe ends the container."""
        self._kernel, self._lease = kernel, lease
        # what counts is what happens from here on, in the group in which it is now: a spare may have waited for hours
        self._kills = MemoryKills()
        signal.pthread_sigmask(signal.SIG_SETMASK, ())
        poll = select.poll()
        for descriptor in (launcher, self._signals, self._lease.fileno(), self._log.readable):
            if descriptor is not None:
                poll.register(descriptor, select.POLLIN)
        while True:
            ready = {descriptor for descriptor, _ in poll.poll(MemoryKills.PERIOD * 1000)}
            self._kills.tick(time.monotonic())
            if launcher in ready:
                self._end(LAUNCHER_LOST)
            if self._signals in ready:
                self._pass_on(os.read(self._signals, 4096))
            self._reap()
            if self._log.readable in ready and not self._log.copy():
                poll.unregister(self._log.readable)
            if self._lease.fileno() in ready:
                self._read_lease()

    def _pass_on(self, numbers: bytes) -> None:
        for number in numbers:
            if number in _FORWARDED:
                with suppress(ProcessLookupError):
                    os.kill(self._kernel, number)

    def _reap(self) -> None:
        """Wait for every child that ended: the kernel, or an orphan that became ours."""
        with suppress(ChildProcessError):
            while True:
                ended, status, used = os.wait4(-1, os.WNOHANG)
                if ended == 0:
                    return
                if ended == self._kernel:
                    self._report(os.waitstatus_to_exitcode(status), used.ru_maxrss)

    def _report(self, status: int, held: int) -> NoReturn:
        """``held``: the most memory at a time, as the system counts it: in KiB, on macOS in bytes."""
        self._log.finish()
        if status >= 0:
            self._say(lease_exit(code=status))
        else:
            peak = held * (1024 if IS_LINUX else 1)
            kills, limit = self._kills.recent(), memory_limit()
            self._say(lease_exit(signal=-status, oom_kills=kills, peak=peak, limit=limit))
        self._end(_exit_code(status))

    def _read_lease(self) -> None:
        try:
            received = self._lease.recv(LONGEST_LINE)
        except BlockingIOError:
            return
        except OSError:
            received = b""
        *lines, self._line = (self._line + received).split(b"\n")
        if not received or len(self._line) > LONGEST_LINE:
            self._end(LEASE_LOST)
        for line in lines:
            with suppress(LeaseRefused):
                asked = read_lease_line(line)
                if isinstance(asked, LeasePing):
                    self._say(lease_pong(asked.number))

    def _say(self, line: bytes) -> None:
        """The lines are few and short: a full buffer means that the supervisor hangs, and waiting would not
        help.
        """
        with suppress(OSError):
            self._lease.send(line)

    def _end(self, code: int) -> NoReturn:
        """The end of pid 1 ends its namespace; elsewhere everything is swept first."""
        if not self._namespaced:
            sweep(group=0 if IS_LINUX else self._kernel)
        os._exit(code)
