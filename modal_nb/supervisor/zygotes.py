"""The warm parents of this machine: one for each interpreter and environment, started when a container needs it."""

from __future__ import annotations

import asyncio
import logging
import secrets
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from modal_nb.protocol.connection import Places
from modal_nb.provisioners.base import LaunchFailed
from modal_nb.provisioners.zygote import NoForks, Zygote, at_start
from modal_nb.supervisor.records import Pool, Way

log = logging.getLogger("modal_nb.supervisor")

_Key = tuple[str, ...]
#: when what an interpreter finds installed was changed: folder by folder, nanoseconds
_Stamp = tuple[int, ...]
#: folders whose change means that something was installed, or is gone
_INSTALLED = ("site-packages", "dist-packages")


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a container comes from."""

    way: Way
    #: whom to ask for it; None: it starts plainly
    parent: Path | None = None
    #: why it does not come from where it was to come from
    why: str = ""


class Zygotes:
    """Where no fork can be there will be none: containers start plainly for good."""

    def __init__(self, places: Places, loop: asyncio.AbstractEventLoop) -> None:
        self._places = places
        self._loop = loop
        self._zygotes: dict[_Key, tuple[_Stamp, asyncio.Task[Zygote]]] = {}

    async def of(self, pool: Pool) -> Origin:
        """The warm parent of its environment."""
        launch = pool.launch
        environ = at_start({**launch.environ, **launch.variables})
        key = (launch.executable, *(f"{name}={value}" for name, value in sorted(environ.items())))
        stamp = _stamp(launch.sys_path)
        known = self._zygotes.get(key)
        if known is None or known[0] != stamp:
            if known is not None:
                known[1].add_done_callback(_close)
            path = self._places.run / f"zy-{secrets.token_hex(4)}"
            started = Zygote.start(launch.executable, environ, path, self._places.logs / "zygote.log")
            known = self._zygotes[key] = stamp, self._loop.create_task(started)
            known[1].add_done_callback(lambda done: self._started(key, done))
        try:
            return Origin(Way.FORK, (await asyncio.shield(known[1])).path)
        except LaunchFailed as error:
            return Origin(Way.PLAIN, why=str(error))

    def _started(self, key: _Key, task: asyncio.Task[Zygote]) -> None:
        if task.cancelled():
            return
        error = task.exception()
        if error is None:
            task.result().watch(lambda: self._ended(key, task))
            return
        log.warning("no zygote error=%s", error)
        if not isinstance(error, NoForks):
            self._forget(key, task)

    def _ended(self, key: _Key, task: asyncio.Task[Zygote]) -> None:
        log.warning("a zygote has ended")
        self._forget(key, task)

    def _forget(self, key: _Key, task: asyncio.Task[Zygote]) -> None:
        """The next container starts another one."""
        if key in self._zygotes and self._zygotes[key][1] is task:
            del self._zygotes[key]

    def close(self) -> None:
        """The supervisor ends."""
        for _, task in self._zygotes.values():
            if not task.cancel():
                _close(task)
        self._zygotes.clear()


def _close(task: asyncio.Task[Zygote]) -> None:
    """End it, if it came up. Its containers live on."""
    if not task.cancelled() and task.exception() is None:
        task.result().close()


def _stamp(sys_path: list[str]) -> _Stamp:
    """Packages that were installed after a zygote had started may bring import hooks that it lacks."""
    found = []
    for place in sys_path:
        if place.endswith(_INSTALLED):
            with suppress(OSError):
                found.append(Path(place).stat().st_mtime_ns)
    return tuple(found)
