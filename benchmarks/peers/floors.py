"""What the machine and Python's own means allow: no scheduling, no signatures, no failure handling."""

from __future__ import annotations

import contextlib
import multiprocessing as mp
import pickle
import subprocess
import sys
import tempfile
from collections.abc import Callable
from multiprocessing.connection import Connection
from multiprocessing.managers import BaseManager

import numpy as np
import zmq

from benchmarks.light import HEAVY
from benchmarks.peers.peer import CONTAINERS, BasePeer, Burst, Payload, Start
from benchmarks.work import Service

SPAWN = mp.get_context("spawn")
#: calls on their way: so few that neither end of a pipe can fill up while both write
WINDOW = 64
#: the second import is what a warm parent of light containers holds
LIGHT = ("numpy", "ipykernel.kernelapp")


class Manager(BaseManager):
    pass


Manager.register("Service", Service)


def noop(x: object = None) -> object:
    return x


def answer_pipe(pipe: Connection) -> None:
    service = Service()
    with contextlib.suppress(EOFError):
        while True:
            name, value = pipe.recv()
            pipe.send(getattr(service, name)(value))


def pack(name: bytes, value: object) -> list[object]:
    """A name and a pickle; arrays stay outside of it."""
    buffers: list[pickle.PickleBuffer] = []
    body = pickle.dumps(value, protocol=5, buffer_callback=buffers.append)
    return [name, body, *(buffer.raw() for buffer in buffers)]


def unpack(frames: list[zmq.Frame]) -> tuple[bytes, object]:
    name, body, *buffers = (frame.buffer for frame in frames)
    return bytes(name), pickle.loads(body, buffers=buffers)


def answer_zmq(address: str) -> None:
    service = Service()
    socket = zmq.Context().socket(zmq.DEALER)
    socket.connect(address)
    socket.send_multipart(pack(b"", None))
    while True:
        name, value = unpack(socket.recv_multipart(copy=False))
        result = getattr(service, name.decode())(value)
        frames = pack(name, result)
        socket.send_multipart(frames, copy=len(frames) == 2)


class WarmProcess:
    """A process that has imported modules, and forks when it is told to (`benchmarks.peers.warm_process`)."""

    def __init__(self, modules: tuple[str, ...]) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.peers.warm_process", *modules],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            bufsize=0,
        )
        self.fork()

    def fork(self) -> None:
        """Returns when the child has said its first byte."""
        assert self.process.stdin
        assert self.process.stdout
        self.process.stdin.write(b"f")
        assert self.process.stdout.read(1) == b"c"


