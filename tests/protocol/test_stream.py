"""Packets survive any cutting of the stream, and nothing that is no packet gets through."""

from __future__ import annotations

import contextlib
import socket
import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modal_nb.protocol.codec import MessageRefused
from modal_nb.protocol.stream import (
    MAGIC,
    PREFIX,
    WIRE_VERSION,
    ConnectionEnded,
    Kind,
    Receiver,
    Sender,
    packet,
)


@pytest.fixture
def ends():
    left, right = socket.socketpair()
    with left, right:
        yield left, right


def receive(sock: socket.socket, count: int):
    receiver, packets = Receiver(sock), []
    while len(packets) < count:
        packets += receiver.read()
    return packets


packets_of_frames = st.lists(st.lists(st.binary(max_size=50), max_size=4), min_size=1, max_size=6)


@given(messages=packets_of_frames, cuts=st.lists(st.integers(1, 40), max_size=30))
def test_packets_come_out_whole_however_the_stream_is_cut(messages, cuts):
    stream = b"".join(
        b"".join(packet(Kind.CALL, frames, number=number)) for number, frames in enumerate(messages)
    )
    left, right = socket.socketpair()
    with left, right:
        receiver, got = Receiver(right), []
        for size in [*cuts, len(stream)]:
            piece, stream = stream[:size], stream[size:]
            if piece:
                left.sendall(piece)
                got += receiver.read()
    assert [[bytes(frame) for frame in one.frames()] for one in got] == messages
    assert [one.number for one in got] == list(range(len(messages)))


def test_every_field_of_the_prefix_arrives(ends):
    left, right = ends
    Sender(left).send(
        packet(Kind.REPLY, [b"x"], number=2**63, parent=9, extra=7, first=3, count=5, flags=2, seconds=0.5)
    )
    (one,) = receive(right, 1)
    assert (one.kind, one.number, one.parent, one.extra, one.first, one.count, one.flags, one.seconds) == (
        Kind.REPLY, 2**63, 9, 7, 3, 5, 2, 0.5,
    )  # fmt: skip


def test_a_large_body_and_small_ones_behind_it_arrive_in_order(ends):
    left, right = ends
    large = bytes(range(256)) * 40_000
    sender = Sender(left)

    def send():
        sender.send(packet(Kind.CALL, [large, b"tail"], number=1))
        sender.send(packet(Kind.CALL, [b"small"], number=2))

    thread = threading.Thread(target=send)
    thread.start()
    first, second = receive(right, 2)
    thread.join()
    assert first.frames() == [large, b"tail"]
    assert second.frames() == [b"small"]


def test_a_full_socket_keeps_the_rest_for_the_next_flush(ends):
    left, right = ends
    right.setblocking(False)
    sender = Sender(left)
    body = b"y" * 3_000_000
    sender.push(packet(Kind.CALL, [body]))
    assert sender.flush() is False

    receiver, got = Receiver(right), []
    while not got:
        with contextlib.suppress(BlockingIOError):
            got += receiver.read()
        sender.flush()
    assert got[0].frames() == [body]


def test_an_interrupt_in_the_middle_of_a_send_tears_no_packet(ends):
    left, right = ends
    sender = Sender(left)
    bodies = [bytes([number]) * 100_000 for number in range(20)]
    got = []
    reader = threading.Thread(target=lambda: got.extend(receive(right, len(bodies))))
    reader.start()

    class Interrupting(list):
        """Stands for a signal handler that raises right after the write was recorded."""

        def extend(self, items):
            super().extend(items)
            raise KeyboardInterrupt

    for number, body in enumerate(bodies):
        sender.push(packet(Kind.CALL, [body], number=number))
        sender._writes = Interrupting(sender._writes)
        with contextlib.suppress(KeyboardInterrupt):
            sender.flush()
        sender._writes = list(sender._writes)
    while not sender.flush():
        pass
    reader.join()
    assert [one.frames() for one in got] == [[body] for body in bodies]


def test_many_threads_may_send(ends):
    left, right = ends
    sender = Sender(left)

    def send(name: int):
        for number in range(50):
            sender.send(packet(Kind.CALL, [bytes([name]) * 5000], number=number, extra=name))

    threads = [threading.Thread(target=send, args=(name,)) for name in range(4)]
    for thread in threads:
        thread.start()
    got = receive(right, 200)
    for thread in threads:
        thread.join()
    for name in range(4):
        mine = [one for one in got if one.extra == name]
        assert [one.number for one in mine] == list(range(50))
        assert all(one.frames() == [bytes([name]) * 5000] for one in mine)


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"GET / HTTP/1.1\r\n" + b" " * 40, "wrong first bytes"),
        (PREFIX.pack(MAGIC, 9, 1, 0, 0, 0, 0, 1, 0, 0, 0.0, 0), "wire version 9"),
        (PREFIX.pack(MAGIC, WIRE_VERSION, 1, 0, 0, 0, 0, 1, 0, 0, 0.0, 2**62), "over the limit"),
    ],
)
def test_what_is_no_packet_is_refused_before_anything_is_allocated(ends, data, why):
    left, right = ends
    left.sendall(data)
    with pytest.raises(MessageRefused, match=why):
        Receiver(right, limit=1000).read()


@pytest.mark.parametrize("body", [b"", b"\x05" + b"\0" * 7, b"\x01" + b"\0" * 7 + b"xyz"])
def test_a_body_that_does_not_fit_its_length_table_is_refused(ends, body):
    left, right = ends
    left.sendall(PREFIX.pack(MAGIC, WIRE_VERSION, Kind.CALL, 0, 0, 0, 0, 1, 0, 1, 0.0, len(body)) + body)
    (one,) = receive(right, 1)
    with pytest.raises(MessageRefused):
        one.frames()


def test_the_end_of_the_stream_is_told(ends):
    left, right = ends
    left.close()
    with pytest.raises(ConnectionEnded):
        Receiver(right).read()
