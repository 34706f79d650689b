from __future__ import annotations

import os

import pytest

from modal_nb.container.log_keeper import CUT, LogKeeper


@pytest.fixture
def log(tmp_path):
    return tmp_path / "log"


def keeper(log, largest=4096):
    return LogKeeper(os.open(log, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o600), largest)


def write(kept, data):
    os.write(kept._writable, data)
    while kept.copy():
        pass


def test_what_is_printed_is_in_the_log(log):
    kept = keeper(log)
    write(kept, b"one\ntwo\n")
    assert log.read_bytes() == b"one\ntwo\n"


def test_a_full_log_loses_its_older_half_keeps_whole_lines_and_says_so(log):
    kept = keeper(log)
    lines = [b"line %04d\n" % number for number in range(2000)]
    for line in lines:
        write(kept, line)
        assert log.stat().st_size <= 4096 + len(CUT)
    cut, *found = log.read_bytes().splitlines(keepends=True)
    assert cut == CUT
    assert len(found) >= 200
    assert found == lines[-len(found) :]


def test_a_line_longer_than_the_log_passes_and_is_dropped_later(log):
    kept = keeper(log)
    write(kept, b"x" * 5000 + b"\n")
    write(kept, b"after\n")
    assert log.read_bytes().endswith(b"after\n")


def test_the_last_words_are_copied_when_the_writer_is_gone_or_a_child_of_it_lives_on(log):
    kept = keeper(log)
    os.write(kept._writable, b"last words\n")
    kept.finish()
    assert log.read_bytes() == b"last words\n"
    os.write(kept._writable, b"later\n")
    kept.stay()
    kept.finish()
    assert log.read_bytes() == b"last words\nlater\n"
    assert not kept.copy()


def test_a_log_that_cannot_be_written_costs_nobody_his_life(log):
    log.touch()
    kept = LogKeeper(os.open(log, os.O_RDONLY))
    os.write(kept._writable, b"lost\n")
    assert kept.copy()
    assert log.read_bytes() == b""
