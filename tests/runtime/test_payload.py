"""Values as frames: what travels how, what is shared, and what an error says."""

from __future__ import annotations

import datetime as dt
import functools
import pickle
import subprocess
import sys
import threading

import cloudpickle
import numpy as np
import pytest

from modal_nb.exception import DeserializationError, ExecutionError
from modal_nb.runtime import payload


class Point:
    def __init__(self, x):
        self.x = x

    def __eq__(self, other):
        return type(other) is type(self) and other.x == self.x

    __hash__ = None


class Liar:
    def __reduce__(self):
        return (int, ("not a number",))


class Moody:
    def __reduce__(self):
        raise LookupError("not today")


@pytest.mark.parametrize(
    "value",
    [
        None,
        3,
        "text",
        b"bytes",
        (1, [2, {"a": {3, 4}}], frozenset({5})),
        {"nested": {"deep": [1.5, complex(1, 2)]}},
        dt.date(2024, 5, 1),
        Point(4),
        [],
    ],
)
def test_a_value_comes_back_equal(value):
    assert payload.loads(payload.dumps(value)) == value


def test_array_memory_travels_beside_the_pickle_and_comes_back_writable():
    array = np.arange(10_000)
    head, data = payload.dumps({"a": array})
    assert len(head) < 500
    assert memoryview(data).nbytes == array.nbytes
    back = payload.loads([head, bytes(data)])["a"]
    assert np.array_equal(back, array)
    back[0] = 7
    assert array[0] == 0


def test_writable_memory_of_the_transport_is_not_copied():
    head, data = payload.dumps(np.arange(1000))
    memory = bytearray(data)
    back = payload.loads([head, memory])
    memory[:8] = (99).to_bytes(8, sys.byteorder)
    assert back[0] == 99


@pytest.mark.parametrize(
    ("value", "plain"),
    [
        ([1, "a", None, (2.0, b"x")], True),
        ({"a": [1] * 10_000}, True),
        (np.zeros(3), True),
        (np.float32(1), True),
        ([np.zeros(3), {"k": np.zeros(2)}], True),
        (np.array([object()]), False),
        (Point(1), False),
        ([Point(1)], False),
        ({Point: 1}, False),
        (lambda: 1, False),
        (True, True),
        (type("Int", (int,), {})(3), False),
        ([[[[[]]]] for _ in range(1000)], False),
    ],
)
def test_only_values_of_known_types_go_through_plain_pickle(value, plain):
    assert payload.is_plain(value) is plain


def test_a_circle_counts_as_not_plain_and_still_travels():
    circle = [1]
    circle.append(circle)
    assert not payload.is_plain(circle)
    back = payload.loads(payload.dumps(circle))
    assert back[1] is back


def test_functions_of_a_notebook_travel_by_value():
    code = (
        "import sys, functools\n"
        "from modal_nb.runtime import payload\n"
        "base = 40\n"
        "@functools.lru_cache\n"
        "def f(x): return x + base\n"
        "class C:\n"
        "    @functools.cached_property\n"
        "    def v(self): return f(2)\n"
        "sys.stdout.buffer.write(payload.dumps((f, C()))[0])\n"
    )
    head = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True).stdout
    f, instance = payload.loads([head])
    assert f(1) == 41
    assert f.cache_info().currsize == 1
    assert instance.v == 42


def test_a_cached_function_of_a_module_travels_by_name():
    assert payload.loads(payload.dumps([cached_here]))[0] is cached_here


@functools.lru_cache
def cached_here():
    return 1


# --- errors ---


def test_an_argument_that_cannot_be_pickled_is_named_by_number():
    with pytest.raises(
        TypeError, match=r"argument 2 of Model\.predict\['lock'\] \(a _thread\.lock\) cannot be pickled"
    ):
        payload.dumps_arguments((1, {"lock": threading.Lock()}), {}, method="Model.predict")


