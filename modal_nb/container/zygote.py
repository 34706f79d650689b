"""The warm parent of one environment: our own packages are imported, nothing of the user's is.

One thread, no ZeroMQ, no loop. Its standard input is tied to the supervisor: when that ends, it ends.
"""

from __future__ import annotations

import asyncio
import importlib
import os
import random
import socket
import time
from pathlib import Path

from modal_nb.container import launcher
from modal_nb.container.linux import adopt_orphans, can_hold_processes
from modal_nb.container.main import Container, settled
from modal_nb.container.parent import Parent
from modal_nb.container.rehearsal import Rehearsal
from modal_nb.protocol.launch_file import decode_launch
from modal_nb.spec.fork_request import READY, ForkRequest

#: exit code of a container whose folder is gone
_NO_FOLDER = 72


def main(path: Path) -> int:
    """Called by the launcher; returns in containers only, with their exit code."""
    tether = _tether()
    if not can_hold_processes():
        tether.sendall(b"this machine gives no process-id namespaces")
        return 0
    adopt_orphans()
    container = _settled()
    container.rehearse = Rehearsal()
    container.run(asyncio.sleep(0))
    parent = Parent(path, tether, container.warm)
    tether.sendall(READY)
    return _begin(parent.serve(), container)


def _settled() -> Container:
    """Its streams are made on a pipe, which is what they will lead to: on a file they would be others."""
    kept = [os.dup(number) for number in (1, 2)]
    ends = os.pipe()
    for number in (1, 2):
        os.dup2(ends[1], number)
    container = settled()
    for number, former in zip((1, 2), kept, strict=True):
        os.dup2(former, number)
    for descriptor in (*kept, *ends):
        os.close(descriptor)
    return container


def _tether() -> socket.socket:
    """What came as standard input. Containers find nothing there."""
    tether = socket.socket(fileno=os.dup(0))
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    return tether


def _begin(request: ForkRequest, container: Container) -> int:
    """Become the container that was asked for, as a process that was started for it would."""
    take_environment(request.environ)
    try:
        os.chdir(request.cwd)
    except OSError as error:
        os.write(2, f"no such folder: {request.cwd!r} ({error.strerror})\n".encode())
        return _NO_FOLDER
    random.seed()
    importlib.invalidate_caches()
    return launcher.serve(decode_launch(request.launch), request.connection_file, container)


def take_environment(environ: dict[str, str]) -> None:
    """The process's own, in place of the parent's."""
    os.environ.clear()
    os.environ.update(environ)
    time.tzset()