class Peer(BasePeer):
    def setup(self) -> None:
        self.pipes = [self._piped() for _ in CONTAINERS]
        self.manager = Manager(ctx=SPAWN)
        self.manager.start()
        self.proxy = self.manager.Service()
        self.pools = {n: SPAWN.Pool(n) for n in CONTAINERS}
        self.socket = zmq.Context().socket(zmq.ROUTER)
        # a short folder: the path of a Unix socket holds 107 bytes
        address = f"ipc://{tempfile.mkdtemp()}/z"
        self.socket.bind(address)
        SPAWN.Process(target=answer_zmq, args=(address,), daemon=True).start()
        self.identity = self.socket.recv_multipart()[0]
        self.targets: dict[int, np.ndarray] = {}

    def teardown(self) -> None:
        """All of them end with this process, or are swept."""

    @staticmethod
    def _piped() -> Connection:
        mine, theirs = SPAWN.Pipe()
        SPAWN.Process(target=answer_pipe, args=(theirs,), daemon=True).start()
        return mine

    def _pipe(self, name: str, value: object = None) -> object:
        self.pipes[0].send((name, value))
        return self.pipes[0].recv()

    def _zmq_send(self, name: bytes, value: object = None) -> None:
        frames = pack(name, value)
        self.socket.send_multipart([self.identity, *frames], copy=len(frames) == 2)

    def _zmq_receive(self) -> object:
        return unpack(self.socket.recv_multipart(copy=False)[1:])[1]

    def _zmq(self, name: bytes, value: object = None) -> object:
        self._zmq_send(name, value)
        return self._zmq_receive()

    def sync_calls(self) -> dict[str, Callable[[], object]]:
        return {
            "floor: multiprocessing Pipe": lambda: self._pipe("noop"),
            "floor: multiprocessing Manager": self.proxy.noop,
            "floor: raw ZeroMQ over ipc": lambda: self._zmq(b"noop"),
        }

    def bursts(self) -> list[Burst]:
        found = [Burst("B", "floor: raw ZeroMQ over ipc", 1, self._zmq_burst, first=20_000)]
        for n, pool in self.pools.items():
            found += [
                Burst("B", "floor: multiprocessing Pipe", n, self._pipe_burst(n), first=20_000),
                Burst("C", "floor: multiprocessing Pool, chunks of 1", n, self._pool(pool, 1), first=20_000),
                Burst("C", "floor: multiprocessing Pool", n, self._pool(pool, None), first=100_000),
            ]
        return found

    @staticmethod
    def _pool(pool: mp.pool.Pool, chunk: int | None) -> Callable[[int], object]:
        return lambda n: pool.map(noop, range(n), chunksize=chunk)

    def _zmq_burst(self, n: int) -> None:
        for number in range(n):
            self._zmq_send(b"noop", number)
            if number >= WINDOW:
                self._zmq_receive()
        for _ in range(min(n, WINDOW)):
            self._zmq_receive()

    def _pipe_burst(self, containers: int) -> Callable[[int], None]:
        def burst(n: int) -> None:
            window = WINDOW * containers
            for number in range(n):
                self.pipes[number % containers].send(("noop", number))
                if number >= window:
                    self.pipes[(number - window) % containers].recv()
            for number in range(max(0, n - window), n):
                self.pipes[number % containers].recv()

        return burst

    def payloads(self) -> list[Payload]:
        return [
            Payload(
                "floor: multiprocessing Pipe",
                lambda array: self._pipe("take", array),
                lambda size: self._pipe("give", size),
            ),
            Payload(
                "floor: raw ZeroMQ over ipc",
                lambda array: self._zmq(b"take", array),
                lambda size: self._zmq(b"give", size),
            ),
            Payload("floor: memcpy into warm memory", self._copy),
            Payload("floor: memcpy into new memory", lambda array: array.copy()),
        ]

    def _copy(self, array: np.ndarray) -> None:
        if array.nbytes not in self.targets:
            self.targets[array.nbytes] = np.zeros_like(array)
        np.copyto(self.targets[array.nbytes], array)

    def starts(self) -> list[Start]:
        light, heavy = WarmProcess(LIGHT), WarmProcess(HEAVY)
        return [
            Start("G", "floor: fork of a process with numpy and ipykernel, to its first byte", light.fork),
            Start("G", "floor: python -c pass", self._python("pass")),
            Start(
                "G",
                "floor: python -c 'import ipykernel.kernelapp'",
                self._python("import ipykernel.kernelapp"),
            ),
            Start("G", "multiprocessing, a new spawned process", self._spawned),
            Start("H", "floor: fork of a process that has imported it, to its first byte", heavy.fork),
            Start("H", "python -c 'import ...'", self._python(f"import {', '.join(HEAVY)}")),
        ]

    @staticmethod
    def _python(code: str) -> Callable[[], None]:
        def run() -> None:
            subprocess.run([sys.executable, "-c", code], check=True)

        return run

    @staticmethod
    def _spawned() -> Callable[[], object]:
        mine, theirs = SPAWN.Pipe()
        process = SPAWN.Process(target=answer_pipe, args=(theirs,), daemon=True)
        process.start()
        mine.send(("noop", None))
        mine.recv()
        return process.kill
