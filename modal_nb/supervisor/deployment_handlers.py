"""What clients ask about deployed apps and environments; each answer waits for the store."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import msgspec

from modal_nb.exception import NotFoundError
from modal_nb.protocol import deployment as dp
from modal_nb.protocol import messages as ms
from modal_nb.protocol.codec import Codec, Message
from modal_nb.scheduler import events as ev
from modal_nb.supervisor import outcomes
from modal_nb.supervisor.answers import Answer, Answers
from modal_nb.supervisor.deployments import Deployments
from modal_nb.supervisor.reactor import Reactor
from modal_nb.supervisor.records import App, Client, DeclaredClass
from modal_nb.supervisor.store import calls
from modal_nb.supervisor.store import deployments as rows
from modal_nb.supervisor.store.blobs import Blobs
from modal_nb.supervisor.store.private import PrivateFiles
from modal_nb.supervisor.store.store import Store


class DeploymentHandlers:
    """One method per request."""

    def __init__(
        self,
        store: Store,
        private: PrivateFiles,
        blobs: Blobs,
        reactor: Reactor,
        deployments: Deployments,
        check: Callable[[str, list[str]], None],
        answers: Answers,
    ) -> None:
        """``check`` raises for options of a class that the back end does not honour."""
        self._store = store
        self._private = private
        self._blobs = blobs
        self._reactor = reactor
        self._deployments = deployments
        self._check = check
        self._answers = answers
        self.handlers: Mapping[type[ms.Content], Callable[[Client, int, Message, Any], None]] = {
            dp.DeployKeyAsk: self._key,
            dp.Deploy: self._deploy,
            dp.DeployedAppsAsk: self._list,
            dp.DeployedAppStop: self._stop,
            dp.ClassLookup: self._lookup,
            dp.EnvironmentCreate: self._create_environment,
            dp.EnvironmentsAsk: self._environments,
        }

    def _key(self, client: Client, request: int, message: Message, asked: dp.DeployKeyAsk) -> None:
        fresh = secrets.token_bytes(32)
        self._answers.when_done(
            client,
            request,
            lambda c: rows.app_key(c, asked.environment, asked.app_name, fresh),
            lambda key: (dp.DeployKey(key=key.hex()), ()),
        )

    def _deploy(self, client: Client, request: int, message: Message, asked: dp.Deploy) -> None:
        for one in asked.classes:
            self._check(one.name, one.options)
        buffers = [bytes(buffer) for buffer in message.buffers]
        records, loads = buffers[: len(asked.classes)], buffers[len(asked.classes) :]
        now = time.time()

        def add(connection: Any) -> rows.AppRow:
            names = [
                self._private.put(msgspec.structs.replace(one.launch, variables=one.variables))
                for one in asked.classes
            ]
            classes = [
                rows.ClassRow(one.name, one.digest, one.named, name, record)
                for one, name, record in zip(asked.classes, names, records, strict=True)
            ]
            launches = {(one.name, one.digest): name for one, name in zip(asked.classes, names, strict=True)}
            pools = [
                rows.PoolRow(p.spec.key, 0, p, launches[p.name, p.digest], load)
                for p, load in zip(asked.pools, loads, strict=True)
            ]
            return rows.add_version(connection, asked, classes, pools, now)

        def live(row: rows.AppRow) -> Answer:
            app = self._deployments.go_live(row, recreate=asked.strategy == "recreate")
            return dp.Deployed(app=app.number, id=app.id, version=row.version), ()

        self._answers.when_done(client, request, add, live)

    def _list(self, client: Client, request: int, message: Message, asked: dp.DeployedAppsAsk) -> None:
        self._answers.when_done(
            client,
            request,
            lambda c: rows.listed(c, asked.environment),
            lambda apps: (dp.DeployedApps(apps=apps), ()),
        )

    def _stop(self, client: Client, request: int, message: Message, asked: dp.DeployedAppStop) -> None:
        def stop(connection: Any) -> list[str]:
            row = rows.stop(connection, asked.environment, asked.app_name)
            key = rows.whose(connection, row)[2]
            end = outcomes.failed(Codec(key, "store"), ms.Failure(kind="app_stopped"))
            return calls.settle_all(connection, row, end, time.time())

        def stopped(files: list[str]) -> None:
            self._blobs.remove(files)
            self._store.run(lambda c: self._private.keep_only(rows.private_files(c)))
            app = self._deployments.apps.pop((asked.environment, asked.app_name), None)
            if app is None:
                self._answers.give(client, request, ms.Done())
                return
            app.waiting.append((client, request))
            self._reactor.feed(ev.AppStopped(app.number))
            self._reactor.flush()

        self._store.run(stop, stopped, partial(self._answers.refuse, client, request))

    def _create_environment(
        self, client: Client, request: int, message: Message, asked: dp.EnvironmentCreate
    ) -> None:
        self._answers.when_done(
            client, request, lambda c: rows.create_environment(c, asked.name), lambda _: (ms.Done(), ())
        )

    def _environments(
        self, client: Client, request: int, message: Message, asked: dp.EnvironmentsAsk
    ) -> None:
        self._answers.when_done(
            client, request, rows.environments, lambda names: (dp.Environments(names=names), ())
        )

    def _lookup(self, client: Client, request: int, message: Message, asked: dp.ClassLookup) -> None:
        app = self._deployments.apps.get((asked.environment, asked.app_name))
        deployment = None if app is None else app.deployment
        if app is not None and deployment is not None and not asked.name:
            self._found(client, request, app, deployment.version, deployment.python, None)
            return
        if app is not None and deployment is not None and asked.version in (0, deployment.version):
            digest = deployment.named.get(asked.name)
            if digest is not None:
                found = app.classes[asked.name, digest]
                self._found(client, request, app, deployment.version, deployment.python, found)
                return

        def old(found: tuple[int, str, list[rows.ClassRow]]) -> None:
            version, python, classes = found
            one = next((c for c in classes if c.named and c.name == asked.name), None)
            if app is None or one is None:
                self._answers.refuse(client, request, _no_class(asked, version, classes))
                return
            declared = app.classes[one.name, one.digest] = DeclaredClass(
                self._private.get(one.launch), one.record
            )
            self._found(client, request, app, version, python, declared)

        def look(connection: Any) -> tuple[int, str, list[rows.ClassRow]]:
            row, newest = rows.live(connection, asked.environment, asked.app_name)
            version = asked.version or newest
            return (version, *rows.version_classes(connection, row, version))

        self._store.run(look, old, partial(self._answers.refuse, client, request))

    def _found(
        self, client: Client, request: int, app: App, version: int, python: str, found: DeclaredClass | None
    ) -> None:
        content = dp.LookedUp(
            app=app.number, app_id=app.id, key=app.codec.key.hex(), version=version, python=python
        )
        self._answers.give(client, request, content, [found.data] if found else ())


def _no_class(asked: dp.ClassLookup, version: int, classes: list[rows.ClassRow]) -> NotFoundError:
    if not classes:
        return NotFoundError(
            f"version {version} of the app {asked.app_name!r} is not known: the newest {rows.KEPT_VERSIONS} versions "
            "are kept; `modal-nb app list` shows them"
        )
    names = ", ".join(sorted(one.name for one in classes if one.named))
    return NotFoundError(
        f"version {version} of the app {asked.app_name!r} has no {asked.name!r}, only {names}"
    )
