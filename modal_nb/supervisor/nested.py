"""What code inside containers may ask for: its own app and pool, and the classes to which references travel.

A class is told of by whoever sends a reference to it. Its variables (env, secrets) stay here and reach only containers
of that class.
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from modal_nb.exception import NotFoundError
from modal_nb.protocol import messages as ms
from modal_nb.protocol.codec import Frame
from modal_nb.supervisor.records import App, Client, DeclaredClass

#: versions of classes that one app may hold; the oldest is forgotten first
_MOST_CLASSES = 200


def declare(client: Client, app: App, asked: ms.ClassDeclare, data: Frame) -> None:
    """Take in a class to which a reference is about to travel."""
    launch = asked.launch or base_launch(client)
    launch = msgspec.structs.replace(launch, variables=asked.variables)
    app.classes[asked.name, asked.digest] = DeclaredClass(launch, bytes(data))
    named = app.deployment.named.items() if app.deployment else ()
    for known in list(app.classes)[: max(0, len(app.classes) - _MOST_CLASSES)]:
        if known not in named:
            del app.classes[known]


def find(client: Client, apps: Mapping[int, App], asked: ms.ClassAsk) -> tuple[App, DeclaredClass]:
    """The class of a reference: in the own app, else in another app of the same owner. Raises NotFoundError."""
    own = None if client.container is None else client.container.pool.app
    usable = [app for app in apps.values() if client.may_use(app)]
    for app in sorted(usable, key=lambda app: (app.name != asked.app_name, app is not own)):
        found = app.classes.get((asked.name, asked.digest))
        if found is not None:
            return app, found
    raise NotFoundError(
        f"the class {asked.name!r} of the app {asked.app_name!r} is not known here any more: its app has ended, or "
        "too many versions of its classes came after it"
    )


def inside(client: Client) -> ms.Inside:
    """Which app and pool the container of this client belongs to."""
    if client.container is None:
        raise NotFoundError("this client is not inside a container")
    pool = client.container.pool
    return ms.Inside(
        app=pool.app.number,
        app_id=pool.app.id,
        app_name=pool.app.name,
        pool=pool.number,
        spec=pool.spec,
        deployed=pool.app.owner is None,
    )


def launch_of(client: Client, app: App, asked: ms.PoolOpen) -> ms.Launch:
    """With what the containers of a pool are started: as the opener says, as declared, or as for its own pool."""
    declared = app.classes.get((asked.name, asked.digest))
    launch = asked.launch or (declared.launch if declared else base_launch(client))
    if asked.variables is None:
        return launch
    return msgspec.structs.replace(launch, variables=asked.variables)


def base_launch(client: Client) -> ms.Launch:
    """What containers of the client's own pool inherit, without that class's variables."""
    if client.container is None:
        raise NotFoundError("a client outside of containers must say what its containers inherit")
    return msgspec.structs.replace(client.container.pool.launch, variables={})
