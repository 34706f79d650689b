"""A guard and a kernel that were forked ahead by a warm parent and wait to become a container.

The parent P forks a launcher L, which makes a process-id namespace, forks the guard G as its pid 1 and is gone; G
forks the kernel K. When a container is wanted, P hands the connection of who asks to G and takes no part any more: G
reads the request, passes it on to K, holds the container's lease, and answers with a descriptor of itself. P may end
then.
"""

from __future__ import annotations

import os
import socket
import sys
from collections.abc import Callable, Iterable
from typing import NoReturn

from modal_nb.container.guard import Guard, hold_lease
from modal_nb.container.linux import hold_next_child, mount_own_proc
from modal_nb.container.log_keeper import LogKeeper
from modal_nb.protocol.forks import DONE, receive_request
from modal_nb.protocol.launch_file import decode_launch
from modal_nb.spec.fork_request import ForkRequest, decode_request

#: exit code of a guard that nobody needs
_UNWANTED = 0
_FAILED = 70


class Spare:
    """What the parent holds of one. Dropped without ``hand``, it ends."""

    def __init__(self, tie: socket.socket) -> None:
        self._tie = tie

    def hand(self, asked: socket.socket) -> None:
        """Have it become the container that is asked for on this connection. BrokenPipeError: it has ended."""
        with self._tie:
            socket.send_fds(self._tie, [DONE], [asked.fileno()])


def fork_spare(own: Iterable[int], warm: Callable[[], None]) -> Spare | ForkRequest:
    """Returns a Spare in the parent and, once it is wanted, what was asked for in the kernel. ``own``: descriptors that
    the parent alone may hold; ``warm``: called in the kernel while it is not wanted yet. OSError when there is no room
    for more processes.
    """
    ours, theirs = socket.socketpair()
    launcher = os.fork()
    if launcher:
        theirs.close()
        if os.waitpid(launcher, 0)[1]:
            ours.close()
            raise OSError("a container could not be forked")
        return Spare(ours)
    ours.close()
    for descriptor in own:
        os.close(descriptor)
    return _launch(theirs, warm)


def _launch(tie: socket.socket, warm: Callable[[], None]) -> ForkRequest:
    """L and G; returns in K only."""
    try:
        hold_next_child()
        if os.fork():
            os._exit(0)
    except OSError as error:
        _give_up(f"a container could not be forked: {error}")
    try:
        mount_own_proc()
        words, orders = os.pipe()
        log = LogKeeper(-1)
        guard = Guard(log, namespaced=True)
        kernel = guard.fork_kernel()
    except OSError as error:
        _give_up(f"a container could not be forked: {error}")
    if kernel:
        os.close(words)
        _guard(guard, log, kernel, tie, orders)
    os.close(orders)
    tie.close()
    warm()
    return _told(words)


def _guard(guard: Guard, log: LogKeeper, kernel: int, tie: socket.socket, orders: int) -> NoReturn:
    """G: wait, introduce the container, keep it."""
    _, given, _, _ = socket.recv_fds(tie, 1, 1)
    tie.close()
    if not given:
        os._exit(_UNWANTED)
    try:
        with socket.socket(fileno=given[0]) as asked:
            data = receive_request(asked)
            with os.fdopen(orders, "wb", buffering=0) as pipe:
                pipe.write(data)
            request = decode_request(data)
            log.open(request.log)
            launch = decode_launch(request.launch)
            lease = hold_lease(launch.socket, launch.container, launch.token, namespaced=True)
            me = os.pidfd_open(os.getpid())
            socket.send_fds(asked, [DONE], [me])
            os.close(me)
    except (OSError, EOFError, ValueError, TypeError) as error:
        _give_up(f"a container could not begin: {error}")
    guard.keep(kernel, lease)


def _told(words: int) -> ForkRequest:
    """K: what it is to be. Ends with its guard."""
    with os.fdopen(words, "rb") as pipe:
        data = pipe.read()
    if not data:
        os._exit(_UNWANTED)
    return decode_request(data)


def _give_up(why: str) -> NoReturn:
    sys.stderr.write(f"{why}\n")
    sys.stderr.flush()
    os._exit(_FAILED)
