"""The class digest sees every change that matters and nothing else."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import types

import numpy as np
import pytest

from modal_nb.client.introspect import class_digest, unhashable
from modal_nb.runtime.loader import dump_class, load_class
from tests.client.cells import CELLS, digest_of, run


def test_running_the_same_cells_again_gives_the_same_digest():
    assert digest_of(CELLS) == digest_of(CELLS)
    assert unhashable(run(CELLS)) == []


def test_line_numbers_comments_and_file_names_do_not_count():
    moved = "\n\n# a comment\n" + CELLS.replace("return x + THRESHOLD", "return  x + THRESHOLD  # comment")
    assert digest_of(moved, "/tmp/ipykernel_1/other.py") == digest_of(CELLS)


PYDANTIC = """
import pydantic, re
PATTERN = re.compile("a+")
class Request(pydantic.BaseModel):
    x: int = 1
    @pydantic.field_validator("x")
    def check(cls, x):
        return x
class Model:
    def f(self, request: Request) -> Request:
        return Request(x=len(PATTERN.findall("a")))
"""


def test_pydantic_models_and_patterns_of_a_cell_have_a_digest():
    pytest.importorskip("pydantic")
    assert unhashable(run(PYDANTIC)) == []
    assert digest_of(PYDANTIC) == digest_of(PYDANTIC)
    for old, new in (
        ("x: int = 1", "x: int = 2"),
        ('("x")', '("x", mode="before")'),
        ("return x\n", "return -x\n"),
        ("a+", "b+"),
    ):
        assert digest_of(PYDANTIC.replace(old, new)) != digest_of(PYDANTIC)


def test_the_digest_can_be_taken_again_and_again_and_after_pickling():
    model = run(CELLS)
    before = class_digest(model)
    frames = dump_class(model)
    assert class_digest(model) == before
    assert class_digest(load_class([bytes(frame) for frame in frames])) == before


def test_two_processes_agree(tmp_path):
    path = tmp_path / "cells.py"
    path.write_text(
        CELLS + "\nfrom modal_nb.client.introspect import class_digest\nprint(class_digest(Model))\n"
    )
    said = {
        subprocess.run(
            [sys.executable, "-W", "error", str(path)],
            env={"PYTHONHASHSEED": str(seed), "PATH": "/usr/bin:/bin"},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in (1, 2, 3)
    }
    assert len(said) == 1


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("THRESHOLD = 3", "THRESHOLD = 4"),
        ("THRESHOLD = 3", "THRESHOLD = 3.0"),
        ("THRESHOLD = 3", "THRESHOLD = True"),
        ('"eel"}', '"eel", "fox"}'),
        ('"b": [1, 2]', '"b": [2, 1]'),
        ("(None, 2.5)", "[None, 2.5]"),
        ("RED = 1", "RED = 2"),
        ("x: int = 0", "x: int = 1"),
        ("default_factory=list", "default_factory=set"),
        ("return x + THRESHOLD", "return x - THRESHOLD"),
        ("y=1, *", "y=2, *"),
        ("z=2)", "z=3)"),
        ("make(5)", "make(6)"),
        ("lambda x: x + k", "lambda x: x * k"),
        ("return TABLE", "return dict(TABLE)"),
        ("Parameter(default=3)", "Parameter(default=4)"),
        ("size: int", "size: str"),
        ("math.pi", "math.e"),
        ("return Colour.RED", "return [Colour.RED]"),
        ("helper(x), inner()", "inner(), helper(x)"),
        ("Mark.METHOD", "Mark.METHOD, is_generator=True"),
        ("(enter_two, Mark.ENTER)", "(enter_two, Mark.ENTER, snap=True)"),
        (
            "    first = PartialFunction(enter_one, Mark.ENTER)\n    second = PartialFunction(enter_two, Mark.ENTER)",
            "    second = PartialFunction(enter_two, Mark.ENTER)\n    first = PartialFunction(enter_one, Mark.ENTER)",
        ),
        ("[label for label in LABELS]", "[label for label in sorted(LABELS)]"),
        ("def deepest(x):", "def deepest(x, *more):"),
        ("@functools.lru_cache\n", "@functools.lru_cache(maxsize=3)\n"),
        ("class Model(Base)", "class Model"),
    ],
)
def test_an_edit_changes_the_digest(old, new):
    assert CELLS.count(old) >= 1
    assert digest_of(CELLS.replace(old, new)) != digest_of(CELLS)


@pytest.mark.parametrize("extra", ["unrelated = 5\n", "def predict_not(): ...\n", "inner = x = 3\n"])
def test_what_the_class_does_not_refer_to_does_not_count(extra):
    assert digest_of(CELLS + extra) == digest_of(CELLS)


def test_a_global_changed_in_place_counts():
    model = run(CELLS)
    before = class_digest(model)
    space = model.predict.raw_f.__globals__
    space["TABLE"]["b"].append(3)
    assert class_digest(model) != before
    space["TABLE"]["b"].pop()
    assert class_digest(model) == before


def with_data(value):
    class Model:
        def f(self):
            return value

    return class_digest(Model)


@pytest.mark.parametrize(
    ("one", "same", "other"),
    [
        (np.arange(10), np.arange(10), np.arange(11)),
        (np.zeros(4), np.zeros(4), np.zeros((2, 2))),
        (np.zeros(4, "i4"), np.zeros(4, "i4"), np.zeros(4, "f4")),
        (np.arange(10)[::2], np.arange(0, 10, 2), np.arange(10)[1::2]),
        (np.array(["a", None]), np.array(["a", None]), np.array(["b", None])),
        (np.float32(1), np.float32(1), np.float64(1)),
        (np.array("2020-01-01", "M8[D]"), np.array("2020-01-01", "M8[D]"), np.array("2021-01-01", "M8[D]")),
        ([1] * 100, [1] * 100, [1] * 99 + [2]),
        (["a"] * 100, ["ab"[:1]] * 100, ["a"] * 99 + ["b"]),
        ([1.0] * 100, [1.0] * 100, [1] * 100),
        ({3, 1, 2}, {2, 3, 1}, {1, 2}),
        ({"a": 1, "b": 2}, {"a": 1, "b": 2}, {"b": 2, "a": 1}),
        (bytearray(b"ab"), bytearray(b"ab"), bytearray(b"ac")),
        (range(3), range(3), range(4)),
        (json.loads, json.loads, json.dumps),
        ([].append, [].append, [1].append),
        (types.SimpleNamespace(a=1), types.SimpleNamespace(a=1), types.SimpleNamespace(a=2)),
    ],
    ids=repr,
)
def test_data_counts_by_value(one, same, other):
    assert with_data(one) == with_data(same)
    assert with_data(one) != with_data(other)


def test_circles_have_a_digest():
    def circle(n):
        made = [n]
        made.append({"back": made})
        return made

    assert with_data(circle(1)) == with_data(circle(1))
    assert with_data(circle(1)) != with_data(circle(2))


def test_very_many_values_are_hashed_at_bounded_cost():
    many = [[number] for number in range(150_000)]
    assert with_data(many) == with_data(many)
    assert with_data(many) != with_data([*many, [1]])


def test_what_cannot_be_hashed_counts_as_changed():
    lock = threading.Lock()
    assert with_data(lock) != with_data(lock)

    class Model:
        def f(self):
            return lock

    assert unhashable(Model) == ["lock: cannot pickle '_thread.lock' object"]


def test_a_notebooks_getpass_counts_as_the_function_that_is_meant():
    """It is a method of the kernel, which no two looks find the same."""
    getpass = pytest.importorskip("ipykernel.kernelbase").Kernel.getpass
    first, second = (with_data(types.MethodType(getpass, threading.Lock())) for _ in range(2))
    assert first == second
