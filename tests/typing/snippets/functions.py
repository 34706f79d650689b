"""Functions, and what takes batches."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from typing import Any, assert_type

import modal_nb as modal
from modal_nb.spec.scaling import Autoscaler

app = modal.App("functions")


@app.function(timeout=10)
def double(x: int, *, times: int = 2) -> str:
    return str(x * times)


@app.function()
@modal.concurrent(max_inputs=10)
async def fetch(url: str) -> bytes:
    return url.encode()


@app.function()
def count(to: int) -> Iterator[int]:
    yield from range(to)


@app.function()
async def tokens(prompt: str) -> AsyncIterator[str]:
    for word in prompt.split():
        yield word


@app.function()
@modal.batched(max_batch_size=8, wait_ms=10)
def add(xs: list[int], ys: list[float]) -> list[str]:
    return [str(x + y) for x, y in zip(xs, ys, strict=True)]


@app.function()
@modal.batched(max_batch_size=8, wait_ms=10)
async def negate(xs: list[int]) -> list[int]:
    return [-x for x in xs]


@app.cls()
class Classifier:
    @modal.batched(max_batch_size=8, wait_ms=10)
    def classify(self, images: list[bytes]) -> list[str]:
        return ["cat" for _ in images]

    @modal.batched(max_batch_size=8, wait_ms=10)
    async def compare(self, images: list[bytes], names: list[str]) -> list[float]:
        return [0.0 for _ in zip(images, names, strict=True)]


assert_type(double.remote(3), str)
assert_type(double.local(3, times=3), str)
assert_type(list(double.map([1, 2])), list[str])
assert_type(double.spawn(3), modal.FunctionCall[str])
assert_type(double.update_autoscaler(min_containers=1), Autoscaler)
assert_type(fetch.remote("a"), bytes)
assert_type(list(count.remote_gen(3)), list[int])
assert_type(list(tokens.remote_gen("a b")), list[str])
named = modal.Function.from_name("an-app", "double")
assert_type(named.remote(3, what="ever"), Any)
assert_type(list(named.remote_gen(3)), list[Any])
named.no_such_face(3)  # error
modal.Function.from_name("an-app")  # error
double.remote("three")  # error
double.remote(3, 3)  # error
double(3)  # error
fetch.remote(3)  # error
count.remote_gen("three")  # error
count.remote(3)  # error
double.update_autoscaler(min=1)  # error

# single values go in, lists arrive
assert_type(add.remote(1, 2.0), str)
assert_type(list(add.starmap([(1, 2.0)])), list[str])
assert_type(add.local([1], [2.0]), list[str])
assert_type(negate.remote(1), int)
assert_type(Classifier().classify.remote(b""), str)
assert_type(Classifier().classify.local([b""]), list[str])
assert_type(Classifier().compare.spawn(b"", "x").get(), float)
add.remote([1], [2.0])  # error
add.remote(1)  # error
negate.remote("one")  # error
Classifier().classify.remote("x")  # error
Classifier().compare.remote("x", b"")  # error


async def with_aio() -> None:
    assert_type(await double.remote.aio(3), str)
    assert_type(await fetch.remote.aio("a"), bytes)
    assert_type([item async for item in tokens.remote_gen.aio("a b")], list[str])
    assert_type(await add.remote.aio(1, 2.0), str)
    assert_type(await Classifier().compare.remote.aio(b"", "x"), float)
    assert_type(await negate.local([1]), list[int])
    await fetch.remote.aio(3)  # error
