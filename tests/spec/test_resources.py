"""Cores, memory, GPUs: what one container asks for."""

from __future__ import annotations

import pytest

from modal_nb.exception import InvalidError
from modal_nb.spec.resources import Resources


def test_requests_and_pairs():
    assert Resources.declared(cpu=0.5, memory=256) == Resources(cpu=0.5, memory=256)
    assert Resources.declared(cpu=(1, 2.5), memory=(256, 512)) == Resources(1, 2.5, 256, 512)


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"cpu": "2"}, "`cpu` must be a number, not '2' (str)"),
        ({"cpu": -1}, "`cpu` must be at least 0, not -1"),
        ({"cpu": (2, 1)}, "`cpu` limit (1) cannot be lower than its request (2)"),
        ({"cpu": (0, 1)}, "`cpu` as a (request, limit) pair must hold positive numbers, not (0, 1)"),
        ({"cpu": (1, 2, 3)}, "`cpu` must be a request or a (request, limit) pair, not (1, 2, 3)"),
        ({"memory": 1.5}, "`memory` must be an int, not 1.5 (float)"),
        ({"memory": (512, 256)}, "`memory` limit (256) cannot be lower than its request (512)"),
        ({"ephemeral_disk": 0}, "`ephemeral_disk` must be at least 1, not 0"),
        ({"gpu": 3}, "`gpu` must be a string such as 'T4' or 'A100:2', or a list of them, not 3 (int)"),
        ({"gpu": "T4:two"}, "Invalid GPU count in `gpu`='T4:two': what follows the colon must be an integer"),
        ({"gpu": "T4:0"}, "Invalid GPU count in `gpu`='T4:0'"),
        ({"gpu": ":2"}, "`gpu` must name a GPU, such as 'T4' or 'A100:2', not ':2'"),
        ({"gpu": ["T4", None, 7]}, "`gpu` must be a string such as 'T4'"),
    ],
)
def test_what_does_not_fit_is_named(options, sentence):
    with pytest.raises(InvalidError) as caught:
        Resources.declared(**options)
    assert str(caught.value).startswith(sentence)


def test_gpus_are_names_in_capitals_with_counts_in_order_of_preference():
    assert Resources.declared(gpu="a100:2").gpu == (("A100", 2),)
    assert Resources.declared(gpu=["h100", "T4"]).gpu == (("H100", 1), ("T4", 1))
