"""Who reads a connection: the thread, or the caller that waits; nothing is lost where one hands over to the other."""

from __future__ import annotations

import contextlib
import signal
import socket
import threading
from collections import deque
from functools import partial

import pytest

from modal_nb.client import listening
from modal_nb.client.interrupts import or_undo
from modal_nb.client.listening import CAN_LEAD, Listening
from modal_nb.protocol.stream import ConnectionEnded, Kind, Receiver, Sender, packet

pytestmark = pytest.mark.skipif(not CAN_LEAD, reason="callers do not read here")


class Waits:
    over = False


class Pair:
    """Both ends, with the thread that reads where nobody else does."""

    def __init__(self) -> None:
        self.theirs, ours = socket.socketpair()
        self.sender = Sender(self.theirs)
        self.listening = Listening(ours, Receiver(ours))
        self.ours = ours
        self.numbers: deque[int] = deque()
        self.came = threading.Semaphore(0)
        self.thread = threading.Thread(target=self._read, daemon=True)
        self.thread.start()

    def _read(self) -> None:
        try:
            while True:
                for one in self.listening.read():
                    self.numbers.append(one.number)
                    self.came.release()
        except ConnectionEnded:
            self.listening.close()

    def say(self, *numbers: int) -> None:
        for number in numbers:
            self.sender.push(packet(Kind.RESULT, [b"x"], number=number))
        self.sender.send(())

    def idle(self) -> None:
        """Returns when the thread waits: it has read one packet, and a caller may lead."""
        self.say(0)
        assert self.came.acquire(timeout=10)
        while self.listening._busy:  # there is no other sign of it
            pass
        self.numbers.clear()

    def close(self) -> None:
        self.theirs.close()
        self.thread.join(10)
        assert not self.thread.is_alive()
        self.ours.close()


@pytest.fixture
def pair():
    pair = Pair()
    pair.idle()
    yield pair
    pair.close()


def lead(pair: Pair, who: Waits, *numbers: int):
    """Read as a caller; the other side speaks once it leads."""

    def say() -> None:
        while pair.listening._leader is not who:  # there is no other sign of it
            pass
        pair.say(*numbers)

    speaker = threading.Thread(target=say)
    speaker.start()
    one = pair.listening.receive(who)
    speaker.join()
    return one


def test_a_caller_reads_its_own_packet(pair):
    who = Waits()

    one = lead(pair, who, 7)
    pair.listening.take()
    pair.listening.leave(who)

    assert one.number == 7
    pair.say(8)
    assert pair.came.acquire(timeout=10)
    assert list(pair.numbers) == [8]


def test_what_a_caller_leaves_goes_to_the_thread(pair):
    who = Waits()
    assert lead(pair, who, 7) is not None  # and does not take it

    pair.listening.leave(who)

    assert pair.came.acquire(timeout=10)
    assert list(pair.numbers) == [7]


def test_several_packets_go_to_the_thread_in_order(pair):
    who = Waits()

    assert lead(pair, who, 1, 2, 3) is None
    pair.listening.leave(who)

    for _ in range(3):
        assert pair.came.acquire(timeout=10)
    assert list(pair.numbers) == [1, 2, 3]


def test_who_has_its_answer_does_not_wait(pair):
    who = Waits()
    who.over = True

    assert pair.listening.receive(who) is None  # else half a second, and a packet for others may be in it
    pair.say(4)
    assert pair.came.acquire(timeout=10)


def test_only_one_leads(pair):
    first, second = Waits(), Waits()
    assert lead(pair, first, 1) is not None

    assert pair.listening.receive(second) is None
    pair.listening.leave(second)  # who never led changes nothing

    pair.listening.take()
    pair.listening.leave(first)
    pair.say(2)
    assert pair.came.acquire(timeout=10)
    assert list(pair.numbers) == [2]


def test_the_end_of_the_connection_is_seen_by_the_thread(pair):
    who = Waits()
    pair.theirs.shutdown(socket.SHUT_WR)

    assert pair.listening.receive(who) is None
    pair.listening.leave(who)

    pair.thread.join(10)
    assert not pair.thread.is_alive()


def test_an_interrupt_at_any_moment_loses_no_packet(pair):
    """A signal handler raises while the caller reads, again and again; what it leaves, the thread reads."""
    said, stop = 0, threading.Event()

    def raises(signum: int, frame: object) -> None:
        raise KeyboardInterrupt

    def says() -> None:
        nonlocal said
        while not stop.is_set():
            said += 1
            pair.say(said)

    def reads(who: Waits) -> None:
        signal.setitimer(signal.ITIMER_REAL, 0.0005)
        pair.listening.receive(who)
        pair.listening.leave(who)

    before = signal.signal(signal.SIGALRM, raises)
    speaker = threading.Thread(target=says)
    speaker.start()
    try:
        for _ in range(300):
            who = Waits()
            with contextlib.suppress(KeyboardInterrupt):
                or_undo(partial(reads, who), partial(pair.listening.leave, who))
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        stop.set()
        speaker.join()
        signal.signal(signal.SIGALRM, before)

    while len(pair.numbers) < said and pair.came.acquire(timeout=10):
        pass
    assert list(pair.numbers) == list(range(1, said + 1))


def test_without_epoll_the_thread_reads_alone(monkeypatch):
    monkeypatch.setattr(listening, "CAN_LEAD", False)
    pair = Pair()
    pair.say(5)

    assert pair.came.acquire(timeout=10)
    assert pair.listening.receive(Waits()) is None
    pair.close()
