"""What ``python -m modal_nb.container`` does before anything else is loaded: become launcher, guard and
kernel.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from modal_nb.container.guard import become_kernel
from modal_nb.protocol.launch_file import LaunchFile, decode_launch


def main(arguments: list[str]) -> int:
    """``-f CONNECTION_FILE [--launch LAUNCH_FILE]``, or ``--zygote SOCKET``, as the provisioner writes it.

    Without a launch file (somebody picked the kernel in a Jupyter front end) this is a plain kernel: its
    channels are up at once, and all arguments are ipykernel's.
    """
    if "--zygote" in arguments:
        ended: int = _load("modal_nb.container.zygote:main")(Path(arguments[-1]))
        return ended
    if "--launch" not in arguments:
        _load("ipykernel.kernelapp:launch_new_instance")(argv=arguments)
        return 0
    connection_file = arguments[arguments.index("-f") + 1]
    launch = _take(Path(arguments[arguments.index("--launch") + 1]))
    become_kernel(launch.socket, launch.container, launch.token, namespace=launch.namespace)
    return serve(launch, connection_file)


def serve(launch: LaunchFile, connection_file: str, *settled: object) -> int:
    """In the kernel's process, whichever way it came to be; returns its exit code. ``settled``: what a warm parent has
    made for it.
    """
    sys.path[:] = [*launch.sys_path, *(place for place in sys.path if place not in launch.sys_path)]
    sys.argv[1:] = []
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(line_buffering=True)  # type: ignore[union-attr]
    code: int = _load(launch.entry)(launch, connection_file, *settled)
    return code


def _take(path: Path) -> LaunchFile:
    """Read the launch file and remove it: it holds a key and a token."""
    data = path.read_bytes()
    path.unlink()
    return decode_launch(data)


def _load(entry: str) -> Callable[..., Any]:
    """Import late: the launcher and the guard must not carry what only the kernel needs."""
    module, _, name = entry.partition(":")
    found: Callable[..., Any] = getattr(importlib.import_module(module), name)
    return found
