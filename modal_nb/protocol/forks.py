"""What a supervisor asks of a warm parent: fork a container. One connection for each; standard library only.

The request is a length and JSON. The answer is one byte with a descriptor: the new guard's own pidfd, which means the
same in every process-id namespace. A connection that ends without it: no container came to be.
"""

from __future__ import annotations

import json
import socket
import struct
from pathlib import Path
from typing import NamedTuple

from modal_nb.protocol.launch_file import LaunchFile

_SIZE = struct.Struct("<I")
#: bytes: an environment may be large, more than this is none
LARGEST = 16 << 20
DONE = b"\x01"


class ForkRequest(NamedTuple):
    """What a forked container is to be."""

    launch: LaunchFile
    #: of its Jupyter channels
    connection_file: str
    environ: dict[str, str]
    cwd: str
    #: everything that it prints is appended there
    log: str


def socket_in(connection_file: str | Path) -> Path:
    """Where a snapshot listens: beside its connection file."""
    return Path(connection_file).with_name("fork")


def encode_request(request: ForkRequest) -> bytes:
    """The bytes that are sent."""
    body = json.dumps({**request._asdict(), "launch": request.launch._asdict()}).encode()
    return _SIZE.pack(len(body)) + body


def decode_request(data: bytes) -> ForkRequest:
    """Of what ``receive_request`` gave. Raises ValueError or TypeError when it makes no sense."""
    said = json.loads(data[_SIZE.size :])
    return ForkRequest(**{**said, "launch": LaunchFile(**said["launch"])})


def receive_request(sock: socket.socket) -> bytes:
    """The whole request, its length in front, from a blocking socket. EOFError when it ends before."""
    head = _exactly(sock, _SIZE.size)
    (size,) = _SIZE.unpack(head)
    if size > LARGEST:
        raise EOFError(f"a request of {size} bytes")
    return head + _exactly(sock, size)


def _exactly(sock: socket.socket, size: int) -> bytes:
    data = b""
    while len(data) < size:
        piece = sock.recv(size - len(data))
        if not piece:
            raise EOFError("the request is cut short")
        data += piece
    return data
