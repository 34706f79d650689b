"""Classes and functions of deployed apps, found by name. Found once they are remembered, until the supervisor says that
a newer version has been deployed.
"""

from __future__ import annotations

import contextlib
import pickle
import platform
from dataclasses import dataclass
from typing import TYPE_CHECKING

from modal_nb.client.client import session_of
from modal_nb.client.environments import environment_name
from modal_nb.client.link import LinkLost
from modal_nb.client.running import RunningApp
from modal_nb.exception import Error, NotFoundError, VersionError
from modal_nb.protocol import deployment as dp
from modal_nb.protocol import messages as ms

if TYPE_CHECKING:
    from modal_nb.client.classes import ClassRecord
    from modal_nb.client.declaration import Declaration, Lookup
    from modal_nb.client.link import Link
    from modal_nb.client.session import Session


class DeployedApp(RunningApp):
    """A deployed app as one process uses it: it lives without this process."""

    deployed = True

    def __init__(self, session: Session, environment: str, name: str, key: bytes) -> None:
        super().__init__(session, name, key)
        self.environment = environment
        #: that this process deployed last; 0: none
        self.version = 0

    def known_as(self, number: int, identity: str) -> None:
        """The supervisor's number of it; from now on it is told to a new supervisor."""
        self.number, self.id = number, identity
        if self not in self.session.apps:
            self.session.apps.append(self)

    def reopen(self, link: Link) -> None:
        """A new supervisor has it by itself; what this process uses of it is opened again when it is used."""
        for pool in self.pools.values():
            pool.number = 0
        self.number = 0
        with contextlib.suppress(Error):  # who uses it is told
            self.know(link)

    def know(self, link: Link) -> None:
        """Find out its number, if it is not known. NotFoundError if it is not deployed any more."""
        if self.number:
            return
        asked = dp.ClassLookup(environment=self.environment, app_name=self.name, name="")
        found, _ = link.ask(asked, dp.LookedUp)
        self.number, self.id = found.app, found.app_id
        for declared in self.declared.values():
            link.ask(declared.request(self.number), ms.Done, [declared.data])

    def stop(self) -> None:
        """End it for everybody; returns when no container of it is left."""
        self.stopped = True
        if self in self.session.apps:
            self.session.apps.remove(self)
        self.session.ask(dp.DeployedAppStop(environment=self.environment, app_name=self.name), ms.Done)
        self.session.watching.refresh()


@dataclass(frozen=True, slots=True)
class Found:
    """What a name means now."""

    run: DeployedApp
    record: ClassRecord
    version: int


_found: dict[tuple[Session, Lookup, str], Found] = {}
_apps: dict[tuple[Session, str, str], DeployedApp] = {}


def find(declaration: Declaration) -> Found:
    """What the name of a looked-up class means. NotFoundError, VersionError, ConnectionError."""
    lookup = declaration.lookup
    assert lookup is not None
    return _found.get((session_of(lookup.client), lookup, declaration.name)) or again(declaration)


def known(declaration: Declaration) -> Found | None:
    """What it meant when it was last asked for; nobody is asked now."""
    lookup = declaration.lookup
    return next((found for at, found in _found.items() if at[1:] == (lookup, declaration.name)), None)


def again(declaration: Declaration) -> Found:
    """``find``, asking anew."""
    lookup = declaration.lookup
    assert lookup is not None
    session = session_of(lookup.client)
    asked = _asking_for(declaration, lookup)
    try:
        answer, buffers = session.fetch(asked, dp.LookedUp)
    except NotFoundError as error:
        where = f" in the {lookup.environment_name!r} environment" if lookup.environment_name else ""
        raise NotFoundError(
            f"Lookup failed for {lookup.what} {declaration.name!r} from the {lookup.app_name!r} app{where}: {error}"
        ) from None
    _check_python(declaration, answer.python)
    run = app_of(session, asked.environment, lookup.app_name, answer.key)
    run.known_as(answer.app, answer.app_id)
    made = Found(run, pickle.loads(buffers[0]), answer.version)
    _found[session, lookup, declaration.name] = made
    return made


def look(declaration: Declaration, link: Link) -> ClassRecord | None:
    """The record of a looked-up class, for views: nothing is started or remembered. None where there is none."""
    lookup = declaration.lookup
    assert lookup is not None
    try:
        _, buffers = link.ask(_asking_for(declaration, lookup), dp.LookedUp)
        record: ClassRecord = pickle.loads(buffers[0])
    except (Error, LinkLost, pickle.UnpicklingError, AttributeError, ImportError):
        return None
    return record


def _asking_for(declaration: Declaration, lookup: Lookup) -> dp.ClassLookup:
    return dp.ClassLookup(
        environment=environment_name(lookup.environment_name),
        app_name=lookup.app_name,
        name=declaration.name,
        version=lookup.version or 0,
    )


def app_of(session: Session, environment: str, name: str, key: str) -> DeployedApp:
    """The one record of a deployed app in this process; ``key`` in hex."""
    made = _apps.get((session, environment, name))
    if made is None or made.key.hex() != key:
        made = _apps[session, environment, name] = DeployedApp(session, environment, name, bytes.fromhex(key))
    return made


def _check_python(declaration: Declaration, theirs: str) -> None:
    ours = python_version()
    if theirs != ours:
        assert declaration.lookup is not None
        raise VersionError(
            f"{declaration.name} of the app {declaration.lookup.app_name!r} was deployed from Python {theirs}, and "
            f"this is Python {ours}: code that travels between them would fail in odd ways. Call it from Python "
            f"{theirs}, or deploy it again from Python {ours}"
        )


def python_version() -> str:
    """What both sides must have in common: "3.12"."""
    major, minor, _ = platform.python_version_tuple()
    return f"{major}.{minor}"
