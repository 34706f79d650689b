"""Containers as forks of a warm parent: the parent of an environment, and the process that it is asked for."""

from __future__ import annotations

import asyncio
import os
import select
import signal
import socket
import subprocess
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Self

from modal_nb.provisioners.base import LaunchFailed
from modal_nb.spec.fork_request import READY, ForkRequest, encode_request

#: an interpreter and the C library read these when they start; everything else is given to each container by itself
_AT_START = (
    "PYTHON",
    "LD_",
    "DYLD_",
    "MALLOC_",
    "GLIBC_",
    "LC_",
    "LANG",
    "HOME",
    "TMPDIR",
    "VIRTUAL_ENV",
    "CONDA_",
)
#: seconds: a parent that forks for many at a time answers late
_PATIENCE = 30.0
#: seconds for its imports, on a machine that does much else
_WARMS_UP = 60.0


def at_start(environ: Mapping[str, str]) -> dict[str, str]:
    """The part of an environment that must be there when a zygote starts: no secrets of a class are in it."""
    return {name: value for name, value in environ.items() if name.startswith(_AT_START)}


class NoForks(LaunchFailed):
    """An environment that cannot have a warm parent; the message says why."""


class Zygote:
    """The warm parent of one interpreter and environment; a process of this machine."""

    def __init__(self, process: subprocess.Popen[bytes], tether: socket.socket, path: Path) -> None:
        self._process = process
        self._tether = tether
        #: where it is asked for containers
        self.path = path

    @classmethod
    async def start(cls, executable: str, environ: Mapping[str, str], path: Path, log: Path) -> Self:
        """Returns once it listens. Raises NoForks where it never will, LaunchFailed where it did not come up."""
        command = [executable, "-P", "-m", "modal_nb.container", "--zygote", str(path)]
        try:
            zygote = cls(*_start(command, environ, log), path)
        except OSError as error:
            raise LaunchFailed(f"no warm parent: {error.strerror}") from error
        try:
            await zygote._greet()
        except BaseException:
            zygote.close()
            raise
        return zygote

    async def _greet(self) -> None:
        """Its first words: it listens, or why it cannot."""
        try:
            said = await asyncio.wait_for(asyncio.get_running_loop().sock_recv(self._tether, 4096), _WARMS_UP)
        except (TimeoutError, OSError):
            raise LaunchFailed(f"no warm parent: it did not answer in {_WARMS_UP:.0f} seconds") from None
        if not said:
            raise LaunchFailed("no warm parent: it ended as it started")
        if said != READY:
            raise NoForks(f"no warm parent: {said.decode(errors='replace')}")

    def watch(self, ended: Callable[[], None]) -> None:
        """Call this once it has ended by itself."""
        loop = asyncio.get_running_loop()

        def readable() -> None:
            loop.remove_reader(self._tether)
            self.close()
            ended()

        loop.add_reader(self._tether, readable)

    def close(self) -> None:
        """End it. Its containers live on."""
        if self._tether.fileno() >= 0:
            asyncio.get_running_loop().remove_reader(self._tether)
        self._tether.close()
        self._process.kill()
        self._process.wait()
        self.path.unlink(missing_ok=True)


def _start(
    command: list[str], environ: Mapping[str, str], log: Path
) -> tuple[subprocess.Popen[bytes], socket.socket]:
    """The process, and what it is tied to."""
    ours, theirs = socket.socketpair()
    ours.setblocking(False)
    try:
        with theirs, log.open("ab") as output:
            process = subprocess.Popen(
                command,
                stdin=theirs.fileno(),
                stdout=output,
                stderr=output,
                cwd="/",
                env=dict(environ),
                start_new_session=True,
            )
    except OSError:
        ours.close()
        raise
    return process, ours


class Forked:
    """A forked container as its provisioner holds it: what ``subprocess.Popen`` offers, for a process that is no child.

    It is the container's guard: once that has ended, nothing of the container is left.
    """

    stdin = stdout = stderr = None

    def __init__(self, descriptor: int) -> None:
        """``descriptor``: a pidfd, owned."""
        self._descriptor = descriptor
        self.pid = _pid_of(descriptor)
        self.returncode: int | None = None

    def fileno(self) -> int:
        """Readable once it has ended."""
        return self._descriptor

    def poll(self) -> int | None:
        """0 once it has ended: how, its lease tells."""
        if self.returncode is None and select.select([self._descriptor], [], [], 0)[0]:
            self.returncode = 0
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        """As Popen's; blocks."""
        if self.returncode is None and not select.select([self._descriptor], [], [], timeout)[0]:
            raise subprocess.TimeoutExpired("container", timeout or 0)
        self.returncode = 0
        os.close(self._descriptor)
        self._descriptor = -1
        return 0

    def send_signal(self, number: int) -> None:
        if self.poll() is None:
            signal.pidfd_send_signal(self._descriptor, number)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)

    def terminate(self) -> None:
        self.send_signal(signal.SIGTERM)


async def fork(parent: Path, request: ForkRequest) -> Forked:
    """Ask the warm parent that listens at this path for a container. Raises LaunchFailed when it gives none."""
    loop = asyncio.get_running_loop()
    with socket.socket(socket.AF_UNIX) as sock:
        sock.setblocking(False)
        try:
            async with asyncio.timeout(_PATIENCE):
                await loop.sock_connect(sock, str(parent))
                await loop.sock_sendall(sock, encode_request(request))
                descriptor = await _given(sock)
        except (OSError, TimeoutError) as error:
            raise LaunchFailed(f"the warm parent gave no container: {error!r}") from error
    if descriptor is None:
        raise LaunchFailed(
            "the warm parent gave no container: it is out of processes or memory, or has ended"
        )
    return Forked(descriptor)


async def _given(sock: socket.socket) -> int | None:
    loop = asyncio.get_running_loop()
    readable = asyncio.Event()
    loop.add_reader(sock, readable.set)
    try:
        await readable.wait()
    finally:
        loop.remove_reader(sock)
    _, descriptors, _, _ = socket.recv_fds(sock, 1, 1)
    return descriptors[0] if descriptors else None


def _pid_of(descriptor: int) -> int:
    """As it is seen from here, whatever namespace it is in."""
    with suppress(OSError, ValueError):
        for line in Path(f"/proc/self/fdinfo/{descriptor}").read_text(encoding="ascii").splitlines():
            name, _, value = line.partition(":")
            if name == "Pid":
                return int(value)
    return 0
