"""How starts of containers, and who looks into them, are told."""

from __future__ import annotations

import pytest

from modal_nb.client.facts import looked_into, start_words


@pytest.mark.parametrize(
    ("start", "said"),
    [
        ({}, ""),
        ({"launch": 0.31}, "process 0.3 s"),
        (
            {"launch": 0.3, "imports": 2.04, "enter": 8.0, "total": 10.34},
            "started in 10.3 s: process 0.3 s, imports 2.0 s, enter hooks 8.0 s",
        ),
    ],
)
def test_a_start(start, said):
    assert start_words(start) == said


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
