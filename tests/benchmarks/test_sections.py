from __future__ import annotations

import asyncio

import numpy as np
import pytest

from benchmarks import document, picture, rounds, table
from benchmarks.peers.peer import PEERS, in_window
from benchmarks.work import BATCH_SIZES, Model, some_rows

SERVE, TUNED = table.REFERENCES["D"]
OURS = "modal_nb .map()"


def figures(ours: float, serve: float, tuned: float) -> rounds.Round:
    """Every figure grows with the size of the batch."""
    found = {}
    for size in BATCH_SIZES:
        found[f"D|{OURS}|{size}"] = {"calls_s": ours * size}
        found[SERVE.format(n=size)] = {"calls_s": serve * size}
        found[TUNED.format(n=size)] = {"calls_s": tuned * size}
    found |= {f"E|{OURS}|1": {"calls_s": ours}, table.REFERENCES["E"][0].format(n=1): {"calls_s": serve}}
    return found


def test_batches_are_measured_against_the_faster_serve_of_the_round_with_the_same_size():
    played = [figures(600, 100, 200), figures(600, 300, 200)]
    assert table.ratio(played, f"D|{OURS}|16", "calls_s") == table.Ratio(2.5, 2.0, 3.0)


def test_the_table_of_batches_has_two_columns_for_each_size():
    text = document.document([figures(600, 100, 200)], "D", "setting")
    (row,) = [line for line in text.splitlines() if line.startswith(f"| {OURS} |")]
    assert row.count("3.00 (3.00 to 3.00)") == len(BATCH_SIZES)
    assert row.endswith("| 38,400 |")
    assert f"batches of {max(BATCH_SIZES)}, Serve = 1" in text
    assert "(batched.svg)" in text


def test_concurrent_calls_are_measured_against_serve_too():
    text = document.document([figures(600, 100, 200)], "E", "setting")
    assert f"| {OURS} | 6.00 (6.00 to 6.00) | 600 |" in text


def test_a_line_of_the_picture_is_the_medians_and_how_far_the_rounds_are_from_them():
    played = [figures(100, 1, 1), figures(300, 1, 1), figures(400, 1, 1)]
    del played[0][f"D|{OURS}|4"], played[1][f"D|{OURS}|4"], played[2][f"D|{OURS}|4"]
    assert picture.line(played, OURS) == (
        [1, 16, 64],
        [300, 4_800, 19_200],
        ([200, 3_200, 12_800], [100, 1_600, 6_400]),
    )


def test_the_same_figures_make_the_same_picture(tmp_path):
    played = [figures(600, 100, 200)]
    for name in ("a.svg", "b.svg"):
        picture.draw(played, tmp_path / name)
    text = (tmp_path / "a.svg").read_text(encoding="utf-8")
    assert text == (tmp_path / "b.svg").read_text(encoding="utf-8")
    assert OURS in text
    assert SERVE.split("|")[1] in text


def test_a_peer_without_figures_for_the_sections_is_not_started(monkeypatch):
    started = []
    monkeypatch.setattr(rounds, "one_peer", lambda peer, sections: started.append(peer) or {})
    assert list(rounds.play(list(PEERS), 2, "D")) == [{}, {}]
    serving = [peer for peer, (_, sections) in PEERS.items() if "D" in sections]
    assert started == [*serving, *serving[1:], serving[0]]


@pytest.mark.parametrize("n", [3, 10])
def test_a_window_makes_each_call_once_and_never_too_many_at_a_time(n):
    made, under_way, most = [], set(), 0

    async def call(number: int) -> None:
        nonlocal most
        under_way.add(number)
        most = max(most, len(under_way))
        await asyncio.sleep(0)
        under_way.remove(number)
        made.append(number)

    with asyncio.Runner() as runner:
        in_window(runner, call, 4)(n)
    assert sorted(made) == list(range(n))
    assert most == min(n, 4)


def test_a_batch_gives_what_its_rows_give_one_by_one():
    model, rows = Model(), some_rows()[:20]
    assert model.classes(rows) == [model.classes([row])[0] for row in rows]
    assert len(np.unique(model.classes(rows))) > 1
