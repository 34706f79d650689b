from __future__ import annotations

import pytest

from benchmarks import table

FAST = {
    "A|Ray actor|1": {"p50_us": 1000.0, "p99_us": 2000.0},
    "A|modal_nb .remote()|1": {"p50_us": 300.0, "p99_us": 500.0},
    "B|Ray actor, all calls at once|1": {"calls_s": 4000.0},
    "B|Ray actor, 1,000 in flight|1": {"calls_s": 5000.0},
    "C|modal_nb .map()|1": {"calls_s": 20_000.0},
}
SLOW = {key: {field: 2 * value for field, value in figure.items()} for key, figure in FAST.items()}
SLOW["A|modal_nb .remote()|1"] = {"p50_us": 1000.0, "p99_us": 1000.0}


def test_a_ratio_is_taken_within_a_round():
    found = table.ratio([FAST, SLOW], "A|modal_nb .remote()|1", "p50_us")
    assert found == table.Ratio(mid=pytest.approx(0.4), low=0.3, high=0.5)


def test_calls_are_measured_against_the_faster_way_to_call_ray():
    assert table.ratio([FAST], "C|modal_nb .map()|1", "calls_s") == table.Ratio(4.0, 4.0, 4.0)


def test_a_round_without_ray_gives_no_ratio():
    assert table.ratio([{"C|modal_nb .map()|1": {"calls_s": 1.0}}], "C|modal_nb .map()|1", "calls_s") is None


def test_an_aim_is_met_missed_or_not_measured():
    verdicts = [row.rsplit("|", 2)[1].strip() for row in table.aims_table([FAST])[2:]]
    assert verdicts == ["yes", "not measured", "**no**"]


def test_the_document_shows_every_section_and_a_dash_for_what_is_missing():
    text = table.document([FAST, SLOW], "ABC", "setting")
    assert "| modal_nb .map() | 4.00 (4.00 to 4.00) | 30,000 | - | - |" in text
    assert text.count("\n## ") == 3
