"""The words about a ``.map`` on its way, and at its end."""

from __future__ import annotations

import pytest

from modal_nb.client.progress import Counts, Rate, bar, line


def test_a_map_on_its_way_says_all_that_is_known():
    counts = Counts(1000, done=512, failed=3, running=4, queued=484, containers=2, rate=50.8)
    assert line("Model.predict.map", counts) == (
        "Model.predict.map: 512 of 1,000 done, 3 failed, 4 running, 484 queued, 2 containers, 51/s, 10 s left"
    )


def test_without_a_total_there_is_no_time_left():
    assert line("f.map", Counts(None, done=7, running=1, containers=1, rate=2)) == (
        "f.map: 7 done, 1 running, 1 container, 2.0/s"
    )


def test_where_nothing_runs_it_says_why():
    counts = Counts(5, queued=5, why="a container is starting: imports 3.2 s")
    assert line("f.map", counts).endswith("5 queued, 0 containers, a container is starting: imports 3.2 s")


@pytest.mark.parametrize(
    ("counts", "said"),
    [
        (Counts(9, done=9, seconds=3.3, end="done"), "f.map: 9 done"),
        (Counts(9, done=4, seconds=3.3, end="stopped"), "f.map: 4 of 9 done, stopped"),
        (Counts(None, done=4, failed=1, end="done"), "f.map: 4 done, 1 failed"),
    ],
)
def test_the_last_line_is_the_same_in_every_run(counts, said):
    assert line("f.map", counts) == said


def test_the_bar_is_inert():
    html = bar("<script>alert(1)</script>.map", Counts(3, done=1, why="<img src=x>"))
    assert "<script" not in html
    assert "<img" not in html
    assert '<progress value="1" max="3"' in html


def test_the_bar_of_nobody_knows_how_many_has_no_end():
    assert "<progress aria-label" in bar("f.map", Counts(None, done=1))


def test_the_rate_follows_and_forgets():
    rate = Rate(0.0)
    assert rate.after(0, 1.0) == 0.0
    assert rate.after(20, 2.0) == 10.0
    assert rate.after(20, 3.0) < 10.0


@pytest.mark.parametrize(
    ("counts", "said"),
    [
        (Counts(9, done=9, seconds=3.3, end="done"), "f.map: 9 done in 3 s, 2.7/s"),
        (Counts(9, done=9, failed=1, seconds=3.3, end="done"), "f.map: 9 done, 1 failed, in 3 s, 2.7/s"),
        (Counts(9, seconds=61, end="stopped"), "f.map: 0 of 9 done, stopped after 1 min 1 s"),
        (Counts(9, done=9, seconds=0.3, end="done"), "f.map: 9 done"),
    ],
)
def test_the_bar_says_how_long_it_took(counts, said):
    assert f"<span>{said}</span>" in bar("f.map", counts)
