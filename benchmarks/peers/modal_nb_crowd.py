"""Fifty containers of modal_nb, by its public API alone: one for each value of a class's parameter."""

from __future__ import annotations

import asyncio
import contextlib
import os

# read by the supervisor: 50 on few cores is more than it takes by itself
os.environ["MODAL_NB_MAX_CONTAINERS"] = "64"

from benchmarks import processes
from benchmarks.peers.modal_nb_starts import PATIENCE, run_cells
from benchmarks.peers.peer import CROWD, BasePeer, Crowd


class Peer(BasePeer):
    def setup(self) -> None:
        self.runner = asyncio.Runner()
        cells = run_cells("crowd.py")
        self.running = contextlib.ExitStack()
        self.running.enter_context(cells["app"].run())
        # a supervisor that has been in use; Ray has started processes before its first actor, too
        first = cells["First"]()
        first.noop.remote()
        first.wait_for(containers=0, timeout=PATIENCE)
        self.crowd = [cells["One"](number=number) for number in range(CROWD)]

    def teardown(self) -> None:
        self.runner.close()
        self.running.close()

    def crowds(self) -> list[Crowd]:
        return [Crowd("modal_nb", self._call_all, self._call_all, self._containers, self._supervisor)]

    def _call_all(self) -> None:
        async def gather() -> None:
            await asyncio.gather(*(one.noop.remote.aio() for one in self.crowd))

        self.runner.run(gather())

    @staticmethod
    def _supervisor() -> list[int]:
        return [process.pid for process in processes.others() if "modal_nb.supervisor" in process.cmdline()]

    def _containers(self) -> list[int]:
        """Kernels, guards, launchers, and whatever they are forked from: the home stands in their command lines."""
        (supervisor,) = self._supervisor()
        ours = processes.mentioning(os.environ["MODAL_NB_HOME"])
        found = [process.pid for process in ours if process.pid != supervisor]
        assert len(found) > CROWD, f"{len(found)} processes for {CROWD} containers"
        return found
