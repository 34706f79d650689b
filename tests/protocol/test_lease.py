from __future__ import annotations

import pytest

from modal_nb.protocol.exit_cause import exit_cause, signal_name
from modal_nb.protocol.launch_file import LaunchFile, decode_launch, encode_launch
from modal_nb.protocol.lease import (
    LeaseExit,
    LeaseHello,
    LeasePing,
    LeaseRefused,
    lease_exit,
    lease_hello,
    lease_ping,
    lease_pong,
    read_lease_line,
)
from modal_nb.spec.lifecycle import CauseKind


@pytest.mark.parametrize(
    ("line", "read"),
    [
        (lease_hello(3, "token", 1, namespaced=True), LeaseHello(3, "token", 1, namespaced=True)),
        (lease_ping(4), LeasePing(4, answer=False)),
        (lease_pong(4), LeasePing(4, answer=True)),
        (lease_exit(code=0), LeaseExit(0, None, 0)),
        (lease_exit(signal=9, oom_kills=2), LeaseExit(None, 9, 2)),
        (lease_exit(signal=9, peak=5, limit=7), LeaseExit(None, 9, 0, 5, 7)),
        (b'{"exit":{"code":3,"signal":null,"oom_kills":0}}\n', LeaseExit(3, None, 0)),
    ],
)
def test_a_line_is_read_as_it_was_written(line: bytes, read: object):
    assert line.startswith(b"{"), "a message stream begins with MN"
    assert line.endswith(b"\n")
    assert line.count(b"\n") == 1
    assert read_lease_line(line) == read


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"MN",
        b"[]",
        b"{}",
        b'"x"',
        b"\xff",
        b'{"ping":"1"}',
        b'{"role":"guard"}',
        b'{"role":"kernel","container":3,"token":"","pid":1,"namespaced":true}',
        b'{"exit":{"code":"0","signal":null,"oom_kills":0}}',
        b'{"exit":{"code":0,"signal":null,"oom_kills":0,"peak":-1}}',
        b'{"exit":{"code":0,"signal":null,"oom_kills":0,"limit":"1"}}',
        b"[" * 4000,
    ],
)
def test_what_makes_no_sense_is_refused(line: bytes):
    with pytest.raises(LeaseRefused):
        read_lease_line(line)


@pytest.mark.parametrize(
    ("end", "kind", "detail"),
    [
        (None, CauseKind.UNKNOWN, "the guard of the container was killed or lost"),
        (LeaseExit(3, None, 0), CauseKind.EXITED, "ended with exit code 3"),
        (LeaseExit(None, 11, 0), CauseKind.SIGNALLED, "killed by signal 11 (SIGSEGV)"),
        (LeaseExit(None, 9, 0), CauseKind.SIGNALLED, "killed by signal 9 (SIGKILL)"),
        (LeaseExit(None, 9, 1), CauseKind.OUT_OF_MEMORY, "killed by the system because memory ran out"),
        (LeaseExit(None, 11, 1), CauseKind.SIGNALLED, "killed by signal 11 (SIGSEGV)"),
    ],
)
def test_the_cause_in_words(end: LeaseExit | None, kind: CauseKind, detail: str):
    cause = exit_cause(end)
    assert (cause.kind, cause.detail) == (kind, detail)


def test_memory_goes_along_with_the_cause():
    cause = exit_cause(LeaseExit(None, 9, 1, 5, 7))
    assert (cause.peak, cause.limit) == (5, 7)


def test_a_signal_without_a_name():
    assert signal_name(50) == "signal 50"


def test_the_launch_file_is_read_as_it_was_written():
    launch = LaunchFile("/s", 3, "token", "00", "/tmp", ["", "/lib"])
    assert decode_launch(encode_launch(launch)) == launch


@pytest.mark.parametrize("data", [b"", b"{}", b"[1]", b'{"socket": "/s", "unheard_of": 1}'])
def test_what_is_no_launch_file_is_refused(data: bytes):
    with pytest.raises((TypeError, ValueError)):
        decode_launch(data)
