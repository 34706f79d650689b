"""One call that makes a container, so that nobody else has to know Jupyter's kernel managers."""

from __future__ import annotations

import asyncio
import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import Any

from jupyter_client.kernelspec import KernelSpec, KernelSpecManager, NoSuchKernel
from jupyter_client.manager import AsyncKernelManager
from jupyter_client.provisioning.factory import KernelProvisionerFactory

from modal_nb.provisioners.base import ContainerProvisioner, LaunchFailed
from modal_nb.spec.lifecycle import ExitCause

LOCAL = "modal-nb-local"

#: seconds
_PAUSE = 0.05

#: where modal_nb is on the import path without being installed (a .pth file, PYTHONPATH), no kernelspec and no entry
#: point is found: these say the same as ``kernels/local/kernel.json`` and ``pyproject.toml``
_OWN_SPEC: dict[str, Any] = {
    "argv": ["python", "-P", "-m", "modal_nb.container", "-f", "{connection_file}"],
    "display_name": "modal_nb container (local)",
    "language": "python",
    "interrupt_mode": "signal",
    "metadata": {"debugger": True, "kernel_provisioner": {"provisioner_name": LOCAL, "config": {}}},
}
_OWN_ENTRY = EntryPoint(
    LOCAL, "modal_nb.provisioners.local:LocalContainerProvisioner", "jupyter_client.kernel_provisioners"
)


@dataclass(frozen=True, slots=True)
class LaunchRequest:
    """Everything that a container needs to come to be."""

    #: private to this container, made here (0700) and removed by ``forget``; a short path, sockets lie in it
    folder: Path
    #: content of the launch file (protocol/launch_file), opaque here: it never stands in a command line
    launch: bytes = field(repr=False)
    #: the caller's interpreter, working directory and environment
    executable: str
    cwd: str
    environ: Mapping[str, str] = field(repr=False)
    #: everything that the container's processes write to stdout and stderr is appended here (0600)
    log: Path
    #: cores asked for; numerical libraries get as many threads
    cpu: float | None = None
    #: where a warm parent listens that is to fork it; None: a process is started for it
    parent: Path | None = None
    #: the kernelspec, which names the back end
    kernel_name: str = LOCAL


class LaunchedContainer:
    """A container's outermost process. Kept by the supervisor until ``wait`` has returned and ``forget`` was
    called.
    """

    def __init__(self, manager: AsyncKernelManager, provisioner: ContainerProvisioner, folder: Path) -> None:
        self._manager = manager
        self._provisioner = provisioner
        self._folder = folder
        self._end: asyncio.Future[int] | None = None

    @property
    def pid(self) -> int:
        """The process that the back end started; the guard and the kernel are below it."""
        return int(getattr(self._provisioner, "pid", 0) or 0)

    @property
    def connection_file(self) -> Path:
        """What ``jupyter console --existing`` wants."""
        return Path(self._manager.connection_file)

    async def wait(self) -> int:
        """Its exit code, once nothing of the container is left. May be awaited by many and again."""
        if self._end is None:
            self._end = asyncio.ensure_future(self._wait())
        return await asyncio.shield(self._end)

    async def poll(self) -> int | None:
        """None while it runs."""
        return self._end.result() if self._end and self._end.done() else await self._provisioner.poll()

    async def kill(self) -> None:
        """End the whole process tree now; returns before it is gone (``wait`` tells)."""
        await self._provisioner.kill()

    async def interrupt(self) -> None:
        """Send SIGINT to the kernel's process."""
        await self._manager.interrupt_kernel()

    def exit_cause(self) -> ExitCause:
        """What the back end knows of the end, for a container whose guard said nothing."""
        return self._provisioner.exit_cause()

    def forget(self) -> None:
        """Remove its folder: the connection file, its sockets, a launch file that nobody read."""
        shutil.rmtree(self._folder, ignore_errors=True)

    async def _wait(self) -> int:
        return await self._provisioner.wait() or 0


