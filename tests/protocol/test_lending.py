"""Large buffers leave a message and come back into their places; what does not fit is refused."""

from __future__ import annotations

import dataclasses
import os
import socket
import sys
import threading

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from modal_nb.protocol import leases, segments
from modal_nb.protocol.codec import Codec, MessageRefused
from modal_nb.protocol.leases import Lease, Lent
from modal_nb.protocol.lending import LEAST, lend, restore
from modal_nb.protocol.packets import body_of
from modal_nb.protocol.segments import Segments
from modal_nb.protocol.stream import Kind, Packet, Receiver, Sender, packet
from tests.protocol.shared_memory import descriptors

CODEC = Codec(b"key", "test")


@pytest.fixture(autouse=True)
def ours(monkeypatch):
    """Segments of this test alone."""
    found = Segments()
    monkeypatch.setattr(segments, "_ours", found)
    yield found
    found.forget()


def arrived(frames) -> Packet:
    """The packet of these frames, as its last reader has it."""
    left, right = socket.socketpair()
    with left, right:
        sender, receiver = Sender(left), Receiver(right, last=True)
        writing = threading.Thread(target=sender.send, args=(packet(Kind.CALL, frames),))
        writing.start()
        found = []
        while not found:
            found = receiver.read()
        writing.join()
        return found[0]


def journey(buffers, content=None):
    """What comes out of these at the other end."""
    said = dict(content or {})
    frames = CODEC.pack("call_request", said, lend(said, buffers))
    came = arrived(frames)
    return restore(CODEC.open(came.frames()), came), came


sizes = st.lists(st.sampled_from([0, 1, 4095, 4096, 70_001, LEAST, LEAST + 1, 3 * LEAST + 7]), max_size=6)


@settings(max_examples=30)
@given(sizes=sizes)
def test_buffers_come_back_in_their_places_whatever_their_sizes(sizes):
    buffers = [bytes([number]) * size for number, size in enumerate(sizes)]
    message, came = journey(buffers)
    assert message.buffers == buffers
    large = sum(size for size in sizes if size >= 4096) >= LEAST
    assert (type(came.body) is Lent) == large


def test_small_buffers_stay_in_the_message_and_nothing_is_lent(ours):
    content = {"method": "x"}
    buffers = [b"a" * (LEAST - 100), *[b"b" * 4000] * 100]
    assert lend(content, buffers) is buffers
    assert content == {"method": "x"}
    assert ours.sizes() == []


def test_all_buffers_are_writable_and_large_ones_are_aligned():
    message, came = journey([b"a" * 10, b"b" * (LEAST + 1), b"c" * LEAST])
    assert not any(memoryview(buffer).readonly for buffer in message.buffers)
    assert [at % 64 for _, at, _ in message.content["lent"]] == [0, 0]
    assert leases.weight(came.body) > 2 * LEAST


def test_changes_after_the_call_do_not_show():
    data = bytearray(b"a" * LEAST)
    content = {}
    frames = CODEC.pack("call_request", content, lend(content, [data]))
    data[:1] = b"b"
    came = arrived(frames)
    assert restore(CODEC.open(came.frames()), came).buffers[0][:1] == b"a"


def test_a_copy_of_a_body_has_memory_of_its_own():
    _, came = journey([b"a" * LEAST])
    twin = dataclasses.replace(came, body=came.body.copy())
    twin.body.memory[:1] = b"b"
    message = restore(CODEC.open(came.frames()), came)
    assert message.buffers == [b"a" * LEAST]
    assert restore(CODEC.open(twin.frames()), twin).buffers == [b"b" + b"a" * (LEAST - 1)]


def test_without_shared_memory_all_stays_in_the_stream(monkeypatch):
    monkeypatch.setattr(segments, "_ours", Segments(bound=0))
    message, came = journey([b"a" * LEAST, b"b"], {"method": "x"})
    assert type(came.body) is not Lent
    assert message.content == {"method": "x"}
    assert message.buffers == [b"a" * LEAST, b"b"]


@pytest.mark.parametrize(
    "places",
    [
        [[0, 0, 2**40]],
        [[0, 2**40, 1]],
        [[0, -1, 10]],
        [[0, 0, -10]],
        [[-1, 0, 10]],
        [[7, 0, 10]],
        [[0, 0]],
        "everywhere",
        [["0", "0", "1"]],
        None,
    ],
)
def test_places_that_are_not_in_the_memory_are_refused(places):
    frames = lend({}, [b"a" * LEAST])
    came = arrived(CODEC.pack("call_request", {"lent": places}, frames))
    with pytest.raises(MessageRefused):
        restore(CODEC.open(came.frames()), came)


def test_a_message_whose_memory_was_lost_on_the_way_says_why():
    content = {}
    frames = CODEC.pack("call_request", content, lend(content, [b"a" * LEAST]))
    bare = Packet(Kind.CALL, 0, 0, 0, 0, 1, 0, len(frames), 0.0, b"".join(body_of(frames)))
    with pytest.raises(MessageRefused, match="too many files are open"):
        restore(CODEC.open(bare.frames()), bare)


def test_a_message_whose_memory_cannot_be_mapped_says_why():
    content = {}
    frames = CODEC.pack("call_request", content, lend(content, [b"a" * LEAST]))
    frames[-1].lease = Lease(map(os.open, ("/dev/null",), (os.O_RDONLY | os.O_CLOEXEC,)))
    came = arrived(frames)
    with pytest.raises(MessageRefused, match="cannot be mapped"):
        restore(CODEC.open(came.frames()), came)


def test_an_interrupt_anywhere_leaves_neither_a_lease_nor_a_descriptor(ours):
    """Stands for a signal handler that raises: behind each call of the code that lends and sends, one by one."""
    left, right = socket.socketpair()
    data = b"a" * LEAST

    def attempt(at: int) -> bool:
        calls = 0

        def profile(frame, event, _):
            nonlocal calls
            if event in ("call", "c_return"):
                calls += 1
                if calls == at:
                    sys.setprofile(None)
                    raise KeyboardInterrupt

        content = {}
        sys.setprofile(profile)
        try:
            Sender(left).push(packet(Kind.CALL, CODEC.pack("x", content, lend(content, [data]))))
        except KeyboardInterrupt:
            return True
        finally:
            sys.setprofile(None)
        return False

    with left, right:
        attempt(0)  # the segment is made
        before = descriptors()
        hit = 0
        while attempt(hit + 1):
            hit += 1
            assert ours.lent() == 0
            assert descriptors() == before
    assert hit > 30
