"""The composition root: ``python -m modal_nb.supervisor [--home FOLDER] [--ready FD]``, started by clients."""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import gc
import logging
import logging.handlers
import os
import resource
import secrets
import shutil
import signal
from collections.abc import Coroutine, Iterator
from pathlib import Path
from typing import Annotated, Any

import typer

from modal_nb.protocol.codec import Codec
from modal_nb.protocol.connection import Connection, Places, places, write_connection
from modal_nb.protocol.messages import PROTOCOL
from modal_nb.provisioners.launch import prepare
from modal_nb.scheduler.events import ShutdownBegan
from modal_nb.scheduler.scheduler import Scheduler
from modal_nb.supervisor.fleet import Fleet
from modal_nb.supervisor.gateway import Gateway
from modal_nb.supervisor.handlers import Handlers
from modal_nb.supervisor.kernel_link import KernelLink
from modal_nb.supervisor.old_logs import remove_old
from modal_nb.supervisor.reactor import Reactor
from modal_nb.supervisor.reception import Reception
from modal_nb.supervisor.settings import Settings, from_environment
from modal_nb.supervisor.watch import Watch
from modal_nb.version import __version__

log = logging.getLogger("modal_nb.supervisor")

#: exit code of a supervisor that finds another one running
ALREADY_RUNNING = 3
#: descriptors that it may open, where it is free to say so
_DESCRIPTORS = 65_536
_EPOCH_LETTERS = "abcdefghijkmnpqrstuvwxyz23456789"


class Supervisor:
    """All parts of one supervisor, wired; lives from ``run`` to the end of its loop."""

    def __init__(self, settings: Settings, loop: asyncio.AbstractEventLoop, honoured: frozenset[str]) -> None:
        self._settings = settings
        self._loop = loop
        self._done = loop.create_future()
        self._ending = False
        #: clients find it
        self.serves = asyncio.Event()
        self._idle: asyncio.TimerHandle | None = None
        epoch = "".join(secrets.choice(_EPOCH_LETTERS) for _ in range(6))
        self.key = secrets.token_bytes(32)
        scheduler = Scheduler(
            settings.machine, queue_bound=settings.queue_bound, stop_grace=settings.stop_grace
        )
        self.reactor = reactor = Reactor(scheduler, loop)
        self.fleet = reactor.fleet = Fleet(
            settings, epoch, loop, reactor.feed, reactor.flush, self._refused, scheduler.next_number
        )
        self.handlers = Handlers(
            settings, reactor, epoch, honoured, Watch(reactor, loop), loop.time, self.end, loop
        )
        reception = Reception(
            Codec(self.key, epoch),
            settings,
            epoch,
            reactor,
            self.handlers,
            KernelLink(
                reactor.feed,
                reactor.finish,
                reactor.finish_part,
                reactor.streams.item,
                reactor.outputs.shown,
                self.fleet.stream_ended,
                reactor.on_change,
                self.fleet.snapshots.heard,
                loop.time,
            ),
        )
        self.gateway = reactor.gateway = Gateway(settings, loop, reception.greet, self.fleet.adopt_lease)
        reactor.on_quiet = self.fleet.on_gone = self._consider_ending

    async def run(self) -> None:
        """Serve until it is told to end or nothing needs it any more."""
        await self.handlers.durable.restore()
        self.gateway.listen()
        self._publish()
        self.serves.set()
        for number in (signal.SIGTERM, signal.SIGINT):
            self._loop.add_signal_handler(number, self.end)
        self._consider_ending()
        await self._done
        await self.fleet.close()
        self.handlers.durable.close()
        # first, so that a client whose connection ends sees that this is in order
        self._settings.places.connection_file.unlink(missing_ok=True)
        self.gateway.close()
        log.info("supervisor ended")

    def end(self) -> None:
        """Drain everything, then end; a second call ends at once."""
        if self._ending:
            self._finish()
            return
        self._ending = True
        self.handlers.durable.end()
        self.reactor.feed(ShutdownBegan())
        self.reactor.flush()
        self._consider_ending()

    def _publish(self) -> None:
        connection = Connection(
            socket=str(self._settings.places.socket),
            key=self.key.hex(),
            pid=os.getpid(),
            version=self._settings.version,
            protocol=PROTOCOL,
        )
        write_connection(self._settings.places.connection_file, connection)
        log.info("supervisor ready version=%s home=%s", self._settings.version, self._settings.places.home)

    def _refused(self, why: str) -> None:
        self.gateway.refused += 1
        log.warning("message refused: %s", why)

    def _consider_ending(self) -> None:
        """Called whenever a client, an app or a container went; ends it now or after the idle time."""
        if self._idle is not None:
            self._idle.cancel()
            self._idle = None
        needed = self.handlers.clients or self.handlers.durable.pending
        if self.fleet.containers or (needed and not self._ending):
            return
        if self._ending:
            self._loop.call_later(0.05, self._finish)  # let the last answers leave
        else:
            self._idle = self._loop.call_later(self._settings.idle_exit, self._end_if_idle)

    def _end_if_idle(self) -> None:
        if not self.handlers.clients and not self.fleet.containers and not self.handlers.durable.pending:
            log.info("supervisor idle, ends")
            self._finish()

    def _finish(self) -> None:
        if not self._done.done():
            self._done.set_result(None)


