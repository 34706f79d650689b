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
from modal_nb.spec.pool import PoolSpec
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
        #: takes what is kept and was never sent from a pool to the newest one
        self.move: Callable[[Pool, Pool], None] = lambda _old, _new: None
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
        return msgspec.structs.replace(asked, spec=_beside(asked.spec, mark, key=True))

    def again(self, pool: Pool) -> Pool | None:
        """A pool that has gone, for inputs that were accepted in that moment; None if its app has gone, too."""
        app = pool.app
        if self._reactor.apps.get(app.number) is not app:
            return None
        spec = _beside(pool.spec, f"@{pool.version}")
        asked = ms.PoolOpen(app=app.number, spec=spec, load_parts=pool.load_parts)
        found, _ = open_pool(self._reactor, app, asked, pool.launch, pool.load)
        found.version, found.superseded = pool.version, True
        return found

    def opened(self, pool: Pool, asked: ms.PoolOpen, *, new: bool) -> None:
        """A client has opened it: remember how, so that it comes back with what waits for it."""
        deployment = pool.app.deployment
        assert deployment is not None
        # 0: a definite digest that is not the newest one's
        current = deployment.named.get(asked.name) == asked.digest
        version = asked.version or (deployment.version if current else 0)
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
            spec = _beside(pool.request.spec, f"@{pool.version}")
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
        for old in [pool for pool in self._reactor.pools.values() if pool.app is app]:
            pinned = old.version and "@" in old.spec.key
            if old.version < row.version and not pinned:
                self._replace(old, row.version)
            else:
                self._reactor.on_change(old.number)  # it may belong to this version now
        self._reactor.flush()
        log.info("app deployed name=%s version=%d environment=%s", row.name, row.version, row.environment)
        return app

    def _replace(self, old: Pool, version: int) -> None:
        """It finishes what it has begun; what it has not goes to the newest version."""
        old.superseded = True
        for new in list(self._reactor.pools.values()):
            if new.app is old.app and new.version == version and new.spec.lineage == old.spec.lineage:
                self.move(old, new)
        self._reactor.hand_back(old)
        self._reactor.feed(ev.PoolReplaced(old.number))

    def _open(self, app: App, row: rows.PoolRow) -> Pool:
        launch = self._private.get(row.launch)
        pool, _ = open_pool(self._reactor, app, row.request, launch, row.load)
        pool.launch, pool.version, pool.superseded = launch, row.version, False
        return pool

    def _app(self, row: rows.AppRow) -> App:
        """The app of the books, made or brought to this version."""
        # read before anything is changed: a file may be missing
        classes = {
            (one.name, one.digest): DeclaredClass(self._private.get(one.launch), one.record)
            for one in row.classes
        }
        app = self.apps.get((row.environment, row.name))
        if app is None:
            number = self._reactor.scheduler.next_number()
            identity = f"{ids.render(ids.Kind.APP, number)}-{self._epoch}"
            app = App(number, identity, row.name, None, Codec(row.key, identity))
            self.apps[row.environment, row.name] = self._reactor.apps[number] = app
            self._reactor.feed(ev.AppOpened(number, row.name, 0))
        app.classes |= classes
        named = {one.name: one.digest for one in row.classes if one.named}
        app.deployment = Deployment(row.id, row.environment, row.version, row.python, named)
        return app


def _beside(spec: PoolSpec, mark: str, *, key: bool = False) -> PoolSpec:
    """A pool beside the newest version's: it does not take that one's place, and keeps nothing warm."""
    return dataclasses.replace(
        spec,
        key=spec.key + mark if key else spec.key,
        lineage=spec.lineage + mark,
        autoscaler=dataclasses.replace(spec.autoscaler, min_containers=0, buffer_containers=0),
    )
