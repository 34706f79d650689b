"""How starts of containers, and who looks into them, are told."""

from __future__ import annotations

import pytest

from modal_nb.client.facts import looked_into, start_words


@pytest.mark.parametrize(
    ("total", "way", "said"),
    [
        (0.0062, "forked", "6 ms, forked"),
        (0.0996, "", "0.1 s"),
        (2.04, "started plainly: no room", "2.0 s, started plainly: no room"),
        (10.34, "", "10 s"),
    ],
)
def test_a_start(total, way, said):
    assert start_words(total, way) == said


@pytest.mark.parametrize(
    ("container", "said"),
    [
        ({}, ""),
        ({"aside": None, "pinned": 0}, ""),
        ({"aside": 0.0, "pinned": 1}, "aside for 3 s: somebody looks inside"),
        ({"aside": None, "pinned": 2}, "taken by who looks inside"),
    ],
)
def test_who_looks_into_it(container, said):
    assert looked_into(container, " for 3 s") == said
