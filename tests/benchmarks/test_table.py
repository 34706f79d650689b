from __future__ import annotations

import pytest

from benchmarks import document, table

FAST = {
    "A|Ray actor|1": {"p50_us": 1000.0, "p99_us": 2000.0},
    "A|modal_nb .remote()|1": {"p50_us": 300.0, "p99_us": 1000.0},
    "B|Ray actor, all calls at once|1": {"calls_s": 4000.0},
    "B|Ray actor, 1,000 in flight|1": {"calls_s": 5000.0},
    "C|modal_nb .map()|1": {"calls_s": 20_000.0},
}
SLOW = {key: {field: 2 * value for field, value in figure.items()} for key, figure in FAST.items()}
SLOW["A|modal_nb .remote()|1"] = {"p50_us": 1000.0, "p99_us": 1000.0}
ARRAYS = {
    "F|Ray actor|1 MiB argument": {"us": 1000.0},
    "F|Ray actor|1 MiB result": {"us": 2000.0},
    "F|modal_nb .remote()|1 MiB argument": {"us": 100.0},
    "F|modal_nb .remote()|1 MiB result": {"us": 600.0},
    "F|floor: memcpy into warm memory|100 MiB argument": {"us": 10_000.0},
    "F|modal_nb .remote()|100 MiB argument": {"us": 14_000.0},
}


def aim(start: str) -> table.Aim:
    (found,) = [aim for aim in table.AIMS if aim.text.startswith(start)]
    return found


def test_a_ratio_is_taken_within_a_round():
    found = table.ratio([FAST, SLOW], "A|modal_nb .remote()|1", "p50_us")
    assert found == table.Ratio(mid=pytest.approx(0.4), low=0.3, high=0.5)


def test_calls_are_measured_against_the_faster_way_to_call_ray():
    assert table.ratio([FAST], "C|modal_nb .map()|1", "calls_s") == table.Ratio(4.0, 4.0, 4.0)


def test_a_round_without_ray_gives_no_ratio():
    assert table.ratio([{"C|modal_nb .map()|1": {"calls_s": 1.0}}], "C|modal_nb .map()|1", "calls_s") is None


def test_an_aim_is_met_well_met_missed_or_not_measured():
    verdicts = [row.rsplit("|", 2)[1].strip() for row in table.aims_table([FAST])[2:]]
    assert verdicts[:4] == ["stretch", "yes", "not measured", "**no**"]
    assert set(verdicts[4:]) == {"not measured"}


def test_of_an_argument_and_a_result_the_worse_counts():
    assert table.reached([ARRAYS], aim("1 MiB")) == table.Ratio(0.3, 0.3, 0.3)


def test_a_row_of_two_figures_needs_both():
    assert table.reached([ARRAYS], aim("100 MiB")) is None


def test_large_arrays_are_measured_against_memcpy_both_ways():
    both = ARRAYS | {"F|modal_nb .remote()|100 MiB result": {"us": 13_000.0}}
    assert table.reached([both], aim("100 MiB")) == table.Ratio(1.4, 1.4, 1.4)


def test_what_stands_alone_is_shown_as_it_is():
    idle = {"I|modal_nb|50": {"keepers_percent": 0.5}}
    (row,) = [row for row in table.aims_table([idle]) if row.startswith("| supervisor")]
    assert row.endswith("| - | <= 1 | <= 0.2 | 0.50 (0.50 to 0.50) | yes |")


def test_every_aim_can_be_measured():
    letters = set(document.SECTIONS)
    for one in table.AIMS:
        assert {key.split("|")[0] for key in one.keys} <= letters
        assert one.stretch < one.must or table.more_is_better(one.field)


@pytest.mark.parametrize(
    ("number", "text"), [(45.234, "45.23"), (0.45, "0.45"), (0.0241, "0.024"), (0.00591, "0.0059")]
)
def test_small_ratios_have_more_digits(number, text):
    assert table.shown(number) == text


def test_the_document_shows_every_section_and_a_dash_for_what_is_missing():
    text = document.document([FAST, SLOW], "ABC", "setting")
    assert "| modal_nb .map() | 4.00 (4.00 to 4.00) | 30,000 | - | - |" in text
    assert text.count("\n## ") == 3


def test_the_document_shows_a_crowd_with_what_is_known_of_it():
    ray = {"wall_s": 10.0, "all_ms": 40.0, "pss_mib": 40.0, "keepers_percent": 9.0, "crowd_percent": 12.0}
    kernels = {"wall_s": 15.0, "all_ms": 80.0, "pss_mib": 20.0}
    text = document.document([{"I|Ray actors|50": ray, "I|plain ipykernels|50": kernels}], "I", "setting")
    assert "| plain ipykernels | 1.50 (1.50 to 1.50) | 15.0 | 2.00 (2.00 to 2.00) | 80.0 | 0.50" in text
    assert text.rstrip().endswith("| 20.0 | - | - |")
