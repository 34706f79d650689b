"""What a panel's front end may ask for: checked here, and done by the client's public ways."""

from __future__ import annotations

from typing import Any

from modal_nb.client import steering
from modal_nb.client.session import Session
from modal_nb.exception import ConflictError, InvalidError
from modal_nb.views.pool_model import PoolModel


def perform(session: Session, model: PoolModel, content: dict[str, Any]) -> None:
    """Do it, waiting for the supervisor. Errors of modal_nb say why not, in a sentence."""
    number, name, arguments = content.get("pool"), str(content.get("name")), content.get("arguments")
    if not isinstance(arguments, dict) or not all(isinstance(key, str) for key in arguments):
        raise InvalidError("a command has arguments by name")
    if model.connection != "connected":
        raise ConflictError(model.message or "there is no connection to the supervisor now")
    pool = model.pools.get(number) if isinstance(number, int) else None
    if pool is None or pool["state"] == "gone":
        raise ConflictError("this pool has ended")
    if name == "update_autoscaler":
        steering.update_autoscaler(session, pool["pool"], arguments)
    elif name == "start_container":
        steering.start_container(session, pool["pool"])
    elif name in {"drain_container", "kill_container"}:
        # as ``id`` or ``container``
        container = model.container(pool["pool"], arguments.get("id", arguments.get("container")))
        if container is None:
            raise ConflictError("this container has ended already")
        steering.stop_container(session, container["id"], kill=name == "kill_container")
    else:
        raise InvalidError(f"there is no command {name!r}")
