"""The warm parents of this machine: one for each interpreter and environment, started when a container needs it."""

from __future__ import annotations

import asyncio
import logging
import secrets
from dataclasses import dataclass
from pathlib import Path

from modal_nb.protocol.connection import Places
from modal_nb.provisioners.base import LaunchFailed
from modal_nb.provisioners.zygote import NoForks, Zygote, at_start
from modal_nb.supervisor.records import Pool, Way

log = logging.getLogger("modal_nb.supervisor")

_Key = tuple[str, ...]


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
        self._zygotes: dict[_Key, asyncio.Task[Zygote]] = {}

    async def of(self, pool: Pool) -> Origin:
        """The warm parent of its environment."""
        launch = pool.launch
        environ = at_start({**launch.environ, **launch.variables})
        key = (launch.executable, *(f"{name}={value}" for name, value in sorted(environ.items())))
        task = self._zygotes.get(key)
        if task is None:
            path = self._places.run / f"zy-{secrets.token_hex(4)}"
            started = Zygote.start(launch.executable, environ, path, self._places.logs / "zygote.log")
            task = self._zygotes[key] = self._loop.create_task(started)
            task.add_done_callback(lambda done: self._started(key, done))
        try:
            return Origin(Way.FORK, (await asyncio.shield(task)).path)
        except LaunchFailed as error:
            return Origin(Way.PLAIN, why=str(error))

    def _started(self, key: _Key, task: asyncio.Task[Zygote]) -> None:
        if task.cancelled():
            return
        error = task.exception()
        if error is None:
            task.result().watch(lambda: self._ended(key))
            return
        log.warning("no zygote error=%s", error)
        if not isinstance(error, NoForks):
            self._zygotes.pop(key, None)  # the next container tries again

    def _ended(self, key: _Key) -> None:
        log.warning("a zygote has ended; the next container starts another one")
        self._zygotes.pop(key, None)

    def close(self) -> None:
        """The supervisor ends."""
        for task in self._zygotes.values():
            if task.done() and not task.cancelled() and task.exception() is None:
                task.result().close()
            else:
                task.cancel()
        self._zygotes.clear()
