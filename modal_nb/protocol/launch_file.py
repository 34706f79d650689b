"""The file with which a container is started: 0600, in the container's private folder, gone once it is read.

The supervisor writes it, the container's launcher reads it. Its path is all that ever stands in a command
line. Standard library only: the launcher stays small.
"""

from __future__ import annotations

import json
from typing import NamedTuple

#: what serves a container
SERVE = "modal_nb.container.main:serve"


class LaunchFile(NamedTuple):
    """What a container needs to know before it can speak to the supervisor."""

    #: path of the supervisor's Unix socket, for the lease and for the container's streams
    socket: str
    container: int
    #: opens the lease and the streams of this container, and of no other
    token: str
    #: hex; signs what travels between the caller and this container
    key: str
    #: the caller's working directory and module path
    cwd: str
    sys_path: list[str]
    #: ``module:function`` that serves in the kernel's process, called with this record and the connection
    #: file's path
    entry: str = SERVE
    #: bytes that the result of one input may take
    payload_bound: int = 2 * 1024**3
    #: folder of what calls print; empty: nothing is noted
    logs: str = ""
    #: private, for tests: False starts the container without a process-id namespace
    namespace: bool | None = None


def encode_launch(launch: LaunchFile) -> bytes:
    return json.dumps(launch._asdict()).encode()


def decode_launch(data: bytes | str) -> LaunchFile:
    """Raises ValueError or TypeError when the bytes are no launch file."""
    return LaunchFile(**json.loads(data))
