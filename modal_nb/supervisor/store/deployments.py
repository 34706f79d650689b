"""Operations on environments, deployed apps, their versions, classes and pools. Each runs inside one transaction."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import msgspec
from sqlalchemy import Connection, delete, func, select, update

from modal_nb.exception import AlreadyExistsError, ConflictError, NotFoundError
from modal_nb.protocol import deployment as dp
from modal_nb.protocol import messages as ms
from modal_nb.spec.scaling import Autoscaler
from modal_nb.supervisor.store import schema as sc

#: versions of an app whose classes can still be looked up
KEPT_VERSIONS = 20


@dataclass(frozen=True, slots=True)
class ClassRow:
    """A class or function of one version; ``launch`` names its private file."""

    name: str
    digest: str
    named: bool
    launch: str
    record: bytes


@dataclass(frozen=True, slots=True)
class PoolRow:
    """A pool of a deployed app, with all it takes to open it."""

    key: str
    version: int
    request: ms.PoolOpen
    launch: str
    load: bytes
    #: what ``update_autoscaler`` made of it
    autoscaler: Autoscaler | None = None


@dataclass(frozen=True, slots=True)
class AppRow:
    """The newest version of an app."""

    id: int
    environment: str
    name: str
    key: bytes
    version: int
    python: str
    created: float
    classes: Sequence[ClassRow] = ()
    pools: Sequence[PoolRow] = ()


def check_environment(connection: Connection, name: str) -> None:
    """NotFoundError for one that was never created."""
    known = list(connection.scalars(select(sc.environments.c.name).order_by(sc.environments.c.name)))
    if name not in known:
        raise NotFoundError(
            f"there is no environment {name!r} here (there is {', '.join(known)}): "
            f"create it by `modal-nb environment create {name}`"
        )


def create_environment(connection: Connection, name: str) -> None:
    if connection.scalar(select(sc.environments.c.name).where(sc.environments.c.name == name)) is not None:
        raise AlreadyExistsError(f"there is an environment {name!r} already")
    connection.execute(sc.environments.insert().values(name=name))


def environments(connection: Connection) -> list[str]:
    return list(connection.scalars(select(sc.environments.c.name).order_by(sc.environments.c.name)))


def app_key(connection: Connection, environment: str, name: str, fresh: bytes) -> bytes:
    """The key of an app; ``fresh`` if it was never deployed."""
    check_environment(connection, environment)
    row = _app(connection, environment, name)
    return bytes(row.key) if row is not None else fresh


def add_version(
    connection: Connection,
    asked: dp.Deploy,
    classes: Sequence[ClassRow],
    pools: Sequence[PoolRow],
    now: float,
) -> AppRow:
    """A new version becomes the live one; pools of older ones are forgotten unless inputs wait for them."""
    check_environment(connection, asked.environment)
    key = bytes.fromhex(asked.key)
    row = _app(connection, asked.environment, asked.app_name)
    if row is None:
        place = {"environment": asked.environment, "name": asked.app_name, "key": key}
        app = connection.execute(sc.apps.insert().values(**place)).inserted_primary_key[0]  # type: ignore[index]
    elif bytes(row.key) != key:
        raise ConflictError(
            f"the app {asked.app_name!r} was deployed by somebody else meanwhile: deploy again"
        )
    else:
        app = row.id
    newest = select(func.max(sc.versions.c.version)).where(sc.versions.c.app == app)
    version = (connection.scalar(newest) or 0) + 1
    of_app = sc.versions.c.app == app
    connection.execute(update(sc.versions).where(of_app, sc.versions.c.state == "live").values(state="old"))
    told = {"tag": asked.tag, "python": asked.python, "created": now}
    connection.execute(sc.versions.insert().values(app=app, version=version, state="live", **told))
    for one in classes:
        values = {name: getattr(one, name) for name in ClassRow.__slots__}
        connection.execute(sc.classes.insert().values(app=app, version=version, **values))
    forget_old_pools(connection, app, version)
    old = sc.classes.c.version <= version - KEPT_VERSIONS
    connection.execute(delete(sc.classes).where(sc.classes.c.app == app, old))
    placed = [replace(pool, version=version) for pool in pools]
    for pool in placed:
        put_pool(connection, app, pool)
    return AppRow(app, asked.environment, asked.app_name, key, version, asked.python, now, classes, placed)


def put_pool(connection: Connection, app: int, pool: PoolRow) -> None:
    """Remember how a pool is opened; one of that key is replaced."""
    at = (sc.pools.c.app == app, sc.pools.c.key == pool.key)
    connection.execute(delete(sc.pools).where(*at))
    connection.execute(
        sc.pools.insert().values(
            app=app,
            key=pool.key,
            version=pool.version,
            request=msgspec.json.encode(pool.request),
            launch=pool.launch,
            load=pool.load,
            autoscaler=None if pool.autoscaler is None else msgspec.json.encode(pool.autoscaler),
        )
    )


def autoscaler_of(connection: Connection, app: int, key: str, version: int) -> Autoscaler | None:
    """What ``update_autoscaler`` made of a pool of this version."""
    at = (sc.pools.c.app == app, sc.pools.c.key == key, sc.pools.c.version == version)
    found = connection.scalar(select(sc.pools.c.autoscaler).where(*at))
    return None if found is None else msgspec.json.decode(found, type=Autoscaler)


def set_autoscaler(connection: Connection, app: int, key: str, settings: Autoscaler) -> None:
    """What ``update_autoscaler`` says lasts until the next deploy, also over a restart."""
    at = (sc.pools.c.app == app, sc.pools.c.key == key)
    connection.execute(update(sc.pools).where(*at).values(autoscaler=msgspec.json.encode(settings)))


def forget_old_pools(connection: Connection, app: int, version: int) -> None:
    """Pools of other versions for which no input waits."""
    waits = select(sc.calls.c.pool).where(
        sc.calls.c.app == app, sc.inputs.c.call == sc.calls.c.id, sc.inputs.c.state == "pending"
    )
    old = (sc.pools.c.app == app, sc.pools.c.version != version, sc.pools.c.key.not_in(waits))
    connection.execute(delete(sc.pools).where(*old))


def stop(connection: Connection, environment: str, name: str) -> int:
    """The app is not found any more, only names of it are kept. Its row; NotFoundError if none is deployed."""
    app, _ = live(connection, environment, name)
    of_app = sc.versions.c.app == app
    connection.execute(
        update(sc.versions).where(of_app, sc.versions.c.state == "live").values(state="stopped")
    )
    connection.execute(delete(sc.pools).where(sc.pools.c.app == app))
    # what they are launched with may hold secrets
    connection.execute(update(sc.classes).where(sc.classes.c.app == app).values(launch="", record=b""))
    return app


def live(connection: Connection, environment: str, name: str) -> tuple[int, int]:
    """(row, version) of what is deployed under this name. NotFoundError if nothing is."""
    check_environment(connection, environment)
    found = connection.execute(
        select(sc.apps.c.id, sc.versions.c.version)
        .join(sc.versions, sc.versions.c.app == sc.apps.c.id)
        .where(sc.apps.c.environment == environment, sc.apps.c.name == name, sc.versions.c.state == "live")
    ).first()
    if found is None:
        raise NotFoundError(f"no app {name!r} is deployed in the {environment!r} environment")
    return found.id, found.version


def whose(connection: Connection, app: int) -> tuple[str, str, bytes]:
    """(environment, name, key) of an app by its row."""
    row = connection.execute(select(sc.apps).where(sc.apps.c.id == app)).one()
    return row.environment, row.name, bytes(row.key)


def version_classes(connection: Connection, app: int, version: int) -> tuple[str, list[ClassRow]]:
    """The Python and the classes of one version; none if they are not kept any more."""
    at = (sc.versions.c.app == app, sc.versions.c.version == version)
    python = connection.scalar(select(sc.versions.c.python).where(*at))
    found = connection.execute(
        select(sc.classes).where(sc.classes.c.app == app, sc.classes.c.version == version)
    )
    rows = [ClassRow(r.name, r.digest, bool(r.named), r.launch, bytes(r.record)) for r in found]
    return python or "", rows


def all_live(connection: Connection) -> list[AppRow]:
    """Every app that is deployed, whole: what a new supervisor takes over."""
    found = connection.execute(
        select(sc.apps, sc.versions.c.version, sc.versions.c.python, sc.versions.c.created)
        .join(sc.versions, sc.versions.c.app == sc.apps.c.id)
        .where(sc.versions.c.state == "live")
        .order_by(sc.apps.c.id)
    ).all()
    whole = []
    for row in found:
        forget_old_pools(connection, row.id, row.version)
        classes = version_classes(connection, row.id, row.version)[1]
        place = (row.id, row.environment, row.name, bytes(row.key), row.version, row.python, row.created)
        whole.append(AppRow(*place, classes, _pools(connection, row.id)))
    return whole


def private_files(connection: Connection) -> set[str]:
    """Every private file that a row names."""
    return {*connection.scalars(select(sc.classes.c.launch)), *connection.scalars(select(sc.pools.c.launch))}


def listed(connection: Connection, environment: str) -> list[dp.DeployedApp]:
    """Every version of every app, or of one environment, the newest first."""
    if environment:
        check_environment(connection, environment)
    query = (
        select(sc.apps.c.environment, sc.apps.c.name, sc.versions)
        .join(sc.versions, sc.versions.c.app == sc.apps.c.id)
        .order_by(sc.apps.c.environment, sc.apps.c.name, sc.versions.c.version.desc())
    )
    names: dict[tuple[int, int], list[str]] = {}
    for one in connection.execute(
        select(sc.classes).where(sc.classes.c.named == 1).order_by(sc.classes.c.name)
    ):
        names.setdefault((one.app, one.version), []).append(one.name)
    return [
        dp.DeployedApp(
            environment=row.environment,
            name=row.name,
            version=row.version,
            state=row.state,
            tag=row.tag,
            created=row.created,
            python=row.python,
            classes=names.get((row.app, row.version), []),
        )
        for row in connection.execute(query)
        if environment in ("", row.environment)
    ]


def _app(connection: Connection, environment: str, name: str) -> Any:
    at = (sc.apps.c.environment == environment, sc.apps.c.name == name)
    return connection.execute(select(sc.apps.c.id, sc.apps.c.key).where(*at)).first()


def _pools(connection: Connection, app: int) -> list[PoolRow]:
    return [
        PoolRow(
            row.key,
            row.version,
            msgspec.json.decode(row.request, type=ms.PoolOpen),
            row.launch,
            bytes(row.load),
            None if row.autoscaler is None else msgspec.json.decode(row.autoscaler, type=Autoscaler),
        )
        for row in connection.execute(select(sc.pools).where(sc.pools.c.app == app))
    ]
