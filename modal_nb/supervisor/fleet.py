"""The containers of this machine: launched, introduced, stopped, killed, mourned.

Everything that becomes known about a container is fed to the scheduler as an event; its guard's lease tells how it
ended.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
import shutil
import signal
import socket
from collections.abc import Callable

from modal_nb.protocol.stream import Kind, packet
from modal_nb.provisioners.base import LaunchFailed
from modal_nb.scheduler import events as ev
from modal_nb.spec.lifecycle import CauseKind, ExitCause
from modal_nb.supervisor.births import Births, end_of
from modal_nb.supervisor.lease import Lease
from modal_nb.supervisor.old_logs import remove_old
from modal_nb.supervisor.records import Container, Pool
from modal_nb.supervisor.settings import Settings
from modal_nb.supervisor.snapshots import SnapshotFailed, Snapshots
from modal_nb.supervisor.tasks import Tasks
from modal_nb.supervisor.zygotes import Origin, Zygotes

log = logging.getLogger("modal_nb.supervisor")

#: seconds between the end of a container's stream and the word of its guard, if it is the kernel that ended
_WORD_COMES = 2.0


class Fleet:
    """All containers that are not gone yet, and the last one that died in each pool."""

    def __init__(
        self,
        settings: Settings,
        epoch: str,
        loop: asyncio.AbstractEventLoop,
        feed: Callable[[ev.Event], None],
        flush: Callable[[], None],
        refused: Callable[[str], None],
        next_number: Callable[[], int],
    ) -> None:
        self._places = settings.places
        self._loop = loop
        self._feed_event = feed
        self._flush = flush
        self.refused = refused
        #: called when a container has died, its cause known; and when it is gone from all books
        self.on_dead: Callable[[Container], None] = lambda _: None
        self.on_gone: Callable[[], None] = lambda: None
        self.containers: dict[int, Container] = {}
        self._births = Births(settings, epoch)
        self._zygotes = Zygotes(settings.places, loop)
        self.snapshots = Snapshots(self._births, self._zygotes, loop, next_number)
        #: containers whose parent is not there yet
        self._waiting: dict[int, asyncio.Future[Origin]] = {}
        self._dead: dict[int, Container] = {}
        self._tasks = Tasks(loop)

    # -- asked for by effects -----------------------------------------------------------------------------------

    def launch(self, number: int, pool: Pool) -> None:
        """Start a container; ContainerLaunched or ContainerStartFailed follows."""
        container = self.containers[number] = self._births.record(number, pool, self._loop.time())
        self._tasks.spawn(self._launch(container))

    def stop(self, number: int, reason: str) -> None:
        """Ask it to finish what runs, run its exit hooks and end."""
        container = self.containers.get(number)
        if container is None:
            return
        log.info("container stop id=%s reason=%s", container.id, reason)
        if container.control is None:
            self.kill(number, reason)  # nothing of the user's code ran yet
        else:
            container.stopping, container.stop_reason = True, reason
            container.control.send(packet(Kind.DRAIN))

    def kill(self, number: int, reason: str) -> None:
        """End its whole process tree now."""
        container = self.containers.get(number)
        if container is None or container.killed:
            return
        log.info("container kill id=%s reason=%s", container.id, reason)
        container.killed = reason or "killed"
        if container.process is not None:
            self._tasks.spawn(container.process.kill())
        elif number in self._waiting:
            self._waiting[number].cancel()

    def find(self, number: int) -> Container | None:
        """A container, or the process of a snapshot, by the number that it shows."""
        return self.containers.get(number) or self.snapshots.find(number)

    def forget(self, pool: int) -> None:
        """The pool is gone."""
        self._dead.pop(pool, None)
        self.snapshots.drop(pool)

    def last_dead(self, pool: int) -> Container | None:
        """The container of this pool that died last, for messages."""
        return self._dead.get(pool)

    async def close(self) -> None:
        """Kill what is left and wait for it."""
        for number in list(self.containers):
            self.kill(number, "supervisor ends")
        await self.snapshots.close()
        self._zygotes.close()
        await self._tasks.wait(5)

    # -- what becomes known -------------------------------------------------------------------------------------

    def adopt_lease(self, sock: socket.socket) -> None:
        """A guard has connected."""
        Lease(self._loop, sock, self)

    def owner_of_lease(self, number: int, token: str) -> Container | None:
        """The container whose guard shows this token."""
        container = self.find(number)
        return container if container and secrets.compare_digest(container.token, token) else None

    def stream_ended(self, container: Container) -> None:
        """One of its streams ended. As a rule it died, and its guard tells in this moment; else it is of no use."""
        if not container.gone and not container.stopping and not container.template:
            self._loop.call_later(_WORD_COMES, self._of_no_use, container)

    def _of_no_use(self, container: Container) -> None:
        if not container.gone and not container.killed:
            self._feed(ev.ContainerStopAsked(container.number, kill=True, reason="a connection to it broke"))

    def lease_ended(self, container: Container) -> None:
        """Its guard is gone without a word, or the lease broke: the rest of it ends too, and is waited for."""
        if container.process is None:
            self.exited(container, None)
        elif not container.gone:
            self._tasks.spawn(container.process.kill())

    def exited(self, container: Container, cause: ExitCause | None) -> None:
        """Its guard reported its end, or its launcher ended without a word. Only the first word counts."""
        if container.gone:
            return
        if container.template:
            container.cause = cause
            return
        container.gone = True
        if container.call is not None:
            container.call.drain()
        container.cause = self._cause(container, cause)
        log.info("container exited id=%s cause=%s", container.id, container.cause.detail)
        if container.process is not None:
            self._tasks.spawn(container.process.kill())
        for connection in (container.call, container.control, container.lease):
            if connection is not None:
                connection.close()
        self._dead[container.pool.number] = container
        del self.containers[container.number]
        shutil.rmtree(container.folder, ignore_errors=True)
        remove_old(self._places.logs, {container.log, *(one.log for one in self.containers.values())})
        self.on_dead(container)
        self._feed(ev.ContainerExited(container.number, container.cause))
        self.on_gone()

    def _cause(self, container: Container, cause: ExitCause | None) -> ExitCause:
        if container.killed:
            return ExitCause(CauseKind.KILLED, signal=signal.SIGKILL, detail=container.killed)
        if container.start_failed:
            return ExitCause(CauseKind.START_FAILED, detail="imports or an enter hook failed")
        if container.stopping and cause and cause.code == 0:
            return ExitCause(CauseKind.STOPPED, code=0, detail="stopped")
        return cause or ExitCause(
            CauseKind.UNKNOWN, detail="its guard was killed, so nobody can say how it ended"
        )

    # -- launching ----------------------------------------------------------------------------------------------

    async def _launch(self, container: Container) -> None:
        try:
            origin = await self._origin(container)
            container.process = await self._births.begin(container, origin, self._loop.time())
        except asyncio.CancelledError:
            self.exited(container, None)
            return
        except (LaunchFailed, SnapshotFailed, OSError) as error:
            self._not_launched(container, str(error))
            return
        if container.killed:
            await container.process.kill()
        if not container.gone:
            self._feed(ev.ContainerLaunched(container.number))
        await end_of(container.process)
        await self._silence(container)
        self.exited(container, None)

    async def _origin(self, container: Container) -> Origin:
        """Where it comes from; a kill cancels the wait for that."""
        waits = self._waiting[container.number] = asyncio.ensure_future(self.snapshots.origin(container))
        try:
            return await waits
        finally:
            del self._waiting[container.number]

    async def _silence(self, container: Container) -> None:
        """Nobody told that the kernel is dead, but its end of the call stream does: nothing may run twice at a time."""
        latest = self._loop.time() + _WORD_COMES
        # seldom, and for milliseconds
        while container.call is not None and container.call.open and self._loop.time() < latest:  # noqa: ASYNC110
            await asyncio.sleep(0.01)

    def _not_launched(self, container: Container, why: str) -> None:
        log.error("launch failed id=%s error=%s", container.id, why)
        container.gone = True
        container.cause = ExitCause(CauseKind.START_FAILED, detail=why)
        self._dead[container.pool.number] = container
        del self.containers[container.number]
        self.on_dead(container)
        self._feed(ev.ContainerStartFailed(container.number, launched=False))
        self.on_gone()

    def _feed(self, event: ev.Event) -> None:
        """Tell the scheduler, then write what that caused: these events come outside of a link's turn."""
        self._feed_event(event)
        self._flush()
