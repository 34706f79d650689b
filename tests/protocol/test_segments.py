"""Shared memory is lent, comes back by itself, is used again, and never takes more than it may."""

from __future__ import annotations

import errno
import gc
import os
import socket
import threading
from array import array

import pytest

from modal_nb.protocol import segments as module
from modal_nb.protocol.leases import mapped
from modal_nb.protocol.segments import MOST_SEGMENTS, Segments
from tests.e2e.home import until
from tests.protocol.shared_memory import descriptors

KIB = 1024
PAGE = os.sysconf("SC_PAGE_SIZE")


def test_a_segment_is_lent_until_its_lease_is_gone_and_then_lent_again():
    segments = Segments()
    memory, lease = segments.lend(300 * KIB)
    memory[:3] = b"abc"
    assert (segments.lent(), len(segments.sizes())) == (1, 1)
    assert os.pread(lease.fd, 3, 0) == b"abc"
    del lease
    assert segments.lent() == 0
    again, _ = segments.lend(300 * KIB)
    assert bytes(again[:3]) == b"abc"
    assert len(segments.sizes()) == 1


def test_what_is_lent_is_not_lent_again():
    segments = Segments()
    leases = [segments.lend(300 * KIB) for _ in range(3)]
    assert segments.lent() == 3
    files = {os.fstat(lease.fd).st_ino for _, lease in leases}
    assert len(files) == 3


def test_a_smaller_message_takes_a_segment_that_is_little_larger_and_no_huge_one():
    segments = Segments()
    segments.lend(512 * KIB)
    segments.lend(300 * KIB)
    assert len(segments.sizes()) == 1
    segments.lend(4 * KIB)
    assert len(segments.sizes()) == 2


def test_a_lease_on_its_way_through_a_socket_counts_and_ends_with_the_socket():
    segments = Segments()
    here, there = socket.socketpair()
    _, lease = segments.lend(300 * KIB)
    rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array("i", [lease.fd]))]
    here.sendmsg([b"x"], rights)
    del lease
    here.close()
    assert segments.lent() == 1
    there.close()
    assert segments.lent() == 0


def test_memory_that_arrived_counts_until_its_last_view_is_gone_and_needs_no_descriptor():
    segments = Segments()
    memory, lease = segments.lend(300 * KIB)
    memory[100:103] = b"abc"
    before = descriptors()
    arrived = mapped(lease)
    del lease
    assert descriptors() == before - 1
    view = arrived[100:103]
    del arrived
    assert segments.lent() == 1
    assert view == b"abc"
    del view
    assert segments.lent() == 0


def test_who_writes_to_memory_that_arrived_writes_for_itself():
    segments = Segments()
    memory, lease = segments.lend(300 * KIB)
    memory[:3] = b"abc"
    first, second = mapped(lease), mapped(lease)
    first[:3] = b"xyz"
    assert (bytes(memory[:3]), bytes(first[:3]), bytes(second[:3])) == (b"abc", b"xyz", b"abc")


def test_no_more_is_lent_than_may_be_and_what_is_free_makes_room():
    segments = Segments(bound=1024 * KIB)
    held = [segments.lend(512 * KIB), segments.lend(512 * KIB)]
    assert segments.lend(512 * KIB) is None
    assert segments.lend(8192 * KIB) is None
    assert len(segments.sizes()) == 2
    held.clear()
    assert segments.lend(1024 * KIB) is not None
    assert segments.sizes() == [1024 * KIB]


def test_there_are_so_many_segments_and_no_more():
    segments = Segments()
    held = [segments.lend(PAGE) for _ in range(MOST_SEGMENTS)]
    assert None not in held
    assert segments.lend(PAGE) is None


@pytest.mark.parametrize("bound", [0, 100 * KIB])
def test_a_bound_may_be_too_low_for_anything(bound):
    assert Segments(bound=bound).lend(300 * KIB) is None


def test_what_is_not_used_goes_after_a_while_and_no_thread_stays():
    threads = set(threading.enumerate())
    segments = Segments(idle=0.05)
    _, lease = segments.lend(300 * KIB)
    segments.lend(300 * KIB)
    until(lambda: len(segments.sizes()) == 1)
    assert segments.lent() == 1
    del lease
    until(lambda: not segments.sizes())
    until(lambda: not set(threading.enumerate()) - threads)


@pytest.mark.parametrize(
    ("name", "error"),
    [
        ("posix_fallocate", errno.ENOSPC),
        ("memfd_create", errno.EMFILE),
        ("open", errno.ENOENT),
    ],
)
def test_where_the_system_gives_none_nothing_is_lent_and_nothing_leaks(monkeypatch, name, error):
    def refuse(*_):
        raise OSError(error, name)

    gc.collect()
    before = descriptors()
    segments = Segments()
    with monkeypatch.context() as patch:
        patch.setattr(module.os, name, refuse)
        assert segments.lend(300 * KIB) is None
    assert segments.lend(300 * KIB) is not None
    segments.forget()
    assert descriptors() == before


def test_more_than_the_machine_has_is_not_tried(monkeypatch):
    monkeypatch.setattr(module, "_available", lambda: 400 * KIB)
    assert Segments().lend(300 * KIB) is None
    assert Segments().lend(150 * KIB) is not None


def test_a_forked_child_begins_without_any_and_what_its_parent_lent_stays_lent():
    ours = module.ours()
    ours.forget()  # what others have left
    before = descriptors()
    loan = ours.lend(300 * KIB)
    assert loan is not None
    child = os.fork()
    if not child:
        fresh = module.ours()
        ok = fresh is not ours and not fresh.sizes() and not ours.sizes() and fresh.lend(300 * KIB)
        os._exit(0 if ok else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert ours.lent() == 1
    del loan
    assert ours.lent() == 0
    ours.forget()
    assert descriptors() == before


def test_segments_have_no_name():
    _, lease = Segments().lend(300 * KIB)
    assert os.fstat(lease.fd).st_nlink == 0
