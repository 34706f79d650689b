"""The parts behind ``durable``, wired; importing this loads the database library."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence

from sqlalchemy import Connection

from modal_nb.scheduler import events as ev
from modal_nb.supervisor.answers import Answers
from modal_nb.supervisor.call_handlers import CallHandlers
from modal_nb.supervisor.deployment_handlers import DeploymentHandlers
from modal_nb.supervisor.deployments import Deployments
from modal_nb.supervisor.keeper import Keeper
from modal_nb.supervisor.object_handlers import ObjectHandlers
from modal_nb.supervisor.reactor import Reactor
from modal_nb.supervisor.records import Client
from modal_nb.supervisor.settings import Settings
from modal_nb.supervisor.store import all_calls, calls, deployments
from modal_nb.supervisor.store.blobs import Blobs
from modal_nb.supervisor.store.private import PrivateFiles
from modal_nb.supervisor.store.store import Store

Found = tuple[Sequence[deployments.AppRow], Sequence[calls.Accepted], set[str]]


class Stored:
    """One store and what is made of it."""

    def __init__(
        self,
        settings: Settings,
        reactor: Reactor,
        epoch: str,
        check: Callable[[str, list[str]], None],
        loop: asyncio.AbstractEventLoop,
        connected: Callable[[], list[Client]],
    ) -> None:
        self._settings = settings
        self._reactor = reactor
        home = settings.places.home
        self._private = PrivateFiles(home / "private")
        self._blobs = Blobs(home / "blobs")
        self.store = store = Store(settings.places.store, settings.durability, loop)
        self.deployments = Deployments(store, self._private, reactor, epoch)
        again = self.deployments.again
        self.keeper = Keeper(store, self._blobs, reactor, settings.queue_bound, loop, again)
        self.deployments.move = self.keeper.move
        answers = Answers(store, reactor)
        about_apps = DeploymentHandlers(
            store, self._private, self._blobs, reactor, self.deployments, check, answers
        )
        about_calls = CallHandlers(answers, self.keeper)
        self.objects = ObjectHandlers(store, reactor, loop, connected)
        self.handlers = {**about_apps.handlers, **about_calls.handlers, **self.objects.handlers}

    async def restore(self) -> None:
        """Take over apps, their warm pools, and what was accepted and not finished."""
        apps, pending, names = await self.store.ask(self._load)
        self._private.keep_only(names)
        waited = {(one.app, one.pool) for one in pending}
        self.deployments.restore(apps, lambda app, pool: (app, pool) in waited)
        self.keeper.restore(pending, self.deployments.by_row)
        for pool in list(self._reactor.pools.values()):
            if pool.superseded:
                self._reactor.feed(ev.PoolReplaced(pool.number))
        self.objects.restore()
        self.sweep()

    def _load(self, connection: Connection) -> Found:
        self._blobs.keep_only(all_calls.files(connection))
        names = deployments.private_files(connection)
        return deployments.all_live(connection), calls.pending(connection, self._blobs), names

    def sweep(self) -> None:
        """Results that are too old or too many go."""
        settings, now = self._settings, time.time()
        self.store.run(
            lambda c: all_calls.expire(c, settings.results_keep_days, settings.results_bound, now),
            self._blobs.remove,
        )
        self.objects.sweep()
