"""Calls of deployed apps that are made by ``.spawn``: kept by the supervisor, found by their id from anywhere."""

from __future__ import annotations

import asyncio
import os
import signal
import sqlite3
import time
from pathlib import Path

import pytest

import modal_nb as modal
from modal_nb.client import session
from modal_nb.client.call_graph import InputStatus
from modal_nb.exception import (
    ContainerCrashedError,
    FunctionTimeoutError,
    InputCancelledError,
    InvalidError,
    NotFoundError,
    OutputExpiredError,
)
from modal_nb.protocol import deployment as dp
from tests.chaos.storm import kill
from tests.e2e import script
from tests.e2e.home import until

app = modal.App("keeps")


@app.cls(max_containers=2, timeout=30)
class Keeps:
    @modal.method()
    def double(self, x, plus=0):
        return 2 * x + plus

    @modal.method()
    def fail(self, x):
        raise KeyError(x)

    @modal.method()
    def wait_for(self, path, value="there"):
        Path(path + ".began").touch()
        while not Path(path).exists():
            time.sleep(0.005)
        return value

    @modal.method()
    def ids(self):
        return modal.current_function_call_id(), modal.current_input_id()

    @modal.method()
    def die(self):
        os.kill(os.getpid(), signal.SIGKILL)

    @modal.method()
    def large(self, data):
        return data[::-1]

    @modal.method()
    def spawns(self, x):
        return self.double.spawn(x).object_id


@app.cls(timeout=1)
class Slow:
    @modal.method()
    def sleep(self):
        time.sleep(60)


@app.cls(max_containers=1)
class Lists:
    @modal.batched(max_batch_size=4, wait_ms=50)
    def total(self, x):
        return [(n, len(x)) for n in x]


@pytest.fixture(scope="module")
def keeps(home):
    app.deploy()
    return modal.Cls.from_name("keeps", "Keeps")()


def begun(path):
    until(Path(path + ".began").exists)


def get(call):
    """From a handle that knows nothing but the id."""
    return modal.FunctionCall.from_id(call.object_id).get()


def test_a_result_is_found_by_its_id_from_another_process(keeps, tmp_path):
    call = keeps.double.spawn(3, plus=1)
    text = f"""
import modal_nb as modal
call = modal.FunctionCall.from_id({call.object_id!r})
print(call.get(), call.get(timeout=0), call.num_inputs(), call.get_call_graph()[0].status.name)
"""
    assert call.get() == 7
    assert script.run(tmp_path, text).strip() == "7 7 1 SUCCESS"


def test_the_method_sees_the_ids_of_its_call(keeps):
    call = keeps.ids.spawn()
    assert call.get() == (call.object_id, f"in-{call.object_id.removeprefix('fc-')}-0")


def test_a_call_outlives_the_process_that_spawned_it(keeps, tmp_path):
    path = str(tmp_path / "gate")
    text = f"""
import modal_nb as modal
print(modal.Cls.from_name("keeps", "Keeps")().wait_for.spawn({path!r}, value=[1, 2]).object_id)
"""
    call = modal.FunctionCall.from_id(script.run(tmp_path, text).strip())
    begun(path)
    with pytest.raises(TimeoutError, match="has no result yet"):
        call.get(timeout=0)
    Path(path).touch()
    assert call.get() == [1, 2]


def test_a_call_outlives_the_supervisor(home, keeps, tmp_path):
    path = str(tmp_path / "gate")
    call = keeps.wait_for.spawn(path)
    begun(path)
    Path(path + ".began").unlink()
    kill(home.supervisor())
    assert keeps.double.remote(1) == 2, "another supervisor"
    begun(path)
    Path(path).touch()
    assert call.get() == get(call) == "there"


def test_who_waits_goes_on_waiting_over_the_end_of_the_supervisor(home, keeps, tmp_path):
    path = str(tmp_path / "gate")
    call = keeps.wait_for.spawn(path)

    async def both():
        waits = asyncio.ensure_future(call.get.aio())
        await asyncio.to_thread(begun, path)
        await asyncio.to_thread(kill, home.supervisor())
        await asyncio.to_thread(Path(path).touch)
        return await waits

    assert asyncio.run(both()) == "there"


def test_what_the_method_raised_is_raised_for_all_who_ask(keeps):
    call = keeps.fail.spawn("k")
    for _ in range(2):
        with pytest.raises(KeyError, match="k"):
            get(call)
    assert call.get_call_graph()[0].status is InputStatus.FAILURE


