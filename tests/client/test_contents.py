"""Equal keys have equal bytes, in every process."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from modal_nb.client.contents import key_bytes, value_bytes, value_of

KEYS = """(
    "text", b"bytes", 1, -(2**70), 1.5, 2j, True, None, (), ("a", ("b", 1)), ("same", "same"),
    frozenset("abcdefgh"), (frozenset({("x", 1), ("y", 2)}), 3),
)"""


def test_keys_are_the_same_in_processes_with_other_hashes():
    text = f"from modal_nb.client.contents import key_bytes\nprint([key_bytes(key).hex() for key in {KEYS}])"
    printed = {
        subprocess.run(
            [sys.executable, "-c", text],
            env={**os.environ, "PYTHONHASHSEED": seed},
            cwd=Path(__file__).parents[2],
            check=True,
            capture_output=True,
            text=True,
        ).stdout
        for seed in ("1", "2")
    }
    assert printed == {f"{[key_bytes(key).hex() for key in eval(KEYS)]}\n"}


def test_keys_come_back_as_they_were():
    keys = eval(KEYS)
    assert tuple(value_of(key_bytes(key)) for key in keys) == keys


@pytest.mark.parametrize("key", [[], {}, ({},), {1}])
def test_what_a_dict_does_not_take_is_no_key(key):
    with pytest.raises(TypeError, match="unhashable"):
        key_bytes(key)


def test_an_array_is_one_frame_and_comes_back_writable():
    numpy = pytest.importorskip("numpy")
    value = value_of(value_bytes({"array": numpy.arange(1_000_000)}, "it"))
    value["array"][0] = 7
    assert value["array"].sum() == 499_999_500_007
