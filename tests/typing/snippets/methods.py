"""Methods: what they take and give, by every face."""

from __future__ import annotations

from collections.abc import AsyncIterator, Coroutine, Iterator
from typing import Any, assert_type

import modal_nb as modal

app = modal.App("methods")


@app.cls(max_containers=2)
class Model:
    @modal.enter()
    def load(self) -> None:
        self.weights = [1.0]

    @modal.method()
    def predict(self, x: int, scale: float = 1.0) -> str:
        return f"{x * scale} {self.weights}"

    @modal.method()
    async def later(self, x: int) -> bytes:
        return bytes(x)

    @modal.method()
    def items(self, count: int) -> Iterator[str]:
        yield from map(str, range(count))

    @modal.method()
    async def async_items(self, count: int) -> AsyncIterator[float]:
        for number in range(count):
            yield float(number)

    @modal.method(is_generator=True)
    def wrapped(self, count: int) -> list[int]:
        return list(range(count))

    @modal.method()
    def other(self, x: int) -> list[str]:
        assert_type(self.predict.local(x), str)
        assert_type(self.predict.remote(x), str)
        self.predict.local("x")  # error
        return list(self.predict.map([x]))

    def helper(self) -> int:
        return 3


model = Model()

# one input
assert_type(model.predict.remote(3), str)
assert_type(model.predict.remote(x=3, scale=2.0), str)
assert_type(model.predict.local(3), str)
assert_type(model.later.remote(3), bytes)
assert_type(model.helper(), int)
model.predict.remote("three")  # error
model.predict.remote(y=3)  # error
model.predict.remote()  # error
model.predict.local(3, scale="x")  # error
model.predict(3)  # error
model.later.remote("three")  # error
model.no_such_method.remote(3)  # error

# generators have one face of their own, and not the others
assert_type(model.items.remote_gen(3), Iterator[str])
assert_type(list(model.async_items.remote_gen(count=3)), list[float])
assert_type(list(model.wrapped.remote_gen(3)), list[int])
assert_type(model.items.local(3), Iterator[str])
assert_type(model.async_items.local(3), AsyncIterator[float])
model.items.remote_gen("three")  # error
model.items.remote(3)  # error
model.predict.remote_gen(3)  # error

# many inputs
assert_type(list(model.predict.map([1, 2], kwargs={"scale": 2.0}, order_outputs=False)), list[str])
assert_type(list(model.predict.starmap([(1, 2.0)])), list[str])
assert_type(list(model.predict.map([1], return_exceptions=True)), list[str | Exception])
assert_type(list(model.predict.starmap([(1,)], return_exceptions=True)), list[str | Exception])
model.predict.for_each([1, 2], ignore_exceptions=True)
model.predict.spawn_map([1, 2])
model.predict.map(3)  # error
model.predict.map([1], ordered=True)  # error
model.predict.for_each([1], return_exceptions=True)  # error

# calls that go on by themselves
call = model.predict.spawn(3)
assert_type(call, modal.FunctionCall[str])
assert_type(call.get(timeout=1.0), str)
assert_type(call.object_id, str)
assert_type(model.later.spawn(3).get(), bytes)
assert_type(modal.FunctionCall.gather(call, model.predict.spawn(4)), list[str])
assert_type(model.predict.experimental_spawn_map([1, 2]).num_inputs(), int)
assert_type(list(model.predict.experimental_spawn_map([1, 2]).iter(start=1)), list[str])
assert_type(modal.FunctionCall.from_id("fc-1").get(), Any)
call.cancel(terminate_containers=True)
call.logs()
model.predict.spawn("three")  # error
call.get("soon")  # error
call.cancel(kill=True)  # error


async def with_aio() -> None:
    assert_type(await model.predict.remote.aio(3), str)
    assert_type(await model.later.remote.aio(3), bytes)
    here: Coroutine[Any, Any, bytes] = model.later.local(3)
    assert_type(await here, bytes)
    assert_type([item async for item in model.predict.map.aio([1])], list[str])
    assert_type([item async for item in model.predict.starmap.aio([(1,)])], list[str])
    assert_type([item async for item in model.items.remote_gen.aio(3)], list[str])
    spawned = await model.predict.spawn.aio(3)
    assert_type(await spawned.get.aio(), str)
    assert_type(await modal.FunctionCall.gather.aio(spawned, spawned), list[str])
    assert_type((await model.predict.get_current_stats.aio()).backlog, int)
    await model.predict.for_each.aio([1])
    await model.predict.remote.aio("three")  # error
    await model.predict.spawn.aio(y=3)  # error


def takes(function: modal.Function[[int], bytes, Any], call: modal.FunctionCall[bytes]) -> None:
    assert_type(function.remote(3), bytes)
    assert_type(call.get(), bytes)


takes(model.later, model.later.spawn(3))
takes(model.predict, call)  # error
