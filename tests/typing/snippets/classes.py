"""Classes: their constructors, their variants, their instances."""

from __future__ import annotations

from typing import Any, assert_type

import modal_nb as modal
from modal_nb.spec.scaling import Autoscaler

app = modal.App("classes")


@app.cls(cpu=1.0)
@modal.concurrent(max_inputs=4)
class Model:
    size: int = modal.parameter()
    name: str = modal.parameter(default="small")
    made: Any = modal.parameter(init=False)

    @modal.enter()
    def load(self) -> None:
        self.made = [self.name] * self.size

    @modal.method()
    def predict(self, x: int) -> str:
        return self.name * x

    @modal.exit()
    def close(self) -> None:
        self.made = None


# parameters, by keyword
assert_type(Model(size=1), Model)
assert_type(Model(size=1, name="x").size, int)
assert_type(Model(size=1, name="x").predict.remote(1), str)
Model()  # error
Model(1)  # error
Model(size="one")  # error
Model(size=1, colour="red")  # error
Model(size=1, made=3)  # error

# variants keep the type: to every checker by the method of Cls
Wide = modal.Cls.with_options(Model, max_containers=8)
assert_type(Wide(size=1).predict.remote(1), str)
Wide(size="one")  # error
Wide(size=1).predict.remote("x")  # error
assert_type(modal.Cls.with_concurrency(Model, max_inputs=2)(size=1).predict.remote(1), str)
assert_type(modal.Cls.with_batching(Model, max_batch_size=2, wait_ms=5)(size=1).predict.remote(1), str)
modal.Cls.with_options(Model, max_containers="eight")  # error
modal.Cls.with_options(Model, no_such_option=8)  # error
modal.Cls.with_options(Model, timeout=modal.UNSET)

# to mypy, by its plugin, also by the class itself; pyright lets no decorator add members to a class
Fast = Model.with_options(max_containers=8).with_concurrency(max_inputs=2)  # error: pyright
assert_type(Fast(size=1).predict.remote(1), str)  # error: pyright
Fast(size="one")  # error: mypy
Model.with_options(max_containers="eight")  # error
Model.with_batching(max_batch_size=2)  # error
settings = Model(size=1).update_autoscaler(min_containers=1)  # error: pyright
assert_type(settings, Autoscaler)  # error: pyright
Model(size=1).wait_for(containers=1, state="idle")  # error: pyright

# a class that was not defined here: everything may be
found = modal.Cls.from_name("an-app", "Model")
assert_type(found, modal.Cls)
assert_type(found(size=1).predict.remote(1), Any)
assert_type(found.with_options(max_containers=2).with_concurrency(max_inputs=2), modal.Cls)
modal.Cls.from_name("an-app")  # error
found.with_options(max_containers="two")  # error


async def with_aio() -> None:
    assert_type(await Wide(size=1).predict.remote.aio(1), str)
    assert_type(await found(size=1).predict.remote.aio(1), Any)


# errors of the decorator itself
@app.cls(max_containers="two")  # error
class Wrong:
    @modal.method()
    def f(self) -> int:
        return 1
