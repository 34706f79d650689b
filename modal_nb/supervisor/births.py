"""How the process of a container comes to be: forked where that can be, else started."""

from __future__ import annotations

import asyncio
import logging
import secrets
from pathlib import Path

from modal_nb.protocol.launch_file import SERVE, LaunchFile, encode_launch
from modal_nb.provisioners.base import LaunchFailed
from modal_nb.provisioners.launch import LaunchedContainer, LaunchRequest, launch
from modal_nb.spec import ids
from modal_nb.supervisor.records import Container, Pool, Way
from modal_nb.supervisor.settings import Settings
from modal_nb.supervisor.zygotes import Origin

#: seconds
_WORD_COMES = 0.05

log = logging.getLogger("modal_nb.supervisor")


async def end_of(process: LaunchedContainer) -> None:
    """Nothing of it is left, and its guard's own word, which comes by the lease in the same moment, has been read."""
    await process.wait()
    await asyncio.sleep(_WORD_COMES)


class Births:
    """Makes records and their processes."""

    def __init__(self, settings: Settings, epoch: str) -> None:
        self._places = settings.places
        self._payload_bound = settings.payload_bound
        self._epoch = epoch

    def record(self, number: int, pool: Pool, now: float) -> Container:
        """A container that is wanted."""
        identity = f"{ids.render(ids.Kind.CONTAINER, number)}-{self._epoch}"
        return Container(
            number=number,
            id=identity,
            pool=pool,
            token=secrets.token_hex(16),
            folder=self._places.run / identity,
            log=self._places.logs / f"{identity}.log",
            born=now,
        )

    async def begin(self, container: Container, origin: Origin, now: float) -> LaunchedContainer:
        """Fork it, or start it where that fails. Raises LaunchFailed."""
        container.way, container.why_plain, container.origin_at = origin.way, origin.why, now
        if origin.why:
            self._note(container)
        try:
            return await launch(self.request(container, origin.parent))
        except LaunchFailed as error:
            if origin.parent is None or error.errno is not None:  # such as: the folder is gone
                raise
            container.way, container.why_plain = Way.PLAIN, str(error)
            self._note(container)
            return await launch(self.request(container))

    def _note(self, container: Container) -> None:
        """Why it does not start as it might: in its own log, too."""
        log.info("container id=%s way=%s why=%s", container.id, container.way, container.why_plain)
        wanted = "no memory snapshot" if container.pool.spec.snapshot else "not forked"
        line = f"[modal_nb: {wanted}, its start takes longer: {container.why_plain}]\n"
        with container.log.open("a", encoding="utf-8") as file:
            file.write(line)
        container.log.chmod(0o600)

    def request(self, container: Container, parent: Path | None = None, entry: str = SERVE) -> LaunchRequest:
        """``entry``: what serves in its process."""
        inherited = container.pool.launch
        launch_file = LaunchFile(
            socket=str(self._places.socket),
            container=container.number,
            token=container.token,
            key=container.pool.app.codec.key.hex(),
            cwd=inherited.cwd,
            sys_path=inherited.sys_path,
            payload_bound=self._payload_bound,
            logs=str(self._places.logs),
            entry=entry,
        )
        return LaunchRequest(
            folder=container.folder,
            launch=encode_launch(launch_file),
            executable=inherited.executable,
            cwd=inherited.cwd,
            environ={
                **inherited.environ,
                **inherited.variables,
                "MODAL_TASK_ID": container.id,
                "MODAL_IS_REMOTE": "1",
            },
            log=container.log,
            cpu=container.pool.spec.resources.cpu,
            parent=parent,
        )
