"""The writing end of a stream: packets leave it in whole, in order, and with their leases."""

from __future__ import annotations

import collections
import errno
import itertools
import select
import socket
import struct
import threading
import time
from collections.abc import Sequence

from modal_nb.protocol.codec import Frame
from modal_nb.protocol.leases import Lease, Lent
from modal_nb.protocol.packets import MAGIC, MAGIC_LENT, size_of

#: how a descriptor is written beside a packet
DESCRIPTOR = struct.Struct("i")
#: seconds until a descriptor is sent that the system would not take, because too many are on their way
CROWDED_WAIT = 0.01
#: sendmsg takes at most IOV_MAX pieces
_MOST_PIECES = 512
#: below this one copy is cheaper than several pieces
_JOIN_UNDER = 64 * 1024
_FOLD_AT = 16
_DONTWAIT = (int(socket.MSG_DONTWAIT),)


class Sender:
    """Writes packets in whole and in order; any thread may send.

    What cannot be written at once stays in the outbox. Everything here survives an exception that a signal handler
    raises in its middle (KeyboardInterrupt): the C call that writes also stores how much it wrote, and all else is
    derived from that: a packet is never torn, and a descriptor goes with the first byte of its packet, and not again.
    """

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock
        self._lock = threading.Lock()
        #: (end, piece, lease): the piece ends at this offset of all bytes ever pushed; a lease goes with its first
        self._outbox: collections.deque[tuple[int, memoryview, Lease | None]] = collections.deque()
        #: sizes of the writes so far; their sum is how far the stream got
        self._writes: list[int] = []
        #: what is left does not wait for the reader: too many descriptors of this user are on their way
        self.crowded = False

    def push(self, pieces: Sequence[Frame]) -> None:
        """Queue a whole packet; ``flush`` writes it. The last piece is ``Lent`` where a lease goes along."""
        lease = None
        if pieces and type(pieces[-1]) is Lent:
            lease = pieces[-1].lease
            if lease:
                pieces = (MAGIC_LENT + bytes(pieces[0][len(MAGIC) :]), *pieces[1:])
        if size_of(pieces) <= _JOIN_UNDER:
            joined = memoryview(b"".join(pieces))
            with self._lock:
                end = self._outbox[-1][0] if self._outbox else sum(self._writes)
                self._outbox.append((end + len(joined), joined, lease))
            return
        with self._lock:
            end = self._outbox[-1][0] if self._outbox else sum(self._writes)
            queued = []
            for piece in pieces:
                view = memoryview(piece).cast("B")
                end += view.nbytes
                queued.append((end, view, lease))
                lease = None
            self._outbox.extend(queued)

    def flush(self) -> bool:
        """Write what the socket takes now. False: it would block, something is left."""
        with self._lock:
            outbox, writes = self._outbox, self._writes
            while True:
                done = sum(writes)
                while outbox and outbox[0][0] <= done:
                    outbox.popleft()
                if not outbox:
                    return True
                end, view, lease = outbox[0]
                if len(writes) > _FOLD_AT:
                    writes[:] = [done]
                try:
                    if len(outbox) == 1 and lease is None and end - len(view) >= done:
                        writes.extend(map(self._sock.send, (view,), _DONTWAIT))
                    else:
                        batch, beside = self._batch(done)
                        writes.extend(map(self._sock.sendmsg, (batch,), (beside,), _DONTWAIT))
                except OSError as error:
                    self.crowded = error.errno == errno.ETOOMANYREFS
                    if self.crowded or isinstance(error, BlockingIOError | InterruptedError):
                        return False
                    raise

    def _batch(self, done: int) -> tuple[list[memoryview], list[tuple[int, int, bytes]]]:
        """What one call is to write from there on, and what goes beside it: a lease begins a call."""
        batch: list[memoryview] = []
        beside: list[tuple[int, int, bytes]] = []
        for end, view, lease in itertools.islice(self._outbox, _MOST_PIECES):
            begun = end - view.nbytes < done
            if lease and not begun:
                if batch:
                    break
                beside = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, DESCRIPTOR.pack(lease.fd))]
            batch.append(view[done - end :] if begun else view)
        return batch, beside

    def queued(self) -> int:
        """Bytes that wait for the other side to read."""
        with self._lock:
            return self._outbox[-1][0] - sum(self._writes) if self._outbox else 0

    def send(self, pieces: Sequence[Frame]) -> None:
        """Queue a packet and write until nothing is left, waiting for the socket where needed."""
        self.push(pieces)
        while not self.flush():
            if self.crowded:
                time.sleep(CROWDED_WAIT)
            else:
                select.select([], [self._sock], [])

    def forget(self) -> None:
        """The connection has ended: let go of what was not written, and of leases."""
        with self._lock:
            self._outbox.clear()