async def launch(request: LaunchRequest) -> LaunchedContainer:
    """Start a container; returns when its process exists, long before it is ready. Raises LaunchFailed."""
    _make_folder(request.folder)
    manager = _managers.take()
    manager.kernel_name = request.kernel_name
    # set first: without it Jupyter's sockets would lie in the current folder
    manager.connection_file = str(request.folder / "k.json")
    try:
        await manager.begin(
            executable=request.executable,
            **_way(request),
            env=dict(request.environ),
            cwd=request.cwd,
            log=str(request.log),
            cpu=request.cpu,
        )
    except BaseException:
        shutil.rmtree(request.folder, ignore_errors=True)
        raise
    assert isinstance(manager.provisioner, ContainerProvisioner)
    return LaunchedContainer(manager, manager.provisioner, request.folder)


def _way(request: LaunchRequest) -> dict[str, Any]:
    """By a fork, or with a file that only its process reads."""
    if request.parent is not None:
        return {"parent": str(request.parent), "launch": request.launch}
    launch_file = request.folder / "launch.json"
    _write_private(launch_file, request.launch)
    return {"launch_file": str(launch_file)}


def prepare(kernel_name: str = LOCAL) -> type[ContainerProvisioner]:
    """Find the kernelspec and its provisioner; the class tells what it honours. May block for some 100 ms.

    Called once when the supervisor starts, so that no launch pays for it. Raises LaunchFailed when the
    package is not installed whole.
    """
    try:
        spec = _specs().get_kernel_spec(kernel_name)
        name = spec.metadata["kernel_provisioner"]["provisioner_name"]
        provisioners = KernelProvisionerFactory.instance().provisioners
        if kernel_name == LOCAL:
            provisioners.setdefault(name, _OWN_ENTRY)
        found: type[ContainerProvisioner] = provisioners[name].load()
    except (NoSuchKernel, KeyError) as error:
        raise LaunchFailed(
            f"the kernelspec {kernel_name!r} or its provisioner is missing: install modal_nb again"
        ) from error
    assert issubclass(found, ContainerProvisioner)
    return found


class _Manager(AsyncKernelManager):
    """A kernel manager that does not dial: the channels of a container come up when somebody attaches."""

    async def begin(self, **options: Any) -> None:
        """``start_kernel`` without the 10 ms that it sleeps in the end."""
        command, rest = await self.pre_start_kernel(**options)
        await self._launch_kernel(command, **rest)
        await self.post_start_kernel(**rest)

    def _connect_control_socket(self) -> None:
        """A socket here would cost two threads per container and dial for ever."""


class _Managers:
    """Keeps one ahead: making one takes as long as a tenth of a container's start."""

    def __init__(self) -> None:
        self._ready: _Manager | None = None

    def take(self) -> _Manager:
        """On the running loop, which makes the next one when it has nothing better to do."""
        manager, self._ready = self._ready or self._make(), None
        asyncio.get_running_loop().call_later(_PAUSE, self._renew)
        return manager

    def _renew(self) -> None:
        self._ready = self._ready or self._make()

    def _make(self) -> _Manager:
        manager = _Manager(kernel_spec_manager=_specs(), transport="ipc")
        manager.session  # noqa: B018 - made when it is first asked for
        return manager


_managers = _Managers()


class _Specs(KernelSpecManager):
    """Kernelspecs are read once: they do not change under a running supervisor."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._read: dict[str, KernelSpec] = {}

    def get_kernel_spec(self, kernel_name: str) -> KernelSpec:
        if kernel_name not in self._read:
            self._read[kernel_name] = self._find(kernel_name)
        return self._read[kernel_name]

    def _find(self, kernel_name: str) -> KernelSpec:
        try:
            return super().get_kernel_spec(kernel_name)
        except NoSuchKernel:
            if kernel_name != LOCAL:
                raise
            return KernelSpec(resource_dir="", **_OWN_SPEC)


@cache
def _specs() -> _Specs:
    return _Specs()


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(mode=0o700)
    except OSError as error:
        raise LaunchFailed(error.errno, f"no folder for a container at {folder}: {error.strerror}") from error


def _write_private(path: Path, data: bytes) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(data)
