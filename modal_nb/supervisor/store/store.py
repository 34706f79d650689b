"""One thread that owns the database: operations are run in order, many in one transaction, and answered after commit.

An operation is a function of a connection. What it returns is told only when it is on disk, so whoever was told can
rely on it. An operation that fails leaves nothing behind and does no harm to its neighbours, nor does one for which the
disk has no room; when the file is damaged or locked all of them are told, and the next one tries anew.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import queue
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import NullPool

from modal_nb import exception
from modal_nb.supervisor.store.schema import MIGRATIONS
from modal_nb.supervisor.store.troubles import is_full, trouble

log = logging.getLogger("modal_nb.supervisor")

T = TypeVar("T")
Operation = Callable[[Connection], T]

#: operations in one transaction, at most
_MOST = 500
#: milliseconds that another process may hold the file
_BUSY = 3000


@dataclass(slots=True)
class _Asked:
    operation: Operation[Any]
    done: Callable[[Any], None]
    failed: Callable[[exception.Error], None]
    result: Any = None
    error: exception.Error | None = None


class Store:
    """The store of one home. ``run`` may be called from the loop's thread only; nothing is opened before the first."""

    def __init__(self, file: Path, durability: str, loop: asyncio.AbstractEventLoop) -> None:
        """``durability``: "full" survives a power cut, "normal" any end of the process, faster."""
        self.file = file
        self._durability = durability
        self._loop = loop
        self._asked: queue.SimpleQueue[_Asked | None] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None
        self._database: Engine | None = None
        self._connection: Connection | None = None

    def run(
        self,
        operation: Operation[T],
        done: Callable[[T], None] = lambda _: None,
        failed: Callable[[exception.Error], None] | None = None,
    ) -> None:
        """Run it on the store's thread; ``done`` gets what it returned once on disk, else ``failed`` why not."""
        if self._thread is None:
            self._thread = threading.Thread(target=self._serve, name="modal_nb-store", daemon=True)
            self._thread.start()
        self._asked.put(_Asked(operation, done, failed or self._log))

    def ask(self, operation: Operation[T]) -> asyncio.Future[T]:
        """``run``, awaited."""
        future: asyncio.Future[T] = self._loop.create_future()
        self.run(operation, future.set_result, future.set_exception)
        return future

    def close(self) -> None:
        """Finish what was asked for, then close the file."""
        if self._thread is not None:
            self._asked.put(None)
            self._thread.join()
            self._thread = None

    def _log(self, error: exception.Error) -> None:
        log.error("the store failed: %s", error)

    # -- on the store's thread --------------------------------------------------------------------------------------

    def _serve(self) -> None:
        while True:
            group, ends = self._next_group()
            if group:
                self._perform(group)
                with contextlib.suppress(RuntimeError):  # the loop is closed: nobody is there to be told
                    self._loop.call_soon_threadsafe(_tell, group)
            if ends:
                self._drop()
                return

    def _next_group(self) -> tuple[list[_Asked], bool]:
        """What waits now; the first one is waited for."""
        group: list[_Asked] = []
        asked = self._asked.get()
        while asked is not None:
            group.append(asked)
            if len(group) == _MOST:
                return group, False
            try:
                asked = self._asked.get_nowait()
            except queue.Empty:
                return group, False
        return group, True

    def _perform(self, group: list[_Asked]) -> None:
        """In one transaction; one by one where the disk is full: what reads, or frees something, needs no room."""
        error = self._together(group)
        if error is None:
            return
        log.error("the store failed: %s", error)
        alone = isinstance(error, exception.ResourceExhaustedError) and len(group) > 1
        for asked in group:
            asked.error = (self._together([asked]) or asked.error) if alone else error

    def _together(self, group: list[_Asked]) -> exception.Error | None:
        """All or none of them; why none."""
        for asked in group:
            asked.error = None
        try:
            connection = self._open()
            with connection.begin():
                for asked in group:
                    self._one(connection, asked)
        except Exception as error:  # noqa: BLE001 - the thread serves all others, too
            if not is_full(error):
                self._drop()
            return error if isinstance(error, exception.Error) else trouble(error, self.file)
        return None

    def _one(self, connection: Connection, asked: _Asked) -> None:
        """One operation in the group's transaction; its own error undoes only itself."""
        try:
            with connection.begin_nested():
                asked.result = asked.operation(connection)
        except exception.Error as error:
            asked.error = error
        except DBAPIError:
            raise  # the file or the disk: nothing of the group can be relied on
        except OSError as error:  # a file beside the database
            asked.error = trouble(error, self.file)
        except Exception as error:
            log.exception("a store operation failed")
            asked.error = exception.InternalFailure(f"the store: {error!r}")

    def _open(self) -> Connection:
        if self._connection is None:
            # SQLite's own files get the mode of this one
            os.close(os.open(self.file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
            self._database = _database(self.file, self._durability)
            connection = self._database.connect()
            try:
                _migrate(connection, self.file)
            except BaseException:
                connection.close()
                self._database.dispose()
                raise
            self._connection = connection
        return self._connection

    def _drop(self) -> None:
        """Close the file; the next operation opens it anew."""
        connection, self._connection = self._connection, None
        try:
            if connection is not None:
                connection.close()
            if self._database is not None:
                self._database.dispose()
        except Exception:
            log.exception("closing the store failed")


def _tell(group: list[_Asked]) -> None:
    """Each of them, whatever becomes of those before it."""
    for asked in group:
        try:
            if asked.error is None:
                asked.done(asked.result)
            else:
                asked.failed(asked.error)
        except Exception as error:
            log.exception("what was stored could not be told")
            if asked.error is None:
                with contextlib.suppress(Exception):
                    asked.failed(exception.InternalFailure(f"it is stored, but then: {error!r}"))


def _database(file: Path, durability: str) -> Engine:
    engine = create_engine(f"sqlite:///{file}", poolclass=NullPool)

    @event.listens_for(engine, "connect")
    def _connected(connection: Any, _: Any) -> None:
        # the driver must not begin and commit on its own: DDL is to be part of a migration's transaction
        connection.isolation_level = None
        for pragma in (
            f"busy_timeout={_BUSY}",
            "journal_mode=WAL",
            f"synchronous={durability.upper()}",
            "foreign_keys=ON",
        ):
            connection.execute(f"PRAGMA {pragma}")

    @event.listens_for(engine, "begin")
    def _begun(connection: Connection) -> None:
        connection.exec_driver_sql("BEGIN IMMEDIATE")

    return engine


def _migrate(connection: Connection, file: Path) -> None:
    """Bring the file to the newest schema, step by step. VersionError for one that is newer than this program."""
    with connection.begin():
        found = int(connection.exec_driver_sql("PRAGMA user_version").scalar_one())
    if found > len(MIGRATIONS):
        raise exception.VersionError(
            f"the store {file} was written by a newer modal_nb (schema {found}, this one knows {len(MIGRATIONS)}): "
            "upgrade modal_nb, or set MODAL_NB_HOME to another folder"
        )
    for number in range(found, len(MIGRATIONS)):
        with connection.begin():
            MIGRATIONS[number](connection)
            connection.exec_driver_sql(f"PRAGMA user_version = {number + 1}")
