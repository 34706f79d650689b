"""Memory snapshots: for each pool that wants one a process that has run the ``enter(snap=True)`` hooks, to be forked.

It is made when the first container is wanted, and goes with its pool. Containers that come meanwhile wait for it.
"""

from __future__ import annotations

import asyncio
import logging
import shutil
from collections.abc import Callable
from dataclasses import dataclass, field

from modal_nb.protocol.forks import socket_in
from modal_nb.protocol.kinds import Kind
from modal_nb.protocol.stream import Packet
from modal_nb.provisioners.base import LaunchFailed
from modal_nb.provisioners.launch import launch
from modal_nb.spec.lifecycle import CauseKind, ExitCause
from modal_nb.supervisor.births import Births, end_of
from modal_nb.supervisor.records import Container, Way
from modal_nb.supervisor.tasks import Tasks
from modal_nb.supervisor.zygotes import Origin, Zygotes

log = logging.getLogger("modal_nb.supervisor")

#: what serves in its process
_ENTRY = "modal_nb.container.template:serve"


class SnapshotFailed(Exception):
    """Its imports or its hooks failed; whoever waits for it has failed to start."""


@dataclass(slots=True, eq=False)
class Snapshot:
    """The one of a pool."""

    #: as which its process is known
    process: Container
    #: why there is none, in words; empty: there is
    state: asyncio.Future[str]
    #: containers that wait for it
    waiting: set[int] = field(default_factory=set)


class Snapshots:
    """Asked by the fleet before each launch."""

    def __init__(
        self,
        births: Births,
        zygotes: Zygotes,
        loop: asyncio.AbstractEventLoop,
        next_number: Callable[[], int],
    ) -> None:
        self._births = births
        self._zygotes = zygotes
        self._loop = loop
        self._next_number = next_number
        #: by the number of the pool
        self._snapshots: dict[int, Snapshot] = {}
        #: pools whose class cannot be forked, and why
        self._plain: dict[int, str] = {}
        #: all processes that have not ended, by number
        self._processes: dict[int, Container] = {}
        self._tasks = Tasks(loop)

    def find(self, number: int) -> Container | None:
        """The process of a snapshot, by the number that it shows."""
        return self._processes.get(number)

    async def origin(self, container: Container) -> Origin:
        """Where this one is to come from. Raises SnapshotFailed; cancelled when the container is no longer wanted."""
        pool = container.pool
        zygote = await self._zygotes.of(pool)
        why = self._plain.get(pool.number, "")
        if pool.spec.snapshot and zygote.parent is not None and not why:
            why = await self._wait(container, zygote)
            if not why and (snapshot := self._snapshots.get(pool.number)) is not None:
                return Origin(Way.SNAPSHOT, socket_in(snapshot.process.connection_file))
        return Origin(zygote.way, zygote.parent, why or zygote.why)

    async def _wait(self, container: Container, zygote: Origin) -> str:
        number = container.pool.number
        snapshot = self._snapshots.get(number)
        if snapshot is None:
            snapshot = Snapshot(self._make(container, zygote), self._loop.create_future())
            self._snapshots[number] = snapshot
        snapshot.waiting.add(container.number)
        try:
            return await asyncio.shield(snapshot.state)
        finally:
            snapshot.waiting.discard(container.number)
            if not snapshot.waiting and not snapshot.state.done():
                self.drop(number)  # nobody wants it any more

    # -- its process --------------------------------------------------------------------------------------------

    def _make(self, wanted: Container, zygote: Origin) -> Container:
        """To whoever looks it is the container that is wanted first: by its name, in its log."""
        process = self._births.record(self._next_number(), wanted.pool, self._loop.time())
        process.id, process.log, process.template = wanted.id, wanted.log, True
        self._processes[process.number] = process
        self._tasks.spawn(self._keep(process, zygote))
        return process

    async def _keep(self, process: Container, zygote: Origin) -> None:
        try:
            process.process = await launch(self._births.request(process, zygote.parent, _ENTRY))
            if process.killed:
                await process.process.kill()
            await end_of(process.process)
        except LaunchFailed as error:
            process.cause = ExitCause(CauseKind.START_FAILED, detail=str(error))
        process.gone = True
        for connection in (process.call, process.lease):
            if connection is not None:
                connection.close()
        del self._processes[process.number]
        shutil.rmtree(process.folder, ignore_errors=True)
        self._ended(process)

    def heard(self, process: Container, packet: Packet) -> None:
        """It said SNAPPED or START_FAILED."""
        number = process.pool.number
        snapshot = self._snapshots.get(number)
        if snapshot is None or snapshot.process is not process or snapshot.state.done():
            return
        if packet.kind == Kind.START_FAILED:
            process.pool.start_failure = packet
            self._fail(snapshot, "imports or an enter hook failed")
            return
        why = b"".join(packet.frames()).decode(errors="replace")
        if why:
            self._plain[number] = why
            del self._snapshots[number]
        snapshot.state.set_result(why)

    def _ended(self, process: Container) -> None:
        snapshot = self._snapshots.get(process.pool.number)
        if snapshot is not None and snapshot.process is process:
            detail = process.cause.detail if process.cause else "it ended"
            log.warning("a snapshot has ended pool=%d cause=%s", process.pool.number, detail)
            self._fail(snapshot, f"its memory snapshot could not be made: {detail}")

    def _fail(self, snapshot: Snapshot, why: str) -> None:
        del self._snapshots[snapshot.process.pool.number]
        if not snapshot.state.done():
            snapshot.state.set_exception(SnapshotFailed(why))
            snapshot.state.exception()  # those who wait are told; perhaps nobody does

    # -- ends ---------------------------------------------------------------------------------------------------

    def drop(self, pool: int) -> None:
        """The pool is gone, or its containers start with something else from now on."""
        self._plain.pop(pool, None)
        snapshot = self._snapshots.pop(pool, None)
        if snapshot is None:
            return
        snapshot.process.killed = "no longer needed"
        if snapshot.process.process is not None:
            self._tasks.spawn(snapshot.process.process.kill())

    async def close(self) -> None:
        """The supervisor ends."""
        for number in list(self._snapshots):
            self.drop(number)
        await self._tasks.wait(5)