def test_an_argument_that_cannot_be_pickled_is_named_by_keyword():
    with pytest.raises(TypeError, match=r"argument 'image' of Model\.predict .*cannot pickle"):
        payload.dumps_arguments((), {"image": threading.Lock()}, method="Model.predict")


def test_the_part_inside_an_object_is_named():
    with pytest.raises(TypeError, match=r"result\.x\[1\] \(a _thread\.lock\)"):
        payload.dumps(Point([1, threading.Lock()]), what="result")


def test_an_error_of_the_users_own_code_stays_itself_and_gets_a_note():
    with pytest.raises(LookupError, match="not today") as caught:
        payload.dumps_arguments((Moody(),), {})
    assert any("argument 1" in note for note in caught.value.__notes__)


def test_a_missing_module_is_named(tmp_path, monkeypatch):
    (tmp_path / "only_there.py").write_text("class Thing: pass\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    import only_there

    frames = payload.dumps(only_there.Thing())
    monkeypatch.delitem(sys.modules, "only_there")
    monkeypatch.setattr(sys, "path", [entry for entry in sys.path if entry != str(tmp_path)])
    with pytest.raises(ExecutionError, match="needs the module 'only_there'") as caught:
        payload.loads(frames)
    assert isinstance(caught.value.__cause__, ModuleNotFoundError)


def test_a_missing_name_is_an_execution_error(monkeypatch):
    frames = payload.dumps(cached_here)
    monkeypatch.delattr(sys.modules[__name__], "cached_here")
    with pytest.raises(ExecutionError, match="cached_here"):
        payload.loads(frames)


def test_a_value_that_cannot_be_rebuilt_says_why():
    with pytest.raises(DeserializationError, match="ValueError: invalid literal"):
        payload.loads(payload.dumps(Liar()))


# --- many in one message ---


def test_a_chunk_gives_its_inputs_in_order():
    inputs = [((1, 2), {}), (("a",), {"k": [1]}), (([3],), {}), ((), {}), ((np.arange(3),), {})]
    back = payload.loads_chunk(payload.dumps_chunk(inputs))
    assert back[:4] == inputs[:4]
    assert np.array_equal(back[4][0][0], np.arange(3))


def test_inputs_of_a_chunk_share_no_changeable_object():
    shared = [0]
    frames = payload.dumps_chunk([((shared,), {}), ((shared,), {})])
    inputs = payload.Inputs(frames)
    inputs[0][0][0].append(1)
    assert inputs[1][0][0] == [0]
    assert inputs[0][0][0] == [0]


def test_scalars_of_a_chunk_are_one_pickle():
    frames = payload.dumps_chunk([((number, "a"), {}) for number in range(512)])
    assert len(frames) == 1
    assert len(frames[0]) < 512 * 12


def test_a_bad_input_of_a_chunk_spoils_only_itself():
    inputs = payload.Inputs(payload.dumps_chunk([((1,), {}), ((Liar(),), {}), ((3,), {})]))
    assert inputs[0] == ((1,), {})
    with pytest.raises(DeserializationError):
        inputs[1]
    assert inputs[2] == ((3,), {})


def test_a_single_input_is_a_message_of_one():
    inputs = payload.Inputs(payload.dumps_arguments((1,), {"k": 2}))
    assert (inputs.count, inputs.many, inputs[0]) == (1, False, ((1,), {"k": 2}))
    with pytest.raises(IndexError):
        inputs[1]


def test_frames_of_any_bytes_like_type_can_be_read():
    frames = payload.dumps_chunk([(([number],), {}) for number in range(3)])
    for kind in (bytes, bytearray, memoryview):
        assert payload.loads_chunk([kind(frame) for frame in frames])[2] == (([2],), {})


def test_plain_values_do_not_need_cloudpickle_to_be_read():
    assert pickle.loads(payload.dumps([1, 2])[0]) == [1, 2]
    assert cloudpickle.loads(payload.dumps([1, 2])[0]) == [1, 2]
