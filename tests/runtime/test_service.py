"""The shape of a class, and the life of the instance that serves."""

from __future__ import annotations

import asyncio

import pytest

from modal_nb.exception import ExecutionError, InvalidError, NotFoundError
from modal_nb.runtime.parameter import UNSET, Parameter
from modal_nb.runtime.service import Service, describe
from tests.runtime.hooks import Derived, enter, leave, log, method


@pytest.fixture(autouse=True)
def _empty_log():
    log.clear()


def test_hooks_run_from_base_to_derived_snap_first_and_an_override_takes_the_slot():
    asyncio.run(Service(Derived, {"name": "n"}).start())
    assert log == ["base warm", "derived second", "derived zebra", "base open", "derived apple"]


def test_exit_hooks_run_in_the_same_order_and_only_once():
    async def life():
        service = Service(Derived, {"name": "n"})
        await service.start()
        log.clear()
        assert await service.stop() == []
        assert await service.stop() == []

    asyncio.run(life())
    assert log == ["base bye", "derived farewell"]


def test_methods_are_described():
    shape = describe(Derived)
    said = {m.name: (m.is_async, m.is_generator) for m in shape.methods.values()}
    assert said == {
        "work": (False, False),
        "wait": (True, False),
        "count": (False, True),
        "handmade": (False, True),
        "many": (False, False),
    }
    assert shape.methods["many"].batching.max_batch_size == 4


def test_parameters_come_in_schema_order_with_evaluated_types():
    said = [(p.name, p.type, p.default, p.init) for p in describe(Derived).parameters]
    assert said == [("size", int, 2, True), ("name", str, UNSET, True), ("later", list, UNSET, False)]


def test_a_redeclared_parameter_keeps_its_place_and_takes_the_new_type():
    class Again(Derived):
        size: str = Parameter(default="big")

    assert next((p.name, p.type) for p in describe(Again).parameters) == ("size", str)


def test_an_override_without_a_mark_takes_the_mark_away():
    class Plain(Derived):
        def zebra(self):
            pass

        def work(self):
            return 1

    shape = describe(Plain)
    assert "work" not in shape.methods
    asyncio.run(Service(Plain, {"name": "n"}).start())
    assert "derived zebra" not in log
    assert "base zebra" not in log


def test_the_instance_is_built_without_init():
    class Careful:
        def __init__(self, needed):
            raise AssertionError

        @method
        def f(self):
            return 1

    assert Service(Careful).method("f").call() == 1


def test_defaults_and_values_are_attributes():
    instance = Service(Derived, {"name": "n"}).instance
    assert (instance.size, instance.name) == (2, "n")
    with pytest.raises(AttributeError, match="'later' of Derived has no value yet"):
        _ = instance.later
    instance.later = [1]
    assert instance.later == [1]


def test_unknown_and_missing_parameters_are_refused():
    with pytest.raises(
        InvalidError, match=r"Derived has no parameter 'colour'; its parameters are size, name"
    ):
        Service(Derived, {"name": "n", "colour": 1})
    with pytest.raises(InvalidError, match="missing the parameter 'name'"):
        Service(Derived)
    with pytest.raises(InvalidError, match="has no parameter 'later'"):
        Service(Derived, {"name": "n", "later": 1})


def test_an_unknown_method_lists_those_there_are():
    with pytest.raises(NotFoundError, match=r"no method 'wrok'; its methods: work, wait"):
        Service(Derived, {"name": "n"}).method("wrok")


def test_hooks_run_once_however_often_start_is_asked():
    async def life():
        service = Service(Derived, {"name": "n"})
        await asyncio.gather(service.start(), service.start())
        service.start_here()

    asyncio.run(life())
    assert len(log) == 5


def test_hooks_can_be_run_without_a_loop_and_under_a_running_one():
    Service(Derived, {"name": "n"}).start_here()

    async def cell():
        Service(Derived, {"name": "n"}).start_here()

    asyncio.run(cell())
    assert log[:5] == log[5:]
    assert log[4] == "derived apple"


def test_snap_hooks_can_run_apart():
    async def life():
        service = Service(Derived, {"name": "n"})
        await service.enter_snap()
        assert log == ["base warm", "derived second"]
        await service.start()

    asyncio.run(life())
    assert len(log) == 5


def test_a_hook_that_fails_leaves_the_service_unstarted():
    class Fails:
        tries = 0

        @enter
        def flaky(self):
            Fails.tries += 1
            if Fails.tries == 1:
                raise OSError("no disk")

        @leave
        def bye(self):
            log.append("bye")

    async def life():
        service = Service(Fails)
        with pytest.raises(OSError, match="no disk"):
            await service.start()
        assert await service.stop() == []
        await service.start()
        await service.stop()

    asyncio.run(life())
    assert log == ["bye"]


def test_sys_exit_in_a_hook_fails_the_start():
    class Leaves:
        @enter
        def go(self):
            raise SystemExit(3)

    with pytest.raises(ExecutionError, match=r"Leaves\.go called sys\.exit\(3\)"):
        asyncio.run(Service(Leaves).start())


def test_all_exit_hooks_run_even_if_one_raises_and_old_ones_get_three_nones():
    class Untidy:
        @leave
        def first(self):
            raise SystemExit

        @leave
        def second(self, kind, value, traceback):
            log.append(f"{kind} {value} {traceback}")

        @leave
        async def third(self):
            raise ValueError("third")

    async def life():
        service = Service(Untidy)
        await service.start()
        return await service.stop()

    errors = asyncio.run(life())
    assert [type(error) for error in errors] == [SystemExit, ValueError]
    assert log == ["None None None"]
