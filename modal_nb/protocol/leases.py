"""Leases on shared memory: a file descriptor each, with a shared lock on its open file description.

The lock lives exactly as long as anybody holds the description: a descriptor of any process, a packet on its way
through a socket, or a mapping. So whichever process is killed, and whenever, the system gives back what it held.
"""

from __future__ import annotations

import ctypes
import functools
import mmap
import os
import select
import weakref
from collections.abc import Callable, Iterable
from typing import Any

#: whether descriptors can be received here without being left to children
CAN_RECEIVE = hasattr(select, "epoll")


LOST = "its lease was lost on the way, because too many files are open (see `ulimit -n`)"


class Lease:
    """Owns one descriptor. It is closed with this object, in C: no signal handler can raise in between."""

    __slots__ = ("_held",)

    def __init__(self, descriptors: Iterable[int]) -> None:
        """``descriptors``: one, or none if it was lost. An iterator that opens it leaves no moment without an owner."""
        # of the standard library's objects only this one closes any descriptor, and does so without a word
        self._held: list[select.epoll] = []
        self._held.extend(map(select.epoll.fromfd, descriptors))

    def __bool__(self) -> bool:
        """Whether it is here; else it was lost on its way."""
        return bool(self._held)

    @property
    def fd(self) -> int:
        """OSError where it was lost."""
        if not self._held:
            raise OSError(LOST)
        return self._held[0].fileno()


class Lent(bytearray):
    """The body of a packet, or its last piece, whose large frames lie in shared memory beside it."""

    __slots__ = ("lease", "memory", "trouble")

    #: what travels with the packet; None where it has arrived
    lease: Lease | None
    #: where it has arrived: the shared memory, for this process to read and write; None if ``trouble``
    memory: memoryview | None
    #: why it cannot be read here
    trouble: str

    @classmethod
    def with_lease(cls, lease: Lease | None, size: int = 0) -> Lent:
        """``size`` bytes that are to be filled."""
        body = cls(size)
        body.lease, body.memory, body.trouble = lease, None, ""
        return body

    def arrive(self) -> None:
        """Exchange the descriptor for the memory: what is kept must not use up the descriptors of the process."""
        lease, self.lease = self.lease, None
        try:
            assert lease is not None
            self.memory = mapped(lease)
        except OSError as error:
            self.trouble = str(error)

    def copy(self) -> Lent:
        """The same again, with memory of its own."""
        twin = Lent.with_lease(self.lease, len(self))
        twin[:] = self
        twin.memory = None if self.memory is None else memoryview(bytearray(self.memory))
        twin.trouble = self.trouble
        return twin


def weight(body: bytes | bytearray | memoryview) -> int:
    """Bytes that a body holds in memory, shared memory included."""
    if type(body) is Lent and body.memory is not None:
        return len(body) + len(body.memory)
    return len(body)


def mapped(lease: Lease) -> memoryview:
    """The shared memory. Pages that are written to become this process's own, so nobody else sees it. OSError."""
    size = os.fstat(lease.fd).st_size
    address = _libc().mmap(None, size, mmap.PROT_READ | mmap.PROT_WRITE, mmap.MAP_PRIVATE, lease.fd, 0)
    if address == _FAILED:
        number = ctypes.get_errno()
        raise OSError(
            number, f"{size / 2**20:.1f} MiB of shared memory cannot be mapped: {os.strerror(number)}"
        )
    # not Python's own ``mmap``, which would keep a descriptor for each value that a user keeps
    memory = _bytes(size).from_address(address)
    release: Callable[..., Any] = _libc().munmap
    weakref.finalize(memory, release, address, size).atexit = False
    return memoryview(memory).cast("B")


_FAILED = ctypes.c_void_p(-1).value


@functools.lru_cache
def _bytes(size: int) -> Any:
    """The type of so many bytes, which takes as long to make as all else here."""
    return ctypes.c_ubyte * size


@functools.cache
def _libc() -> Any:
    libc = ctypes.CDLL(None, use_errno=True)
    libc.mmap.restype = ctypes.c_void_p
    libc.mmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t, *[ctypes.c_int] * 3, ctypes.c_int64]
    libc.munmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t]
    return libc
