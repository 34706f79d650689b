"""A chaos run: two clients, and somebody who kills containers in the middle of inputs, and supervisors."""

from __future__ import annotations

import random
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import psutil

from modal_nb.client import launcher
from modal_nb.protocol.stream import ConnectionEnded
from tests.chaos.history import History, Outcome, Run
from tests.e2e.home import Home, dead, kernel_of, until

#: an input that was hit this often is spared: at the fourth death it would rightly fail as poison
SPARED = 2
#: inputs of each client that may be on their way beyond what the kills have earned
AHEAD = 60


@dataclass(frozen=True, slots=True)
class Size:
    inputs: int
    kills: int
    supervisor_kills: int


CI = Size(inputs=2_000, kills=40, supervisor_kills=5)
DEEP = Size(inputs=10_000, kills=200, supervisor_kills=20)


class Storm:
    """One run in a folder of its own; ``rage`` returns what was written down."""

    def __init__(self, home: Home, folder: Path, size: Size, seed: int, client: str = "client") -> None:
        """``client``: the module of this package that a client process runs."""
        self.home = home
        self.client = client
        self.folder = folder
        self.size = size
        self.random = random.Random(seed)
        self.deaths: dict[str, int] = {}
        #: epoch of a supervisor -> when it was killed
        self.ends: dict[str, int] = {}
        self.hits: Counter[str] = Counter()
        self._allowed = 0
        for name in ("clients", "containers"):
            (folder / name).mkdir()

    @property
    def kills(self) -> int:
        return len(self.deaths)

    def rage(self, say: Callable[[str], None] = lambda _: None) -> History:
        self._allow()
        clients = [self._client(name) for name in "AB"]
        try:
            until(self._running, 60)
            turns = ["container"] * self.size.kills
            for number in range(self.size.supervisor_kills):
                turns.insert(
                    self.size.kills * (number + 1) // (self.size.supervisor_kills + 1) + number, "supervisor"
                )
            for turn in turns:
                self._await_its_time()
                self._kill_container() if turn == "container" else self._kill_supervisor()
                self._allow()
                say(
                    f"{self._answered()} answers, {self.kills} containers and {len(self.ends)} supervisors killed"
                )
            self._write_allowed(self.size.inputs)
            say("all kills done; waiting for the clients")
            for client in clients:
                _, errors = client.communicate(timeout=600)
                assert client.returncode == 0, errors
        finally:
            for client in clients:
                client.kill()
                client.communicate()
        return self._history()

    # -- pace -----------------------------------------------------------------------------------------------------

    @property
    def _share(self) -> float:
        """How much of all killing is done."""
        return (self.kills + len(self.ends)) / (self.size.kills + self.size.supervisor_kills + 1)

    def _allow(self) -> None:
        """Inputs are given away as kills are done, so that the kills spread over all of them."""
        self._write_allowed(int(self._share * self.size.inputs / 2) + AHEAD)

    def _await_its_time(self) -> None:
        """And no kill comes before its part of the inputs has its outcome."""
        due = int(self._share * self.size.inputs) - AHEAD
        until(lambda: self._answered() >= due, 120)

    def _answered(self) -> int:
        return sum(path.read_text().count("ok ") for path in (self.folder / "clients").iterdir())

    def _write_allowed(self, count: int) -> None:
        """So many inputs of each client may be given away."""
        self._allowed = count
        scratch = self.folder / "allowed.new"
        scratch.write_text(str(count))
        scratch.replace(self.folder / "allowed")

    def _client(self, name: str) -> subprocess.Popen[str]:
        command = [sys.executable, "-m", f"tests.chaos.{self.client}", str(self.folder), name]
        return subprocess.Popen(
            [*command, str(self.size.inputs // 2)],
            cwd=Path(__file__).parents[2],
            stdin=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )

    # -- kills ----------------------------------------------------------------------------------------------------

    def _running(self) -> bool:
        return launcher.find(self.home.places) is not None and bool(self._kernels())

    def _kernels(self) -> dict[str, psutil.Process]:
        """Container -> the process of its kernel, which is the guard's first child."""
        found = {}
        try:
            containers = self.home.containers("Noted")
        except (AssertionError, OSError, ConnectionEnded):
            return {}  # no supervisor at this moment
        for container in containers:
            if (kernel := kernel_of(container)) is not None:
                found[container.id] = kernel
        return found

    def _hit(self, container: str) -> str | None:
        """The input that it has begun and not ended."""
        path = self.folder / "containers" / container
        last = path.read_text().splitlines()[-1:] if path.exists() else []
        return last[0].split()[1] if last and last[0].startswith("begin") else None

    def _kill_container(self) -> None:
        """kill -9 until one died in the middle of an input; one that died between two does not count."""
        deadline = time.monotonic() + 60
        while not self._kill_one():
            assert time.monotonic() < deadline, "no container runs an input"
            if self._answered() >= 2 * self._allowed:
                # inputs were quicker than kills: all that was given away is through, and nothing would run any more
                self._write_allowed(self._allowed + AHEAD)

    def _kill_one(self) -> bool:
        kernels = list(self._kernels().items())
        self.random.shuffle(kernels)
        for container, kernel in kernels:
            name = self._hit(container)
            if name is None or container in self.deaths or self.hits[name] >= SPARED:
                continue
            at = time.monotonic_ns()
            kill(kernel)
            hit = self._hit(container)
            if hit is not None:
                self.hits[hit] += 1
                self.deaths[container] = at
                return True
        time.sleep(0.005)
        return False

    def _kill_supervisor(self) -> None:
        """kill -9; its containers end with it. Returns when another one serves."""
        until(self._running, 60)
        epoch = next(iter(self._kernels())).rpartition("-")[2]
        supervisor = self.home.supervisor()
        self.ends[epoch] = time.monotonic_ns()
        kill(supervisor)
        until(self._running, 60)

    # -- what was written down --------------------------------------------------------------------------------------

    def _history(self) -> History:
        history = History(deaths=dict(self.deaths))
        for path in (self.folder / "clients").iterdir():
            for line in path.read_text().splitlines():
                self._client_line(history, line.split())
        for path in (self.folder / "containers").iterdir():
            epoch = path.name.rpartition("-")[2]
            if epoch in self.ends:
                history.deaths.setdefault(path.name, self.ends[epoch])
            history.runs += _runs(path)
        return history

    def _client_line(self, history: History, words: list[str]) -> None:
        match words:
            case ["invoke", name, at]:
                history.invoked[name] = int(at)
            case ["ok", name, value, at]:
                history.outcomes.append(Outcome(name, int(at), int(value)))
            case ["fail", name, error, at]:
                history.outcomes.append(Outcome(name, int(at), error=error))
            case _:
                raise AssertionError(words)


def kill(process: psutil.Process) -> None:
    """kill -9; returns when it is dead."""
    with suppress(psutil.NoSuchProcess):
        process.kill()
    until(lambda: dead(process))


def _runs(path: Path) -> list[Run]:
    runs: list[Run] = []
    for line in path.read_text().splitlines():
        word, name, at = line.split()
        if word == "begin":
            runs.append(Run(name, path.name, int(at)))
        else:
            assert runs[-1].name == name, "a container runs one input at a time"
            runs[-1].end = int(at)
    return runs
