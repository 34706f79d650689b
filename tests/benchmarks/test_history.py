from __future__ import annotations

import copy

import pytest

from benchmarks import history

RAY = {
    "A|Ray actor|1": {"p50_us": 1000.0},
    "B|Ray actor, 1,000 in flight|1": {"calls_s": 5000.0, "calls": 4000},
}


def run(p50: float, calls_s: float, speed: float = 1.0) -> dict[str, object]:
    """An entry of a machine that is so many times as fast."""
    medians = {
        **copy.deepcopy(RAY),
        "A|modal_nb .remote()|1": {"p50_us": p50},
        "B|modal_nb .remote.aio(), 1,000 in flight|1": {"calls_s": calls_s, "calls": 2000},
    }
    for figure in medians.values():
        for field in figure:
            figure[field] *= speed if field == "calls_s" else 1 / speed
    return {"commit": "c", "when": "w", "medians": medians}


def test_what_got_worse_is_named_first():
    text = history.comparison(run(300.0, 9000.0), run(600.0, 9000.0))
    assert "1 of 2 figures got more than 1.3 times worse" in text
    assert "WORSE: A, modal_nb .remote(), 1, p50_us: 2.00 times" in text


def test_fewer_calls_per_second_are_worse():
    (first, second) = history.changes(run(300.0, 9000.0)["medians"], run(300.0, 4500.0)["medians"])
    assert (first.what, first.times) == ("B, modal_nb .remote.aio(), 1,000 in flight, 1, calls_s", 2.0)
    assert second.times == 1.0


def test_another_machine_is_no_change():
    fast = run(300.0, 9000.0, speed=4.0)
    found = history.changes(run(300.0, 9000.0)["medians"], fast["medians"])
    assert [change.times for change in found] == [pytest.approx(1.0), pytest.approx(1.0)]


def test_a_figure_that_only_one_run_has_is_left_out():
    old, new = run(300.0, 9000.0)["medians"], run(300.0, 9000.0)["medians"]
    del old["A|modal_nb .remote()|1"]
    assert len(history.changes(old, new)) == 1


def test_one_run_is_compared_with_nothing(monkeypatch, tmp_path):
    monkeypatch.setattr(history, "HISTORY", tmp_path / "history.jsonl")
    history.HISTORY.write_text("{}\n", encoding="utf-8")
    assert history.compare_last().startswith("There is nothing to compare")
