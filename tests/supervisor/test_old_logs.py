"""Which logs of containers that ended are kept."""

from __future__ import annotations

import os

import pytest

from modal_nb.client.printed import CallRecords
from modal_nb.protocol.call_log import CallFiles, gone_file
from modal_nb.supervisor.old_logs import remove_old


@pytest.fixture
def logs(tmp_path):
    """Ten containers, ct-0 the oldest, each with a call that printed there."""
    for number in range(10):
        log = tmp_path / f"ct-{number}.log"
        log.write_bytes(b"x" * 1000)
        os.utime(log, ns=(number, number))
        files = CallFiles(tmp_path, log.stem)
        files.index.write_text(f"fc-a-{number} 1\n")
        files.current.write_text('[1,[],"",-1,"1"]\n' + "y" * 483)
    (tmp_path / "supervisor.log").write_text("stays")
    return tmp_path


def left(logs):
    return sorted(int(path.stem[3:]) for path in logs.glob("ct-*.log"))


def test_the_oldest_go_first_with_all_of_their_files(logs):
    remove_old(logs, kept=7)
    assert left(logs) == [3, 4, 5, 6, 7, 8, 9]
    assert not [path for path in logs.iterdir() if path.name.startswith(("ct-0", "ct-1", "ct-2"))]
    assert (logs / "supervisor.log").exists()


def test_their_bytes_are_bounded_too(logs):
    remove_old(logs, kept_bytes=4 * 1516)
    assert left(logs) == [6, 7, 8, 9]


def test_logs_in_use_stay(logs):
    remove_old(logs, {logs / "ct-0.log"}, kept=1)
    assert left(logs) == [0, 9]


def test_it_is_known_what_is_gone(logs):
    remove_old(logs, kept=9)
    assert CallRecords(logs, "fc-a-0").were_removed()
    assert not CallRecords(logs, "fc-a-1").were_removed()
    assert gone_file(logs).read_text() == "fc-a-0\n"


def test_the_memory_of_what_is_gone_is_bounded(logs, monkeypatch):
    monkeypatch.setattr("modal_nb.supervisor.old_logs.LARGEST_INDEX", 30)
    remove_old(logs, kept=0)
    assert 0 < gone_file(logs).stat().st_size <= 30
    assert CallRecords(logs, "fc-a-0").were_removed()
