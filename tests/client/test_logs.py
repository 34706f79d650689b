"""Reading the log of a container, and showing what stands there."""

from __future__ import annotations

import fcntl
import threading

import pytest

from modal_nb.client import logs
from modal_nb.client.call_logs import Lines
from modal_nb.client.printed import Printed
from modal_nb.exception import NotFoundError
from modal_nb.protocol.call_log import ENDED, Record
from tests.e2e.home import until


@pytest.fixture
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("MODAL_NB_HOME", str(tmp_path))
    (tmp_path / "logs").mkdir()
    return tmp_path


def test_a_log_is_found_by_the_id_of_its_container_and_by_nothing_else(home):
    (home / "logs" / "ct-1-ab.log").write_text("one\n")
    (home / "secret.log").write_text("no\n")
    assert list(logs.read(logs.find("ct-1-ab"))) == ["one"]
    for name in ("ct-2", "../secret", "ct-1-ab.log", "ct-/../../secret", "supervisor", "ct-1-ab\n"):
        with pytest.raises(NotFoundError, match="no log of a container"):
            logs.find(name)


@pytest.mark.parametrize(
    "data", [b"", b"one\n", b"one\ntwo\nthree\n", b"one\ntwo\nth", b"\n\n\n", b"a\rb\n\xff\n"]
)
@pytest.mark.parametrize("count", [0, 1, 2, 3, 100])
def test_the_tail_is_the_end_of_what_is_read(tmp_path, data, count):
    log = tmp_path / "log"
    log.write_bytes(data)
    lines = list(logs.read(log))
    assert logs.tail(log, count) == (lines[-count:] if count else [])


def test_the_tail_of_a_large_log(tmp_path):
    log = tmp_path / "log"
    log.write_text("".join(f"line {n}\n" for n in range(100_000)))
    assert logs.tail(log, 20_000) == [f"line {n}" for n in range(80_000, 100_000)]


@pytest.mark.parametrize("count", [None, 0, 1, 2, 100])
def test_following_what_has_ended_is_reading_it(home, count):
    (home / "logs" / "ct-1.log").write_text("one\ntwo\nthree")
    lines = ["one", "two", "three"]
    assert list(logs.follow("ct-1", count)) == (lines if count is None else lines[3 - min(count, 3) :])


def test_a_follower_sees_no_log_whose_older_half_is_just_going(home, monkeypatch):
    log, lines = home / "logs" / "ct-1.log", [f"line {number}\n" for number in range(2000)]
    log.write_text("".join(lines[:1000]))
    looked, over, found = threading.Event(), threading.Event(), []
    monkeypatch.setattr(logs, "lives", lambda *_: looked.set() or not over.is_set())
    follower = threading.Thread(target=lambda: found.extend(logs.follow("ct-1")))
    follower.start()
    until(lambda: len(found) == 1000)
    with log.open("r+") as guard:
        fcntl.flock(guard, fcntl.LOCK_EX)
        guard.truncate(0)
        guard.seek(0)
        for part in (lines[400:800], lines[800:]):
            guard.writelines(part)
            guard.flush()
            for _ in range(2):  # a follower that reads now has its chance; one that waits looks no more
                looked.clear()
                looked.wait(0.2)
        fcntl.flock(guard, fcntl.LOCK_UN)
    over.set()
    follower.join(30)
    assert found == [line.strip() for line in lines]


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain ä\ttext", "plain ä\ttext"),
        ("\x1b[1;31mred\x1b[0m", "\x1b[1;31mred\x1b[0m"),
        ("\x1b[2J\x1b[Hcleared", "cleared"),
        ("\x1b]0;title\x07after", "after"),
        ("\x1b]52;c;cm0gLXJm\x1b\\after", "after"),
        ("\x1b]8;;http://x", ""),
        ("\x1bP1$q\x1b\\after", "after"),
        ("\x1bcreset", "reset"),
        ("\x1b(0lines", "lines"),
        ("50 %\r100 %", "50 %100 %"),
        ("back\x08\x08\x7f\x00bell\x07", "backbell"),
        ("\x9b2Jcleared\x85", "2Jcleared"),
        ("left\u202eright", "leftright"),
        ("\x1b", ""),
        ("\x1b[", ""),
    ],
)
def test_what_a_terminal_would_obey_is_not_shown(text, shown):
    assert logs.shown(text) == shown


def printed(text, name="in-1", stream=1, container="ct-1"):
    return Printed(container, Record(0, ("fc-1",), name, stream, text))


def test_lines_are_put_together_of_one_input_and_one_stream():
    lines = Lines()
    parts = [printed("a "), printed("x ", "in-2"), printed("e ", stream=2), printed("y ", container="ct-2")]
    assert list(lines.take(parts)) == []
    assert list(lines.take([printed("b\nc"), printed("z\n", "in-2")])) == ["a b", "x z"]
    assert sorted(lines.take([printed("", stream=ENDED)])) == ["c", "e "]
    assert list(lines.take([])) == ["y "]


def test_a_log_whose_older_half_went_is_read_on(tmp_path):
    log = tmp_path / "log"
    log.write_bytes(b"")
    place, seen, read, held = 0, b"", b"", b""
    lines = [b"line %04d\n" % n for n in range(500)]
    for line in lines:
        held = (held[500:] if len(held) > 1000 else held) + line
        log.write_bytes(held)
        data, place = logs._come(log, place, seen)
        read, seen = read + data, (seen + data)[-100:]
    assert read == b"".join(lines)
    log.write_bytes(b"something else\n" * 100)
    assert logs._come(log, place, seen) == (b"something else\n" * 100, 1500)
