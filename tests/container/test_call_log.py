"""What the container's process notes of its calls: in bounds, whole after a kill, and at no risk for user code."""

from __future__ import annotations

import os
import threading

import pytest

from modal_nb.client.printed import CUT, CallRecords
from modal_nb.container.call_log import CallLog
from modal_nb.protocol.call_log import ENDED, CallFiles

ONE = (("fc-a-1",), "in-a-1-0")
OTHER = (("fc-a-2",), "in-a-2-0")


@pytest.fixture
def files(tmp_path):
    return CallFiles(tmp_path, "ct-1")


def put(log, owner, text, stream=1):
    log.put(owner, stream, text.encode() if isinstance(text, str) else text)
    log.flush(owner, stream)


def found(files, call="fc-a-1"):
    records = CallRecords(files.current.parent, call)
    try:
        return [one.record for one in records.read()]
    finally:
        records.close()


def texts(files, call="fc-a-1"):
    return [record.text for record in found(files, call) if record.stream > 0]


def test_nothing_is_made_before_something_is_printed(files, tmp_path):
    log = CallLog(files)
    log.end("in-a-1-0")
    assert list(tmp_path.iterdir()) == []
    put(log, ONE, "first\n")
    assert {path.stat().st_mode & 0o777 for path in tmp_path.iterdir()} == {0o600}


def test_what_is_flushed_is_there_and_the_rest_comes_with_the_end_of_the_input(files):
    log = CallLog(files)
    log.put(ONE, 1, b"held")
    assert texts(files) == []
    log.flush(ONE, 1)
    log.put(ONE, 2, b"an error")
    put(log, OTHER, "another\n")
    log.end("in-a-1-0")
    assert [(r.stream, r.text) for r in found(files)] == [(1, "held"), (2, "an error"), (ENDED, "")]
    assert texts(files, "fc-a-2") == ["another\n"]
    assert list(log.open) == ["in-a-2-0"]


def test_a_character_is_never_cut_in_two_and_what_is_no_text_is_replaced(files):
    log = CallLog(files)
    for byte in "ä€😀".encode():
        put(log, ONE, bytes([byte]))
    put(log, ONE, b"\xff\xfe")
    put(log, ONE, "€".encode()[:2])
    log.end("in-a-1-0")
    assert "".join(texts(files)) == "ä€😀\ufffd\ufffd\ufffd"


def test_a_flood_stays_in_bounds_and_says_what_is_missing(files):
    log = CallLog(files, largest=4096)
    put(log, OTHER, "from the beginning\n")
    for number in range(2000):
        put(log, ONE, f"line {number}\n")
        assert sum(path.stat().st_size for path in (files.current, files.former) if path.exists()) <= 8192
    records = found(files)
    assert records[0].stream == CUT
    kept = [record.text for record in records[1:]]
    assert kept == [f"line {n}\n" for n in range(2000 - len(kept), 2000)]
    assert len(kept) > 20
    assert [record.stream for record in found(files, "fc-a-2")] == [CUT]


def test_a_reader_that_keeps_up_misses_nothing_of_a_flood(files):
    log = CallLog(files, largest=4096)
    put(log, ONE, "begin\n")
    records = CallRecords(files.current.parent, "fc-a-1")
    lines = []
    for number in range(500):
        put(log, ONE, f"line {number}\n")
        if number % 20 == 0:
            lines += [one.record.text for one in records.read()]
    lines += [one.record.text for one in records.read()]
    records.close()
    assert lines == ["begin\n", *(f"line {n}\n" for n in range(500))]


def test_one_long_line_is_noted_in_pieces(files):
    log = CallLog(files)
    put(log, ONE, "x" * 200_000 + "\n")
    assert "".join(texts(files)) == "x" * 200_000 + "\n"
    assert max(map(len, texts(files))) <= 1 << 16


def test_a_record_that_was_cut_off_spoils_no_other(files):
    log = CallLog(files)
    put(log, ONE, "before\n")
    with files.current.open("ab") as file:
        file.write(b'[17,["fc-a-1"],"in-a\n')
    put(log, ONE, "after\n")
    with files.current.open("ab") as file:
        file.write(b'[17,["fc-a-1"],"in-a-1-')
    assert texts(files) == ["before\n", "after\n"]


def test_where_nothing_can_be_written_nobody_is_hurt(files, tmp_path):
    log = CallLog(CallFiles(tmp_path / "gone", "ct-1"))
    put(log, ONE, "lost\n")
    log.end("in-a-1-0")
    assert not log.open


def test_a_forked_child_notes_nothing_and_does_not_hang(files):
    log = CallLog(files)
    put(log, ONE, "parent\n")
    taken, done = threading.Event(), threading.Event()

    def hold():
        with log._lock:
            taken.set()
            done.wait()

    holder = threading.Thread(target=hold)
    holder.start()
    taken.wait()
    child = os.fork()
    if child == 0:
        put(log, ONE, "child\n")
        log.end("in-a-1-0")
        os._exit(0)
    assert os.waitpid(child, 0)[1] == 0
    done.set()
    holder.join()
    assert texts(files) == ["parent\n"]


def test_the_index_is_bounded(files, monkeypatch):
    monkeypatch.setattr("modal_nb.container.call_log.LARGEST_INDEX", 1000)
    log = CallLog(files)
    for number in range(500):
        put(log, ((f"fc-a-{number}",), f"in-a-{number}-0"), "x\n")
        assert files.index.stat().st_size <= 1000
    assert texts(files, "fc-a-499") == ["x\n"]


def test_the_last_lines_of_an_input_that_runs(files):
    log = CallLog(files)
    assert log.latest("in-a-1-0") == []
    put(log, ONE, "".join(f"line {number}\n" for number in range(8)))
    put(log, OTHER, "of another\n")
    log.put(ONE, 2, b"no end yet")
    assert log.latest("in-a-1-0") == ["line 4", "line 5", "line 6", "line 7", "no end yet"]
    assert log.latest("in-a-2-0") == ["of another"]
    log.end("in-a-1-0")
    assert log.latest("in-a-1-0") == []


def test_the_last_lines_are_bounded_and_need_no_file(files, tmp_path):
    log = CallLog(files)
    put(log, ONE, "x" * 200_000 + "\nlast\n")
    assert [len(line) for line in log.latest("in-a-1-0")][-1:] == [4]
    assert all(len(line) <= 500 for line in log.latest("in-a-1-0"))
    files.current.unlink()
    assert log.latest("in-a-1-0") == []
