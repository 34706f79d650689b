"""Apps that run: started by ``with app.run():``, or by themselves at the first use in a notebook."""

from __future__ import annotations

import atexit
import secrets
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING

from modal_nb.client import notebook
from modal_nb.client import session as sessions
from modal_nb.client.introspect import shell_here
from modal_nb.client.link import Link
from modal_nb.client.pool import Pool
from modal_nb.exception import ExecutionError, NotFoundError
from modal_nb.protocol import messages as ms
from modal_nb.protocol.codec import Codec
from modal_nb.protocol.opening import AppOpen, AppOpened
from modal_nb.runtime.context import process

if TYPE_CHECKING:
    from modal_nb.client.app import App


class RunningApp:
    """One run of an app. It lives and dies with the process that started it."""

    #: it lives without this process, and so do calls that are made by ``.spawn``
    deployed = False
    #: of a deployed one that this process knows by name
    environment = ""

    def __init__(self, session: sessions.Session, name: str, key: bytes) -> None:
        self.session = session
        self.name = name
        self.key = key
        self.codec = Codec(key, secrets.token_hex(6))
        #: pool key -> pool
        self.pools: dict[str, Pool] = {}
        #: references to classes that the supervisor was told of
        self.declared: dict[tuple[str, str], Declared] = {}
        self.number = 0
        #: "ap-...", for people
        self.id = ""
        self.stopped = False
        #: whose it is when this process goes, and for how many seconds what is warm lingers then; "" and 0.0: nobody's
        self.notebook, self.linger = "", 0.0

    def open(self) -> None:
        """Start it, or take over what lingers of it: called once, by the process that it lives and dies with."""
        opened = self.session.ask(self._opening(adopts=True), AppOpened)
        self.number, self.id = opened.app, opened.id
        if opened.key != self.key.hex():
            self.key = bytes.fromhex(opened.key)
            self.codec = Codec(self.key, secrets.token_hex(6))
        self.session.apps.append(self)

    def _opening(self, *, adopts: bool = False) -> AppOpen:
        return AppOpen(
            name=self.name, key=self.key.hex(), notebook=self.notebook, linger=self.linger, adopts=adopts
        )

    def reopen(self, link: Link) -> None:
        """A new supervisor must be told of the app, its classes and its pools."""
        opened, _ = link.ask(self._opening(), AppOpened)
        self.number, self.id = opened.app, opened.id
        for declared in self.declared.values():
            link.ask(declared.request(self.number), ms.Done, [declared.data])
        for pool in self.pools.values():
            pool.reopen(link)

    def know(self, link: Link) -> None:
        """Called before a pool of it is opened again: a supervisor that is told of it knows its number."""

    def stop(self) -> None:
        """End it: what runs is cancelled, exit hooks run; returns when no container of it is left."""
        if self.stopped:
            return
        self.stopped = True
        if self in self.session.apps:
            self.session.apps.remove(self)
        try:
            if self.session.linked():  # else its supervisor has ended, and its containers with it
                self.session.ask(lambda: ms.AppStop(app=self.number), ms.Done)
        except NotFoundError:
            pass  # the supervisor that ran it is gone, and its containers with it
        finally:
            self.session.kept.forget(self)
            self.session.watching.refresh()

    def __repr__(self) -> str:
        state = "stopped" if self.stopped else "running"
        return f"<{state} app {self.name} {self.id}, {len(self.pools)} pools>"


def start(
    app: App, name: str | None = None, session: sessions.Session | None = None, *, lingers: bool = False
) -> RunningApp:
    """Run ``app``, by default in this process's session; the caller ends it with ``stop``.

    ``lingers``: it is the notebook's, whose next kernel may find it.
    """
    running = RunningApp(
        session or sessions.current(), name or app.name or "notebook", secrets.token_bytes(32)
    )
    if lingers:
        running.notebook, running.linger = notebook.lingering(app, running.session)
    running.open()
    return running


def current(app: App) -> RunningApp:
    """The innermost run of ``app``; in IPython one is started if there is none. In a container: the container's app.

    Raises ExecutionError in scripts, where ``with app.run():`` says how long containers are to live.
    """
    if process.link is not None:
        return inside()[0]
    running = app.running()
    if running is not None:
        return running
    if not in_ipython():
        raise ExecutionError(
            f"the app {app.name or ''!r} is not running: put the call inside `with app.run():`. "
            "(In a notebook or IPython an app runs by itself from its first use.)"
        )
    with _starting:
        running = app.running()  # threads of several cells may use it first at the same time
        if running is None:
            running = start(app, lingers=True)
            app._running.insert(0, running)  # noqa: SLF001 - the app keeps what runs of it for this module
            atexit.register(_stop_at_exit, running)
            shell_here().extension_manager.load_extension("modal_nb")
        return running


_starting = threading.Lock()
_inside: list[tuple[RunningApp, ms.Inside]] = []


def inside() -> tuple[RunningApp, ms.Inside]:
    """The app of the container that this code runs in, and what the supervisor says of the container."""
    if not _inside:
        assert process.link is not None
        session = sessions.current()
        found = session.ask(ms.AppInside(), ms.Inside)
        running = RunningApp(session, found.app_name, process.link.key)
        running.number, running.id, running.deployed = found.app, found.app_id, found.deployed
        _inside.append((running, found))
    return _inside[0]


@dataclass(frozen=True, slots=True)
class Declared:
    """A class that the supervisor was told of, because a reference to it travelled."""

    name: str
    digest: str
    launch: ms.Launch | None
    variables: dict[str, str]
    #: what a container needs to open its pools
    data: bytes

    def request(self, app: int) -> ms.ClassDeclare:
        return ms.ClassDeclare(
            app=app, name=self.name, digest=self.digest, launch=self.launch, variables=self.variables
        )


def in_ipython() -> bool:
    """Whether this process is an IPython shell or a notebook kernel."""
    return shell_here() is not None


def _stop_at_exit(running: RunningApp) -> None:
    """The notebook kernel ends in good order: let exit hooks run, unless what is warm waits for the next kernel."""
    if running.linger:
        return  # the supervisor sees the connection go, as when the kernel is killed
    try:
        running.stop()
    except Exception:  # noqa: BLE001 - the interpreter ends; the supervisor sees the connection go anyway
        running.session.apps.clear()
