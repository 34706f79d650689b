"""The two ways to a supervisor: by a home folder, starting one if need be, or from inside a container."""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable
from typing import Protocol

from modal_nb.client import launcher
from modal_nb.client.link import Link, LinkLost
from modal_nb.exception import ConnectionError
from modal_nb.protocol.connection import Places, places
from modal_nb.protocol.messages import Hello
from modal_nb.protocol.stream import Packet
from modal_nb.runtime.context import ContainerLink
from modal_nb.version import __version__

OnResult = Callable[[Packet], None]
OnEnd = Callable[[Link], None]

_TRIES = 3


class Door(Protocol):
    """How a session gets a connection."""

    #: for messages: where to read more
    about: str
    #: whether another supervisor may take the place of one that died
    reopens: bool
    #: the home behind it
    where: Places

    def connect(self, on_result: OnResult, on_end: OnEnd, *, start: bool) -> Link:
        """A new connection; ``start``: to a new supervisor if none runs. Raises ConnectionError."""
        ...

    def ended_in_order(self) -> bool:
        """Whether the supervisor whose connection has just ended was told to end."""
        ...


class HomeDoor:
    """For notebooks and scripts: finds the supervisor of a home folder, or starts it."""

    reopens = True

    def __init__(self, where: Places) -> None:
        self.where = where
        #: by it the supervisor knows that a new connection is of the same process
        self._session = secrets.token_hex(8)
        self.about = f"its log is {where.supervisor_log}"

    def connect(self, on_result: OnResult, on_end: OnEnd, *, start: bool) -> Link:
        lost = ""
        for _ in range(_TRIES):
            connection = (launcher.find_or_start if start else launcher.find)(self.where)
            if connection is None:
                raise ConnectionError("no supervisor runs here: the first call starts one")
            hello = Hello(role="client", pid=os.getpid(), version=__version__, session=self._session)
            try:
                return Link(connection.socket, bytes.fromhex(connection.key), hello, on_result, on_end)
            except (OSError, LinkLost) as error:
                # the exception itself would hold our frame, and all calls of those above it
                lost = str(error)
                launcher.discard(self.where, connection)
        raise ConnectionError(f"the supervisor cannot be reached ({lost}); {self.about}")

    def ended_in_order(self) -> bool:
        """It takes its connection file along before it hangs up; one that was killed leaves it."""
        return not self.where.connection_file.exists()


class ContainerDoor:
    """For code in a container: the supervisor that made it. Without that one the container ends anyway."""

    reopens = False
    about = "the container ends with it"

    def __init__(self, link: ContainerLink) -> None:
        self._link = link
        self.where = places()

    def connect(self, on_result: OnResult, on_end: OnEnd, *, start: bool) -> Link:
        hello = Hello(
            role="nested",
            pid=os.getpid(),
            version=__version__,
            container=self._link.container,
            token=self._link.token,
        )
        try:
            return Link(self._link.socket, self._link.key, hello, on_result, on_end)
        except (OSError, LinkLost) as error:
            raise ConnectionError(f"the supervisor cannot be reached from this container: {error}") from None

    def ended_in_order(self) -> bool:
        return False
