"""Containers as processes of this machine: the caller's interpreter, held by a guard."""

from __future__ import annotations

import asyncio
import errno
import math
import os
import subprocess
from pathlib import Path
from typing import Any, ClassVar

import psutil
from jupyter_client.connect import KernelConnectionInfo
from jupyter_client.provisioning.local_provisioner import LocalProvisioner

from modal_nb.provisioners.base import ContainerProvisioner, LaunchFailed
from modal_nb.provisioners.zygote import Forked, fork
from modal_nb.spec.fork_request import ForkRequest
from modal_nb.spec.lifecycle import CauseKind, ExitCause
from modal_nb.spec.resources import MachineLimit

#: what numerical libraries read to know how many threads to start
_THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
_MIB = 1024 * 1024


class LocalContainerProvisioner(LocalProvisioner, ContainerProvisioner):
    """Launched with a ``launch_file`` it makes a leased container, else (by a Jupyter front end) a plain
    kernel.

    Options of ``start_kernel`` beyond Jupyter's: ``executable``, ``launch_file``, ``log`` (paths) and ``cpu``
    (cores asked for, or None); with ``parent`` (a path) in place of a file the warm parent there forks it, and
    ``launch`` is what stands in the file. Signals go to the launcher process alone, which passes on SIGTERM and SIGINT;
    ``kill`` ends it, and with it everything that the container ever started.
    """

    honours: ClassVar[frozenset[str]] = frozenset(
        {"env", "cpu", "memory", "nonpreemptible", "enable_memory_snapshot"}
    )

    _log: str | None = None
    _parent: str | None = None
    _launch: bytes | None = None
    _returned: int | None = None

    @classmethod
    def machine(cls) -> MachineLimit:
        """All cores that we may run on, the memory that is free now, four containers per core or eight."""
        cores = _cores()
        free = psutil.virtual_memory().available // _MIB
        return MachineLimit(containers=max(8, 4 * cores), cpu=float(cores), memory=free)

    async def pre_launch(self, **kwargs: Any) -> dict[str, Any]:
        """Called by the kernel manager: the command and the environment of a container."""
        executable = kwargs.pop("executable", None)
        launch_file = kwargs.pop("launch_file", None)
        cpu = kwargs.pop("cpu", None)
        self._log = kwargs.pop("log", None)
        self._parent = kwargs.pop("parent", None)
        self._launch = kwargs.pop("launch", None)
        prepared = await super().pre_launch(**kwargs)
        if self._log is not None:
            prepared["cmd"] = [executable, *prepared["cmd"][1:], "--launch", str(launch_file)]
            prepared["env"] = _container_environment(prepared["env"], cpu)
        return prepared

    async def launch_kernel(self, cmd: list[str], **kwargs: Any) -> KernelConnectionInfo:
        """Called by the kernel manager. Raises LaunchFailed when there is no such interpreter or folder."""
        if self._log is None:
            return await super().launch_kernel(cmd, **kwargs)
        self.cwd = kwargs.get("cwd")
        # the launcher passes signals on; sent to the whole group, the guard would see them twice
        self.pgid = None
        try:
            if self._parent is not None:
                self.process = await self._fork(self._parent, kwargs["env"])  # type: ignore[assignment]
            else:
                self.process = _start(cmd, self._log, self.cwd, kwargs["env"])
        except LaunchFailed:
            raise
        except OSError as error:
            raise LaunchFailed(
                error.errno,
                f"cannot start a container with the interpreter {cmd[0]!r} in the folder {self.cwd!r} "
                f"({error.strerror}): restart the notebook's kernel if one of them was removed",
            ) from error
        self.pid = self.process.pid  # type: ignore[union-attr]
        return self.connection_info

    async def _fork(self, parent: str, environ: dict[str, str]) -> Forked:
        assert self._launch is not None
        assert self._log is not None
        if not _is_folder(self.cwd):
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT))
        connection_file = self.parent.connection_file  # type: ignore[union-attr]
        request = ForkRequest(self._launch.decode(), connection_file, environ, str(self.cwd), self._log)
        return await fork(Path(parent), request)

    async def wait(self) -> int | None:
        """The launcher's exit code, at once when it ends; nothing of the container is left by then."""
        # not reaped yet: the number is still its own
        if self.process is not None and self.process.poll() is None:
            await _ended(self.process)
        self._returned = await super().wait()
        return self._returned

    def exit_cause(self) -> ExitCause:
        code = self._returned
        if self._parent is not None:
            return ExitCause(CauseKind.UNKNOWN, detail="ended before it was leased")
        if code is None or code < 0:
            return ExitCause(CauseKind.UNKNOWN, detail="its launcher was killed")
        return ExitCause(
            CauseKind.EXITED, code=code, detail=f"ended with exit code {code} before it was leased"
        )


def _start(cmd: list[str], log: str, cwd: str | None, env: dict[str, str]) -> subprocess.Popen[bytes]:
    # readable, too: the guard drops the older half of a log that is full
    flags = os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
    output = os.open(log, flags, 0o600)
    try:
        return subprocess.Popen(
            cmd,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            cwd=cwd,
            env=env,
            close_fds=True,
            start_new_session=True,
        )
    finally:
        os.close(output)


def _container_environment(env: dict[str, str], cpu: float | None) -> dict[str, str]:
    """Without Jupyter's variables; with as many threads as cores were asked for, unless the user set them."""
    kept = {name: value for name, value in env.items() if not name.startswith("JPY_")}
    threads = {} if cpu is None else dict.fromkeys(_THREADS, str(max(1, math.ceil(cpu))))
    return threads | kept


def _is_folder(path: str | None) -> bool:
    return path is not None and Path(path).is_dir()


def _cores() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


async def _ended(process: subprocess.Popen[bytes] | Forked) -> None:
    """Returns when it has ended. Where there are no pidfds (macOS) at once: the caller polls."""
    if not hasattr(os, "pidfd_open"):
        return
    loop = asyncio.get_running_loop()
    ended = asyncio.Event()
    descriptor = os.dup(process.fileno()) if isinstance(process, Forked) else os.pidfd_open(process.pid)
    loop.add_reader(descriptor, ended.set)
    try:
        await ended.wait()
    finally:
        loop.remove_reader(descriptor)
        os.close(descriptor)