def test_failures_without_an_answer_are_kept_too(keeps):
    slow = modal.Cls.from_name("keeps", "Slow")().sleep.spawn()
    died = keeps.die.spawn()
    with pytest.raises(FunctionTimeoutError, match=r"Slow\.sleep ran longer than timeout=1 seconds"):
        get(slow)
    with pytest.raises(ContainerCrashedError, match=r"died while running Keeps\.die"):
        get(died)
    assert slow.get_call_graph()[0].status is InputStatus.TIMEOUT


def test_cancel_ends_what_runs_and_what_waits(keeps, tmp_path):
    gates = [str(tmp_path / str(n)) for n in range(4)]
    calls = [keeps.wait_for.spawn(gate) for gate in gates]
    begun(gates[0])
    for call in calls:
        modal.FunctionCall.from_id(call.object_id).cancel()
    for call in calls:
        with pytest.raises(InputCancelledError):
            call.get()
    assert keeps.double.remote(2) == 4, "the pool goes on"


def test_many_inputs_are_one_call(keeps):
    call = keeps.double.experimental_spawn_map(range(50))
    found = modal.FunctionCall.from_id(call.object_id)
    assert found.num_inputs() == 50
    assert list(found.iter()) == [2 * x for x in range(50)]
    assert found.get(index=7) == 14
    with pytest.raises(InvalidError, match="index=50 is out of range"):
        found.get(index=50)


def test_gather_and_the_awaited_faces(keeps):
    async def run():
        calls = [await keeps.double.spawn.aio(x) for x in range(5)]
        one = await calls[0].get.aio()
        listed = [x async for x in calls[1].iter.aio()]
        return one, listed, await calls[2].num_inputs.aio(), await modal.FunctionCall.gather.aio(*calls)

    assert asyncio.run(run()) == (0, [2], 1, [0, 2, 4, 6, 8])


def test_spawned_inputs_of_a_batched_method_meet(keeps):
    lists = modal.Cls.from_name("keeps", "Lists")()
    found = modal.FunctionCall.gather(*[lists.total.spawn(n) for n in range(8)])
    assert [n for n, _ in found] == list(range(8))
    assert max(size for _, size in found) > 1


def test_code_in_a_container_spawns_what_outlives_it(keeps):
    assert modal.FunctionCall.from_id(keeps.spawns.remote(4)).get() == 8


def test_large_arguments_and_results_are_files_and_go_with_their_row(home, keeps):
    data = os.urandom(2 << 20)
    call = keeps.large.spawn(data)
    assert get(call) == data[::-1]
    names = sorted(path.name for path in (home.folder / "blobs").iterdir())
    assert names == [f"{call.object_id}-0.out"], "its arguments are not needed any more"


def test_what_is_unknown_is_not_found(keeps):
    for unknown in ("fc-1", "nonsense", ""):
        with pytest.raises(NotFoundError, match="is known here"):
            modal.FunctionCall.from_id(unknown).get()


def test_calls_are_listed(keeps):
    good, bad = keeps.double.spawn(1), keeps.fail.spawn(1)
    good.get()
    with pytest.raises(KeyError):
        bad.get()
    listed = session.current().ask(dp.CallListAsk(limit=2), dp.CallList).calls
    assert [(c.id, c.function, c.inputs, c.pending, c.succeeded, c.failed) for c in listed] == [
        (bad.object_id, "Keeps.fail", 1, 0, 0, 1),
        (good.object_id, "Keeps.double", 1, 0, 1, 0),
    ]


def test_after_its_days_a_result_has_expired(home, keeps):
    old, new = keeps.double.spawn(1), keeps.double.spawn(2)
    assert (old.get(), new.get()) == (2, 4)
    kill(home.supervisor())
    with sqlite3.connect(home.folder / "store.db") as store:
        week = 7 * 86400 + 1
        store.execute("UPDATE inputs SET settled = settled - ? WHERE call = ?", (week, old.object_id))
    store.close()
    assert keeps.double.remote(1) == 2, "a supervisor sweeps when it starts"
    until(lambda: _expired(old))
    assert new.get() == 4
    with pytest.raises(OutputExpiredError, match="results_keep_days"):
        modal.FunctionCall.from_id(old.object_id).get()


def _expired(call):
    try:
        call.get()
    except OutputExpiredError:
        return True
    return False


def test_when_the_app_is_stopped_its_calls_are_told(home, keeps, tmp_path):
    other = modal.App("ends")

    @other.function(serialized=True, max_containers=1)
    def wait(path):
        Path(path + ".began").touch()
        time.sleep(60)

    other.deploy()
    calls = [modal.Function.from_name("ends", "wait").spawn(str(tmp_path / str(n))) for n in range(2)]
    begun(str(tmp_path / "0"))
    other.stop()
    for call in calls:
        with pytest.raises(modal.exception.AppStoppedError):
            get(call)
