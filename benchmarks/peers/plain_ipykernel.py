"""A plain ipykernel, asked by `execute_request` over its own shell channel."""

from __future__ import annotations

import itertools
from collections.abc import Callable

from jupyter_client import BlockingKernelClient, KernelManager

from benchmarks.peers.peer import CONTAINERS, BasePeer, Burst, in_slices

SOURCE = """
class Service:
    def noop(self, x=None):
        return x
service = Service()
"""
#: a shell channel drops what goes past ZeroMQ's high-water mark of 1,000 messages
WINDOW = 500


class Peer(BasePeer):
    def setup(self) -> None:
        self.managers = [KernelManager(transport="ipc") for _ in range(max(CONTAINERS))]
        self.clients: list[BlockingKernelClient] = []
        for manager in self.managers:
            manager.start_kernel()
            client = manager.blocking_client()
            client.start_channels()
            client.wait_for_ready(timeout=60)
            # output is of no interest here: without a reader of iopub the kernel drops it
            client.iopub_channel.stop()
            client.execute(SOURCE, silent=True)
            client.get_shell_msg(timeout=60)
            self.clients.append(client)

    def teardown(self) -> None:
        for client, manager in zip(self.clients, self.managers, strict=True):
            client.stop_channels()
            manager.shutdown_kernel(now=True)

    def sync_calls(self) -> dict[str, Callable[[], object]]:
        def call() -> None:
            self._send(self.clients[0])
            self._receive(self.clients[0])

        return {"plain ipykernel, execute_request": call}

    def bursts(self) -> list[Burst]:
        return [
            Burst(
                "B",
                f"plain ipykernel, {WINDOW} execute_requests in flight",
                n,
                in_slices(self._pipelined(n), WINDOW),
                first=500,
                most=1_000,
            )
            for n in CONTAINERS
        ]

    def _pipelined(self, kernels: int) -> Callable[[int], object]:
        def run(n: int) -> None:
            asked = list(itertools.islice(itertools.cycle(self.clients[:kernels]), n))
            for client in asked:
                self._send(client)
            for client in asked:
                self._receive(client)

        return run

    @staticmethod
    def _send(client: BlockingKernelClient) -> None:
        client.execute("", silent=True, user_expressions={"r": "service.noop()"})

    @staticmethod
    def _receive(client: BlockingKernelClient) -> None:
        content = client.get_shell_msg(timeout=60)["content"]
        assert content["user_expressions"]["r"]["status"] == "ok"
