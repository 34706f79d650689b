from __future__ import annotations

from pathlib import Path

import psutil
import pytest

from modal_nb.container import memory_kills
from modal_nb.container.memory_kills import MemoryKills, memory_limit


@pytest.fixture
def counter(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    file = tmp_path / "memory.events"
    file.write_text("low 0\noom 4\noom_kill 4\n")
    monkeypatch.setattr(memory_kills, "_sources", lambda: [tmp_path / "absent", file])
    return file


def test_kills_from_before_do_not_count(counter: Path):
    assert MemoryKills().recent() == 0


def test_a_kill_counts_for_one_to_two_periods(counter: Path):
    kills = MemoryKills()
    kills.tick(100.0)
    counter.write_text("oom_kill 5\n")
    assert kills.recent() == 1
    kills.tick(100.0 + kills.PERIOD)
    assert kills.recent() == 1
    kills.tick(100.0 + 1.5 * kills.PERIOD)
    assert kills.recent() == 1, "ticks that come early change nothing"
    kills.tick(100.0 + 2 * kills.PERIOD)
    assert kills.recent() == 0


def test_where_nothing_is_counted_nothing_is_claimed(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(memory_kills, "_sources", list)
    assert MemoryKills().recent() == 0


def test_the_lowest_limit_of_a_group_and_those_above_it_counts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    inner = tmp_path / "outer" / "inner"
    inner.mkdir(parents=True)
    (tmp_path / "memory.max").write_text("max\n")
    (tmp_path / "outer" / "memory.max").write_text(f"{2**20}\n")
    (inner / "memory.max").write_text(f"{2**21}\n")
    monkeypatch.setattr(memory_kills, "_groups", lambda: [(tmp_path, "outer/inner", False)])
    assert memory_limit() == 2**20


def test_where_no_group_has_a_limit_it_is_the_memory_of_the_machine(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(memory_kills, "_groups", list)
    assert memory_limit() == psutil.virtual_memory().total
