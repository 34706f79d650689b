"""``@app.function``: a function by the machinery of classes."""

from __future__ import annotations

import asyncio
import os
import pickle
import threading
import traceback
from pathlib import Path

import pytest

import modal_nb as modal
from modal_nb.exception import DeprecationError, FunctionTimeoutError
from tests.e2e.home import until

app = modal.App("functions")


@app.function()
def square(x):
    """x times x."""
    return x * x


@app.function()
def where():
    return os.environ["MODAL_TASK_ID"], threading.current_thread() is threading.main_thread()


@app.function()
async def later(x, *, y=1):
    await asyncio.sleep(0)
    return x + y


@app.function()
def count(n):
    yield from range(n)


@app.function()
@modal.concurrent(max_inputs=20)
def fibonacci(n):
    return n if n < 2 else sum(fibonacci.map([n - 1, n - 2]))


@app.function()
@modal.batched(max_batch_size=4, wait_ms=60_000)
def sizes(numbers, names):
    return [(number, name, len(numbers)) for number, name in zip(numbers, names, strict=True)]


@app.function(name="breaks-often", retries=modal.Retries(max_retries=2, initial_delay=0.0))
def breaks(path):
    with Path(path).open("a") as file:
        file.write("tried\n")
    raise LookupError("nothing here")


@app.function(timeout=1)
def hang():
    threading.Event().wait()


@app.function()
def apply(function, x):
    return function.remote(x)


@pytest.fixture(scope="module", autouse=True)
def running(home):
    with app.run():
        yield


def test_a_function_is_called_in_every_way():
    assert square.remote(4) == 16
    assert square.local(5) == 25
    assert list(square.map(range(5))) == [0, 1, 4, 9, 16]
    assert list(square.starmap([(2,), (3,)])) == [4, 9]
    assert square.spawn(6).get() == 36
    assert later.remote(1, y=2) == 3
    assert asyncio.run(later.remote.aio(1)) == 2
    assert list(count.remote_gen(3)) == [0, 1, 2]
    container, on_main = where.remote()
    assert container.startswith("ct-")
    assert on_main


def test_each_function_has_a_pool_of_its_own(home):
    square.remote(1)
    where.remote()
    assert home.ids("square")
    assert home.ids("square").isdisjoint(home.ids("where"))


def test_a_function_calls_itself():
    assert fibonacci.remote(6) == 8


def test_a_batched_function_gets_lists():
    assert list(sizes.map(range(4), "abcd")) == [(i, name, 4) for i, name in enumerate("abcd")]


def test_retries_timeouts_and_lines_of_code(tmp_path):
    with pytest.raises(LookupError, match="nothing here") as caught:
        breaks.remote(str(tmp_path / "tries"))
    assert (tmp_path / "tries").read_text() == "tried\n" * 3
    assert 'raise LookupError("nothing here")' in "".join(traceback.format_exception(caught.value))
    with pytest.raises(FunctionTimeoutError, match=r"^hang ran longer than timeout=1 seconds"):
        hang.remote()


def test_a_function_travels_as_an_argument():
    assert apply.remote(square, 7) == 49
    again = pickle.loads(pickle.dumps(square))
    assert again.remote(3) == 9


def test_a_function_is_scaled(home):
    settings = square.update_autoscaler(min_containers=2, max_containers=3)
    assert (settings.min_containers, settings.max_containers) == (2, 3)
    until(lambda: len(home.ids("square")) == 2)
    with pytest.warns(DeprecationError, match="keep_warm is an older spelling"):
        square.keep_warm(0)
    assert square.get_current_stats().num_total_runners == 2
