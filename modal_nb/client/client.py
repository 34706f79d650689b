"""``Client``: which home is meant, where it is not the one of this process."""

from __future__ import annotations

import os
from typing import Any

from modal_nb.client import session as sessions
from modal_nb.exception import InvalidError
from modal_nb.protocol.connection import places
from modal_nb.runtime.context import process


class Client:
    """A home by its folder, to deploy to, to run in or to look things up in.

    ``home``: the folder; None: MODAL_NB_HOME, else the user's data folder. Nothing is started before the first use.
    Inside a container only the supervisor that made it can be asked: InvalidError for another home.
    """

    def __init__(self, home: str | os.PathLike[str] | None = None) -> None:
        if home is not None and not isinstance(home, str | os.PathLike):
            raise InvalidError(f"`home` must be the path of a folder, not {home!r}")
        if home is not None and process.link is not None:
            raise InvalidError("Client(home=...) cannot be used inside a container: leave `home` out")
        self._home = home

    @property
    def home(self) -> str:
        """The folder."""
        return str(places(self._home).home)

    def _session(self) -> sessions.Session:
        """What of this process talks to that home's supervisor."""
        return sessions.of(self._home)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Client) and other.home == self.home

    def __hash__(self) -> int:
        return hash(self.home)

    def __reduce__(self) -> Any:
        return _travelled, (None if self._home is None else self.home,)

    def __repr__(self) -> str:
        return f"<Client of {self.home}>"


def _travelled(home: str | None) -> Client:
    """What came with a pickle: in a container it is the container's own supervisor that is asked."""
    return Client(None if process.link is not None else home)


def session_of(client: Any) -> sessions.Session:
    """The session of ``client``, or of this process. InvalidError for what is no Client."""
    known = checked_client(client)
    return sessions.current() if known is None else known._session()  # noqa: SLF001 - our own class


def checked_client(client: Any) -> Client | None:
    """InvalidError for what is neither a Client nor None."""
    if client is not None and not isinstance(client, Client):
        raise InvalidError(f"`client` must be a modal_nb.Client(home=...), not {client!r}")
    return client
