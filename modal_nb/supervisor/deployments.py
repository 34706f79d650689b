"""Deployed apps in the supervisor's books: apps without an owner, the newest version of each, kept in the store.

A change is written first and shown then, so that whoever was told of it finds it again after any end of this process.
"""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import msgspec

from modal_nb.exception import ConflictError, Error
from modal_nb.protocol import messages as ms
from modal_nb.protocol.codec import Codec
from modal_nb.scheduler import events as ev
from modal_nb.spec import ids
from modal_nb.spec.scaling import Autoscaler
from modal_nb.supervisor.opening import open_pool
from modal_nb.supervisor.reactor import Reactor
from modal_nb.supervisor.records import App, DeclaredClass, Deployment, Pool
from modal_nb.supervisor.store import deployments as rows
from modal_nb.supervisor.store.private import PrivateFiles
from modal_nb.supervisor.store.store import Store

log = logging.getLogger("modal_nb.supervisor")


class Deployments:
    """What is deployed now; used from the loop's thread only."""

    def __init__(self, store: Store, private: PrivateFiles, reactor: Reactor, epoch: str) -> None:
        self._store = store
        self._private = private
        self._reactor = reactor
        self._epoch = epoch
        #: (environment, name) -> app
        self.apps: dict[tuple[str, str], App] = {}

    def by_row(self, row: int) -> App | None:
        """The deployed app of this row of the store."""
        return next((app for app in self.apps.values() if app.deployment and app.deployment.row == row), None)

    # -- pools of deployed apps -------------------------------------------------------------------------------------

    def placed(self, app: App, asked: ms.PoolOpen) -> ms.PoolOpen:
        """The request as it is to be met: what means an older version has a pool beside the newest one's."""
        deployment = app.deployment
        assert deployment is not None
        if asked.follows and asked.version != deployment.version:
            raise ConflictError(f"version {deployment.version} of {app.name} has been deployed meanwhile")
        if asked.version == deployment.version or (
            not asked.version and deployment.named.get(asked.name) == asked.digest
        ):
            return asked
        mark = f"@{asked.version or asked.digest}"
        spec = dataclasses.replace(asked.spec, key=asked.spec.key + mark, lineage=asked.spec.lineage + mark)
        return msgspec.structs.replace(asked, spec=spec)

    def opened(self, pool: Pool, asked: ms.PoolOpen, *, new: bool) -> None:
        """A client has opened it: remember how, so that it comes back with what waits for it."""
        deployment = pool.app.deployment
        assert deployment is not None
        version = asked.version or deployment.version
        if not new and pool.version == version:
            return
        pool.version, pool.superseded = version, False
        self._reactor.on_change(pool.number)
        request = msgspec.structs.replace(asked, launch=None, variables=None)
        launch, load, row = pool.launch, bytes(pool.load), deployment.row

        def put(connection: Any) -> Autoscaler | None:
            known = rows.autoscaler_of(connection, row, pool.spec.key, version)
            name = self._private.put(launch)
            rows.put_pool(connection, row, rows.PoolRow(pool.spec.key, version, request, name, load, known))
            return known

        self._store.run(put, partial(self._set, pool))

    def updated(self, pool: Pool) -> None:
        """Somebody has changed its autoscaler."""
        deployment, settings, key = pool.app.deployment, pool.autoscaler, pool.spec.key
        assert deployment is not None
        self._store.run(lambda c: rows.set_autoscaler(c, deployment.row, key, settings))

    def _set(self, pool: Pool, settings: Autoscaler | None) -> None:
        if settings is not None and settings != pool.autoscaler:
            pool.autoscaler = settings
            self._reactor.feed(ev.AutoscalerUpdated(pool.number, settings))
            self._reactor.flush()

    # -- from the store into the books ------------------------------------------------------------------------------

    def restore(self, found: Sequence[rows.AppRow], waited_for: Callable[[int, str], bool]) -> None:
        """Take over what an earlier supervisor had; ``waited_for``: whether inputs wait for this pool of this app."""
        for row in found:
            try:
                app = self._app(row)
                for pool in row.pools:
                    self._restore(app, row, pool, waited=waited_for(row.id, pool.key))
            except (OSError, Error):
                log.exception("the deployed app %s cannot be taken over", row.name)

    def _restore(self, app: App, row: rows.AppRow, pool: rows.PoolRow, *, waited: bool) -> None:
        """Open it if it is the class itself, keeps containers warm, or inputs wait for it."""
        base = not pool.request.parameters and not pool.request.variant
        settings = pool.autoscaler or pool.request.spec.autoscaler
        if pool.version == row.version:
            if waited or base or settings.min_containers:
                self._set(self._open(app, pool), pool.autoscaler)
        elif waited:
            spec = dataclasses.replace(
                pool.request.spec,
                # it must not take the place of the newest version's
                lineage=f"{pool.request.spec.lineage}@{pool.version}",
                autoscaler=dataclasses.replace(settings, min_containers=0, buffer_containers=0),
            )
            request = msgspec.structs.replace(pool.request, spec=spec)
            self._open(app, dataclasses.replace(pool, request=request)).superseded = True

    def go_live(self, row: rows.AppRow, *, recreate: bool) -> App:
        app = self._app(row)
        self._reactor.on_apps()
        if recreate:
            for container in list(self._reactor.fleet.containers.values()):
                if container.pool.app is app:
                    why = "its app was deployed anew"
                    self._reactor.feed(ev.ContainerStopAsked(container.number, kill=True, reason=why))
        for pool in row.pools:
            self._set(self._open(app, pool), pool.request.spec.autoscaler)
        for old in list(self._reactor.pools.values()):
            if old.app is app and old.version < row.version and "@" not in old.spec.key:
                old.superseded = True
                self._reactor.feed(ev.PoolReplaced(old.number))
            elif old.app is app:
                self._reactor.on_change(old.number)  # it may belong to this version now
        self._reactor.flush()
        log.info("app deployed name=%s version=%d environment=%s", row.name, row.version, row.environment)
        return app

    def _open(self, app: App, row: rows.PoolRow) -> Pool:
        launch = self._private.get(row.launch)
        pool, _ = open_pool(self._reactor, app, row.request, launch, row.load)
        pool.launch, pool.version, pool.superseded = launch, row.version, False
        return pool

    def _app(self, row: rows.AppRow) -> App:
        """The app of the books, made or brought to this version."""
        app = self.apps.get((row.environment, row.name))
        if app is None:
            number = self._reactor.scheduler.next_number()
            identity = f"{ids.render(ids.Kind.APP, number)}-{self._epoch}"
            app = App(number, identity, row.name, None, Codec(row.key, identity))
            self.apps[row.environment, row.name] = self._reactor.apps[number] = app
            self._reactor.feed(ev.AppOpened(number, row.name, 0))
        for one in row.classes:
            app.classes[one.name, one.digest] = DeclaredClass(self._private.get(one.launch), one.record)
        named = {one.name: one.digest for one in row.classes if one.named}
        app.deployment = Deployment(row.id, row.environment, row.version, row.python, named)
        return app
