"""Starting containers without a supervisor, and looking at what lives of them."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
from jupyter_client.connect import write_connection_file

from modal_nb.protocol.launch_file import LaunchFile, encode_launch
from modal_nb.protocol.lease import LeaseExit, LeaseHello, LeaseLine, read_lease_line

ROOT = str(Path(__file__).parents[2])
MARK = "MODAL_NB_TEST_MARK"


def until(condition: Callable[[], object], seconds: float = 20.0) -> None:
    """Look again and again until it holds."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"not within {seconds} s"
        time.sleep(0.01)


def living(mark: str) -> list[psutil.Process]:
    """Every process of this machine that inherited the mark, whatever session or namespace it is in."""
    found = []
    for process in psutil.process_iter():
        try:
            if process.environ().get(MARK) == mark and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process)
        except (psutil.Error, OSError):
            continue
    return found


class Supervised:
    """A container whose lease the test holds."""

    def __init__(self, folder: Path, asked: str, *, entry: str = "endings", namespace: bool = True) -> None:
        self.mark = uuid.uuid4().hex
        self.log = folder / "log"
        self.connection_file = folder / "k.json"
        self.launch_file = folder / "launch.json"
        write_connection_file(
            str(self.connection_file), transport="ipc", ip=str(folder / "k-ipc"), key=self.mark.encode()
        )
        self.server = socket.socket(socket.AF_UNIX)
        self.server.bind(str(folder / "s"))
        self.server.listen()
        self.server.settimeout(20)
        self.token = uuid.uuid4().hex
        launch = LaunchFile(
            socket=str(folder / "s"),
            container=7,
            token=self.token,
            key=self.token,
            cwd=str(folder),
            sys_path=[ROOT],
            entry=f"tests.container.standins:{entry}",
            namespace=namespace,
        )
        self.launch_file.write_bytes(encode_launch(launch))
        self.environ = {**os.environ, MARK: self.mark, "STANDIN": asked, "PYTHONPATH": ROOT}
        self.lease: socket.socket | None = None
        self.process: subprocess.Popen[bytes] | None = None
        self._rest = b""

    @property
    def command(self) -> list[str]:
        files = ["-f", str(self.connection_file), "--launch", str(self.launch_file)]
        return [sys.executable, "-P", "-m", "modal_nb.container", *files]

    def start(self, **options: Any) -> None:
        """Start the launcher, take the lease and read its hello."""
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                self.command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=self.environ,
                start_new_session=True,
                **options,
            )
        self.lease, _ = self.server.accept()
        self.lease.settimeout(20)
        hello = self.read()
        assert isinstance(hello, LeaseHello)
        self.hello = hello

    def read(self) -> LeaseLine | None:
        """The next line of the guard; None when the lease has ended."""
        assert self.lease is not None
        while b"\n" not in self._rest:
            try:
                data = self.lease.recv(4096)
            except ConnectionResetError:
                data = b""
            if not data:
                return None
            self._rest += data
        line, self._rest = self._rest.split(b"\n", 1)
        return read_lease_line(line)

    def read_exit(self) -> LeaseExit | None:
        said = self.read()
        assert said is None or isinstance(said, LeaseExit)
        return said

    def await_said(self, text: str) -> str:
        """Wait until the container has printed a line that begins with it."""
        until(lambda: any(line.startswith(text) for line in self._lines()))
        return next(line for line in self._lines() if line.startswith(text))

    @property
    def launcher(self) -> psutil.Process:
        assert self.process is not None
        return psutil.Process(self.process.pid)

    @property
    def guard(self) -> psutil.Process:
        return self.launcher.children()[0]

    @property
    def kernel(self) -> psutil.Process:
        """The first child of the guard; orphans that it adopted come later."""
        return min(self.guard.children(), key=lambda process: process.create_time())

    def await_nothing_lives(self) -> None:
        until(lambda: not living(self.mark), seconds=5)

    def close(self) -> None:
        for process in living(self.mark):
            with_signal(process, signal.SIGKILL)
        if self.process is not None:
            self.process.wait()
        if self.lease is not None:
            self.lease.close()
        self.server.close()

    def _lines(self) -> list[str]:
        return self.log.read_text().splitlines()


def with_signal(process: psutil.Process, number: signal.Signals) -> None:
    try:
        process.send_signal(number)
    except psutil.NoSuchProcess:
        return


#: run in a process of its own: it starts the launcher given as JSON, takes its lease and keeps it
HOLDER = """
import json, socket, subprocess, sys
asked = json.loads(sys.stdin.readline())
server = socket.socket(socket.AF_UNIX)
server.bind(asked["socket"])
server.listen()
environ = asked["environ"]
subprocess.Popen(asked["command"], env=environ, start_new_session=True, stdin=subprocess.DEVNULL)
lease, _ = server.accept()
lease.recv(4096)
lease.recv(4096)
"""


def start_holder(supervised: Supervised, place: Path) -> subprocess.Popen[bytes]:
    """A process that supervises in the test's place, so that it can be killed."""
    launch = json.loads(supervised.launch_file.read_bytes())
    supervised.launch_file.write_text(json.dumps({**launch, "socket": str(place)}))
    asked = {"socket": str(place), "command": supervised.command, "environ": supervised.environ}
    with supervised.log.open("ab") as log:
        holder = subprocess.Popen(
            [sys.executable, "-c", HOLDER], stdin=subprocess.PIPE, stdout=log, stderr=log
        )
    assert holder.stdin is not None
    with holder.stdin as pipe:
        pipe.write(json.dumps(asked).encode() + b"\n")
    return holder