def main(
    home: Annotated[
        str, typer.Option(help="Its home folder; default: MODAL_NB_HOME or the user's data folder.")
    ] = "",
    ready: Annotated[int, typer.Option(help="A descriptor to close once it serves.")] = -1,
) -> None:
    """Run the supervisor in the foreground until nothing needs it."""
    where = places(home or None)
    where.make()
    _log_to(where)
    with _only_one(where):
        _allow_descriptors()
        back_end = prepare()
        settings = from_environment(where, back_end.machine(), os.environ, __version__)
        _run_in_a_loop(_serve(settings, back_end.honours, ready))


def _allow_descriptors() -> None:
    """Each large value on its way is one, and each container has three connections."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = _DESCRIPTORS if hard == resource.RLIM_INFINITY else min(hard, _DESCRIPTORS)
    if soft != resource.RLIM_INFINITY and soft < most:
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))


def _run_in_a_loop(serving: Coroutine[Any, Any, None]) -> None:
    """On uvloop where it is installed (the extra ``uvloop``), else on asyncio's own loop."""
    try:
        import uvloop  # noqa: PLC0415 - an optional extra
    except ImportError:
        asyncio.run(serving)
    else:
        uvloop.run(serving)


async def _serve(settings: Settings, honoured: frozenset[str], ready: int) -> None:
    supervisor = Supervisor(settings, asyncio.get_running_loop(), honoured)
    serving = asyncio.ensure_future(supervisor.run())
    await asyncio.wait(
        [serving, asyncio.ensure_future(supervisor.serves.wait())], return_when=asyncio.FIRST_COMPLETED
    )
    # what is here now stays: collections need not look through it again and again, which callers would wait for
    gc.collect()
    gc.freeze()
    if ready >= 0:
        os.write(ready, b"1")
        os.close(ready)
    await serving


@contextlib.contextmanager
def _only_one(where: Places) -> Iterator[None]:
    """Hold the lock of this home, or end with ALREADY_RUNNING; sweeps what a killed one left behind."""
    descriptor = os.open(where.lock_file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        raise typer.Exit(ALREADY_RUNNING) from None
    _sweep(where)
    yield
    os.close(descriptor)


def _sweep(where: Places) -> None:
    """Remove the sockets and folders of a supervisor that was killed; its containers ended with it."""
    remove_old(where.logs)
    for socket_of_parent in where.run.glob("zy-*"):
        socket_of_parent.unlink(missing_ok=True)
    for folder in where.run.glob("ct-*"):
        shutil.rmtree(folder, ignore_errors=True)
    for path in (where.connection_file, where.socket):
        path.unlink(missing_ok=True)


def _log_to(where: Places) -> None:
    handler = logging.handlers.RotatingFileHandler(where.supervisor_log, maxBytes=4 << 20, backupCount=2)
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
    logging.basicConfig(level=logging.INFO, handlers=[handler])
    Path(where.supervisor_log).chmod(0o600)


if __name__ == "__main__":
    typer.run(main)
