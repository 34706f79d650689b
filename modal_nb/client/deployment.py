"""``app.deploy()``: everything that containers of an app need goes to the supervisor, which keeps it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import msgspec

from modal_nb.client import binding, classes, lookups, references
from modal_nb.client.client import session_of
from modal_nb.client.environments import environment_name
from modal_nb.exception import ConflictError, InvalidError
from modal_nb.protocol import deployment as dp
from modal_nb.protocol.stream import body_of
from modal_nb.runtime import pickler
from modal_nb.runtime.context import process
from modal_nb.spec import checks

if TYPE_CHECKING:
    from modal_nb.client.app import App
    from modal_nb.client.declaration import Declaration
    from modal_nb.client.lookups import DeployedApp
    from modal_nb.client.session import Session
    from modal_nb.protocol import messages as ms

#: times it is tried when others deploy the same app for the first time meanwhile
_TRIES = 3


def check(app: App, name: str | None, tag: str, strategy: str) -> str:
    """The name that it is deployed under. InvalidError for arguments that do not fit."""
    if process.link is not None:
        raise InvalidError(
            "app.deploy() cannot be used inside a container: deploy from a notebook or a script"
        )
    if name is None and app.name is None:
        raise InvalidError(
            "An app without a name cannot be deployed: write App('a-name') or deploy(name='a-name')"
        )
    if strategy not in {"rolling", "recreate"}:
        raise InvalidError(f"`strategy` must be 'rolling' or 'recreate', not {strategy!r}")
    if tag:
        checks.text("tag", tag)
    return checks.object_name("App", name or app.name)


def deploy(
    app: App, name: str | None, environment: str | None, tag: str, client: Any, strategy: str
) -> DeployedApp:
    """Deploy a new version and return when it is live."""
    app_name, where = check(app, name, tag, strategy), environment_name(environment)
    session, declarations = session_of(client), declared(app)
    for attempt in range(_TRIES):
        key = session.ask(dp.DeployKeyAsk(environment=where, app_name=app_name), dp.DeployKey).key
        run = lookups.app_of(session, where, app_name, key)
        try:
            return _deploy(declarations, session, run, tag, strategy)
        except ConflictError:
            if attempt == _TRIES - 1:
                raise
    raise AssertionError


def _deploy(
    declarations: Sequence[Declaration], session: Session, run: DeployedApp, tag: str, strategy: str
) -> DeployedApp:
    pools, loads = [], []
    for declaration in declarations:
        if declaration.spec is not None and not declaration.spec.parameters:
            _, request, load = binding.opening(declaration, {}, run)
            frames = load()
            # what it is launched with is that of its class
            plain = {"launch": None, "variables": None, "load_parts": len(frames)}
            pools.append(msgspec.structs.replace(request, **plain))
            loads.append(b"".join(body_of(frames)))
    told = [_told(declaration, run.environment, named=True) for declaration in declarations]
    told += _referred({(one.name, one.digest) for one, _ in told}, run.environment)
    asked = dp.Deploy(
        environment=run.environment,
        app_name=run.name,
        key=run.key.hex(),
        tag=tag,
        strategy=strategy,
        python=lookups.python_version(),
        classes=[one for one, _ in told],
        pools=pools,
    )
    answer = session.ask(asked, dp.Deployed, [*(data for _, data in told), *loads])
    run.known_as(answer.app, answer.id)
    run.stopped, run.version = False, answer.version
    return run


def declared(app: App) -> list[Declaration]:
    """The classes and functions of an app. InvalidError where there are none."""
    functions = [function.served.__modal__ for function in app.registered_functions.values()]
    found = [*(cls.__modal__ for cls in app.registered_classes.values()), *functions]
    if not found:
        raise InvalidError(f"{app!r} has no class and no function to deploy: decorate one with @app.cls()")
    return found


def _told(declaration: Declaration, environment: str, *, named: bool) -> tuple[dp.DeployedClass, bytes]:
    """A class as the supervisor is told of it, and what its callers need of it."""
    record, variables = classes.record_here(declaration)
    launch: ms.Launch | None = classes.launch_here(include_source=record.options.include_source)
    assert launch is not None
    # look-ups of its code are made in its own environment
    here = dict.fromkeys(("MODAL_ENVIRONMENT", "MODAL_NB_ENVIRONMENT"), environment)
    launch = msgspec.structs.replace(launch, environ=launch.environ | here)
    told = dp.DeployedClass(
        name=declaration.name,
        digest=record.digest,
        launch=launch,
        variables=variables,
        options=declaration.unsupported(frozenset()),
        named=named,
    )
    return told, pickler.dumps(classes.whole(record, declaration.user_cls))


def _referred(known: set[tuple[str, str]], environment: str) -> list[tuple[dp.DeployedClass, bytes]]:
    """Classes of other apps that code of this one refers to: they go along, for their own app may end."""
    more = []
    while references.any_untold():
        for digest, declaration in references.take_untold():
            if (declaration.name, digest) not in known and declaration.lookup is None:
                known.add((declaration.name, digest))
                more.append(_told(declaration, environment, named=False))
    return more
