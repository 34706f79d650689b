"""One call that goes on by itself: ``.spawn``, and ``FunctionCall`` to ask for its result."""

from __future__ import annotations

import asyncio
import pickle
import threading

import pytest

import modal_nb as modal
from modal_nb.client.call_graph import InputInfo, InputStatus
from tests.e2e.spawned import Gate, Thing, aio, app


@pytest.fixture(scope="module")
def thing(home):
    with app.run():
        yield Thing()


@pytest.fixture
def gate(tmp_path):
    return Gate(tmp_path / "gate")


def test_spawn_returns_at_once_and_get_waits_for_the_result(thing, gate):
    call = thing.wait_for.spawn(gate.path, value=7)
    assert isinstance(call, modal.FunctionCall)
    gate.await_begun()
    with pytest.raises(TimeoutError) as caught:
        call.get(timeout=0)
    assert type(caught.value) is TimeoutError
    assert str(caught.value) == (
        f"{call.object_id} has no result yet; it goes on: ask again, or cancel it with .cancel()"
    )
    with pytest.raises(TimeoutError, match=r"has no result yet after 0\.01 seconds"):
        call.get(timeout=0.01)
    gate.open()
    assert call.get() == 7


def test_a_result_may_be_asked_for_again_and_each_time_is_its_own(thing):
    for n in (3, 100_000):
        call = thing.array.spawn(n)
        first = call.get()
        first[:] = 1
        assert call.get(timeout=0).sum() == 0


def test_get_raises_what_the_method_raised_again_and_again(thing):
    call = thing.fail.spawn(3)
    for _ in range(2):
        with pytest.raises(ValueError, match="not 3"):
            call.get()


def test_spawn_and_get_awaited(thing, gate):
    async def run():
        call = await thing.wait_for.spawn.aio(gate.path, value="late")
        for seconds in (0, 0.01):
            with pytest.raises(TimeoutError, match="has no result yet"):
                await call.get.aio(timeout=seconds)
        gate.open()
        assert await call.get.aio() == "late"
        assert await call.get.aio(timeout=0) == "late"
        assert await call.get.aio(timeout=float("inf")) == "late"
        with pytest.raises(ValueError, match="not 1"):
            await (await thing.fail.spawn.aio(1)).get.aio()

    asyncio.run(run())


def test_ending_an_awaited_get_only_ends_the_wait(thing, gate):
    async def run():
        call = thing.wait_for.spawn(gate.path)
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(call.get.aio(), 0.01)
        gate.open()
        return await call.get.aio()

    assert asyncio.run(run()) == "there"


def test_many_threads_wait_for_the_same_call(thing, gate):
    call = thing.wait_for.spawn(gate.path)
    answers = []
    threads = [threading.Thread(target=lambda: answers.append(call.get())) for _ in range(8)]
    for thread in threads:
        thread.start()
    gate.open()
    for thread in threads:
        thread.join()
    assert answers == ["there"] * 8


def test_arguments_that_cannot_be_pickled_are_refused_by_spawn(thing):
    with pytest.raises(TypeError, match="argument 1 of double"):
        thing.double.spawn(threading.Lock())


def test_a_spawned_call_from_inside_a_container(thing):
    assert thing.spawn_from_inside.remote(4) == 8


def _sent(face, method, handle):
    """The call of a method with this handle."""
    if face == "map":
        return method.experimental_spawn_map([handle])
    return aio(method.spawn.aio(handle)) if face == "awaited" else method.spawn(handle)


@pytest.mark.parametrize("face", ["blocking", "awaited", "map"])
def test_a_handle_that_nobody_has_used_yet_can_be_called_where_it_was_sent(home, face):
    app = modal.App("unused")

    @app.cls(max_containers=1)
    class Unused:
        @modal.method()
        def double(self, x):
            return 2 * x

    @app.cls(max_containers=1)
    class Asks:
        @modal.method()
        def ask(self, handle):
            return handle.double.remote(4)

    with app.run():
        assert _sent(face, Asks().ask, Unused()).get() == 8


def test_the_container_sees_the_ids_that_the_caller_has(thing):
    assert modal.is_local()
    assert modal.current_function_call_id() is modal.current_input_id() is None
    for method in (thing.ids, thing.ids_async):
        call = method.spawn()
        (info,) = call.get_call_graph()
        assert call.get() == (call.object_id, info.input_id, False)
        assert call.object_id.startswith("fc-")
        assert info.input_id == f"in-{call.object_id[3:]}-0"


def test_every_remote_is_a_call_of_its_own_and_a_map_is_one_call_of_many_inputs(thing):
    first, second = thing.ids.remote(), thing.ids.remote()
    assert first[0] != second[0]
    said = list(thing.ids.map(range(300)))
    (call,) = {call for call, _, _ in said}
    assert [input for _, input, _ in said] == [f"in-{call[3:]}-{n}" for n in range(300)]


def test_a_call_is_found_by_its_id_and_pickles_as_it(thing):
    call = thing.double.spawn(4)
    assert modal.FunctionCall.from_id(call.object_id).get() == 8
    copy = pickle.loads(pickle.dumps(call))
    assert (copy.object_id, copy.get()) == (call.object_id, 8)
    assert repr(copy) == f"<FunctionCall {call.object_id}>"


def test_gather_keeps_the_order(thing, gate):
    slow, quick = thing.wait_for.spawn(gate.path), thing.double.spawn(1)
    assert quick.get() == 2
    gate.open()
    assert modal.FunctionCall.gather(slow, quick, slow) == ["there", 2, "there"]
    assert aio(modal.FunctionCall.gather.aio(slow, quick)) == ["there", 2]
    assert modal.FunctionCall.gather() == aio(modal.FunctionCall.gather.aio()) == []


def test_gather_raises_the_first_failure_and_lets_the_others_go_on(thing, gate):
    slow, failing = thing.wait_for.spawn(gate.path), thing.fail.spawn(5)
    with pytest.raises(ValueError, match="not 5"):
        modal.FunctionCall.gather(slow, failing)
    with pytest.raises(ValueError, match="not 5"):
        aio(modal.FunctionCall.gather.aio(slow, failing))
    gate.open()
    assert slow.get() == "there"


def test_the_call_graph_tells_the_state_of_each_input(thing, gate):
    slow, good, bad = thing.wait_for.spawn(gate.path), thing.double.spawn(1), thing.fail.spawn(1)
    assert good.get() == 2
    with pytest.raises(ValueError, match="not 1"):
        bad.get()
    container = gate.await_begun()
    (info,) = slow.get_call_graph()
    assert info == InputInfo(
        input_id=f"in-{slow.object_id[3:]}-0",
        function_call_id=slow.object_id,
        task_id="",
        status=InputStatus.PENDING,
        function_name="Thing.wait_for",
        module_name="tests.e2e.spawned",
        children=[],
    )
    gate.open()
    slow.get()
    (info,) = slow.get_call_graph()
    assert (info.status, info.task_id) == (InputStatus.SUCCESS, container)
    assert [info.status for info in bad.get_call_graph()] == [InputStatus.FAILURE]
