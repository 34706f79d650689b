"""What a warm parent is asked for: a container. Whoever asks and whoever is forked write and read it here.

On the wire it is a length and JSON, one request to a connection.
"""

from __future__ import annotations

import json
import struct
from typing import NamedTuple

#: what a zygote says once it can be asked; anything else is the reason why it cannot
READY = b"ready"
#: in front of a request
HEAD = struct.Struct("<I")


class ForkRequest(NamedTuple):
    """What a forked container is to be."""

    #: content of its launch file (protocol/launch_file)
    launch: str
    #: of its Jupyter channels
    connection_file: str
    environ: dict[str, str]
    cwd: str
    #: everything that it prints is appended there
    log: str


def encode_request(request: ForkRequest) -> bytes:
    """The bytes that are sent."""
    body = json.dumps(request._asdict()).encode()
    return HEAD.pack(len(body)) + body


def decode_request(data: bytes) -> ForkRequest:
    """Of a whole request, its head included. Raises ValueError or TypeError when it makes no sense."""
    return ForkRequest(**json.loads(data[HEAD.size :]))
