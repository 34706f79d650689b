"""How a supervisor asks a warm parent for a container; one connection for each request. Standard library only.

The answer is one byte with a descriptor: the new guard's own pidfd, which means the same in every process-id namespace.
A connection that ends without it: no container came to be.
"""

from __future__ import annotations

import socket
from pathlib import Path

from modal_nb.spec.fork_request import HEAD

#: bytes: an environment may be large, more than this is none
LARGEST = 16 << 20
DONE = b"\x01"


def socket_in(connection_file: str | Path) -> Path:
    """Where a snapshot listens: beside its connection file."""
    return Path(connection_file).with_name("fork")


def receive_request(sock: socket.socket) -> bytes:
    """The whole request, its head included, from a blocking socket. EOFError when it ends before."""
    head = _exactly(sock, HEAD.size)
    (size,) = HEAD.unpack(head)
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
