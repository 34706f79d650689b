"""Leases stay with their packets however the stream is cut, and are sent once."""

from __future__ import annotations

import contextlib
import errno
import os
import resource
import socket
import threading

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from modal_nb.protocol import sender as sender_module
from modal_nb.protocol import stream
from modal_nb.protocol.codec import MessageRefused
from modal_nb.protocol.leases import Lease, Lent
from modal_nb.protocol.packets import prefix
from modal_nb.protocol.segments import Segments
from modal_nb.protocol.stream import Kind, Receiver, Sender, packet
from tests.protocol.shared_memory import descriptors


@pytest.fixture
def ends():
    left, right = socket.socketpair()
    with left, right:
        yield left, right


class Lender:
    """Makes packets whose shared memory says which they are."""

    def __init__(self) -> None:
        self.segments = Segments()

    def packet(self, number: int, size: int = 0, *, lent: bool = True):
        frames = [b"x" * size]
        if lent:
            memory, lease = self.segments.lend(4096)
            memory[:2] = number.to_bytes(2, "little")
            frames.append(Lent.with_lease(lease))
        return packet(Kind.CALL, frames, number=number)


def number_in(body) -> int:
    """What the shared memory says; -1 where there is none."""
    return int.from_bytes(body.memory[:2], "little") if type(body) is Lent else -1


plans = st.lists(
    st.tuples(st.booleans(), st.sampled_from([0, 10, 3_000, 90_000, 400_000])), min_size=1, max_size=8
)


@settings(max_examples=40)
@given(plan=plans, reads=st.sampled_from([8_000, 262_144]), together=st.booleans())
def test_each_packet_has_its_own_lease_however_the_stream_is_cut(plan, reads, together):
    lender, before = Lender(), descriptors()
    left, right = socket.socketpair()
    with left, right:
        left.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 40_000)
        sender, receiver = Sender(left), Receiver(right, last=True)
        receiver._space = memoryview(bytearray(reads))
        receiver.limit = 10**6

        def write():
            for number, (lent, size) in enumerate(plan):
                sender.push(lender.packet(number, size, lent=lent))
                if not together:
                    sender.send(())
            sender.send(())

        writing = threading.Thread(target=write)
        writing.start()
        got = []
        while len(got) < len(plan):
            got += receiver.read()
        writing.join()
        assert [one.number for one in got] == list(range(len(plan)))
        assert [number_in(one.body) for one in got] == [
            number if lent else -1 for number, (lent, _) in enumerate(plan)
        ]
        assert [len(one.frames()[0]) for one in got] == [size for _, size in plan]
        assert lender.segments.lent() == sum(lent for lent, _ in plan)
        del got
        assert lender.segments.lent() == 0
    lender.segments.forget()
    assert descriptors() == before


def test_a_body_that_goes_on_takes_its_lease_along_as_often_as_it_is_sent(ends):
    left, right = ends
    lender = Lender()
    Sender(left).send(lender.packet(7, 100))
    (one,) = Receiver(right).read()
    back = Receiver(left, last=True)
    for number in (1, 2):  # to one container, and after its death to another
        Sender(right).send([prefix(Kind.INPUT, len(one.body), number=number, parts=one.parts), one.body])
        (came,) = back.read()
        assert (came.number, number_in(came.body)) == (number, 7)
        del came
        assert lender.segments.lent() == 1
    del one
    assert lender.segments.lent() == 0


def test_an_interrupt_in_the_middle_of_a_send_sends_no_lease_twice_and_loses_none(ends):
    left, right = ends
    left.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 20_000)
    sender, lender, got = Sender(left), Lender(), []
    receiver = Receiver(right, last=True)

    def read():
        while len(got) < 20:
            got.extend(receiver.read())

    reading = threading.Thread(target=read)
    reading.start()

    class Interrupting(list):
        """Stands for a signal handler that raises right after the write was recorded."""

        def extend(self, items):
            super().extend(items)
            raise KeyboardInterrupt

    for number in range(20):
        sender.push(lender.packet(number, 30_000, lent=bool(number % 3)))
        sender._writes = Interrupting(sender._writes)
        with contextlib.suppress(KeyboardInterrupt):
            sender.flush()
        sender._writes = list(sender._writes)
    sender.send(())
    reading.join()
    assert [number_in(one.body) for one in got] == [number if number % 3 else -1 for number in range(20)]
    assert not receiver._leases


def test_what_was_not_written_when_the_connection_ends_is_let_go(ends):
    left, right = ends
    left.setblocking(False)
    sender, lender = Sender(left), Lender()
    for number in range(5):
        sender.push(lender.packet(number, 300_000))
    assert sender.flush() is False
    receiver = Receiver(right)
    receiver.read()
    receiver.forget()
    sender.forget()
    assert lender.segments.lent() == 0


def test_who_may_open_no_more_files_loses_the_lease_and_not_the_connection(ends):
    left, right = ends
    sender, receiver, lender = Sender(left), Receiver(right), Lender()
    sender.send(lender.packet(1, 10))
    sender.send(lender.packet(2, 10))
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    free = os.dup(0)
    os.close(free)
    resource.setrlimit(resource.RLIMIT_NOFILE, (free, hard))
    try:
        (first,) = receiver.read()
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    (second,) = receiver.read()
    assert (first.number, bool(first.body.lease)) == (1, False)
    assert (second.number, bool(second.body.lease)) == (2, True)
    first.body.arrive()
    assert "too many files are open" in first.body.trouble
    # it goes on without: its reader says why, by the signed content
    Sender(right).send([prefix(Kind.INPUT, len(first.body), parts=first.parts), first.body])
    (onward,) = Receiver(left).read()
    assert type(onward.body) is not Lent


def test_where_too_many_descriptors_are_on_their_way_the_sender_waits(monkeypatch):
    monkeypatch.setattr(sender_module, "CROWDED_WAIT", 0.0)
    left, right = socket.socketpair()
    refusals = [OSError(errno.ETOOMANYREFS, "too many references")] * 3

    class Crowded:
        def sendmsg(self, *args):
            if refusals:
                raise refusals.pop()
            return left.sendmsg(*args)

        send = left.send

    with left, right:
        sender, lender = Sender(Crowded()), Lender()
        sender.push(lender.packet(3, 10))
        assert (sender.flush(), sender.crowded) == (False, True)
        sender.send(())
        (one,) = Receiver(right, last=True).read()
        assert number_in(one.body) == 3


def test_a_packet_that_came_without_its_lease_is_refused(ends):
    left, right = ends
    pieces = packet(Kind.CALL, [b"x"])
    left.sendall(stream.MAGIC_LENT + b"".join(pieces)[2:])
    with pytest.raises(MessageRefused, match="without its lease"):
        Receiver(right).read()


def test_descriptors_without_packets_are_refused_and_closed(ends):
    left, right = ends
    before, receiver = descriptors(), Receiver(right)
    lease = Lease(map(os.open, ("/dev/null",), (os.O_RDONLY,)))
    rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, lease.fd.to_bytes(4, "little"))]
    with pytest.raises(MessageRefused, match="without their packets"):
        for piece in b"".join(packet(Kind.CALL, [b"x" * 200])):
            left.sendmsg([bytes([piece])], rights)
            receiver.read()
    receiver.forget()
    del lease
    receiver = None
    assert descriptors() <= before
