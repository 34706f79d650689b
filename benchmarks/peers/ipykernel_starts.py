"""Plain kernels: how they start, one and many of them, as every Jupyter front end starts them."""

from __future__ import annotations

from collections.abc import Callable

from jupyter_client import BlockingKernelClient, KernelManager

from benchmarks.light import HEAVY
from benchmarks.peers.peer import CROWD, BasePeer, Crowd, Start

LIGHT = """
class Light:
    def noop(self, x=None):
        return x
light = Light()
"""
#: seconds until we give up on an answer
PATIENCE = 120


class Kernel:
    """One that was started and has answered."""

    def __init__(self, source: str = LIGHT) -> None:
        """Starts; `wait` waits until `source` has run."""
        self.source = source
        self.manager = KernelManager()
        self.manager.start_kernel()
        self.client: BlockingKernelClient = self.manager.blocking_client()
        self.client.start_channels()

    def wait(self) -> None:
        self.client.wait_for_ready(timeout=PATIENCE)
        self.receive(self.client.execute(self.source))

    def send(self) -> str:
        return self.client.execute("", silent=True, user_expressions={"r": "light.noop()"})

    def receive(self, asked: str) -> None:
        while True:
            reply = self.client.get_shell_msg(timeout=PATIENCE)
            if reply["parent_header"].get("msg_id") == asked:
                return

    def end(self) -> None:
        self.client.stop_channels()
        self.manager.shutdown_kernel(now=True)


class Peer(BasePeer):
    def setup(self) -> None:
        self.crowd: list[Kernel] = []

    def teardown(self) -> None:
        for kernel in self.crowd:
            kernel.end()

    def starts(self) -> list[Start]:
        heavy = f"import {', '.join(HEAVY)}\n{LIGHT}"
        return [
            Start("G", "plain ipykernel", lambda: self._one(LIGHT)),
            Start("H", "plain ipykernel", lambda: self._one(heavy), tries=3),
        ]

    @staticmethod
    def _one(source: str) -> Callable[[], object]:
        kernel = Kernel(source)
        kernel.wait()
        return kernel.end

    def crowds(self) -> list[Crowd]:
        return [Crowd("plain ipykernels", self._start_crowd, self._call_crowd, self._crowd_pids)]

    def _start_crowd(self) -> None:
        self.crowd = [Kernel() for _ in range(CROWD)]
        for kernel in self.crowd:
            kernel.wait()

    def _call_crowd(self) -> None:
        asked = [kernel.send() for kernel in self.crowd]
        for kernel, one in zip(self.crowd, asked, strict=True):
            kernel.receive(one)

    def _crowd_pids(self) -> list[int]:
        return [kernel.manager.provisioner.pid for kernel in self.crowd]
