"""What spawned calls outlive, and what they do not; and asking for them in wrong ways."""

from __future__ import annotations

import signal
import threading
import time
from pathlib import Path

import pytest

import modal_nb as modal
from modal_nb.client import session
from modal_nb.exception import InvalidError, NotFoundError, OutputExpiredError
from tests.e2e.home import until
from tests.e2e.spawned import Gate, Thing, aio, app


@pytest.fixture(scope="module")
def thing(home):
    with app.run():
        yield Thing()


def test_spawned_calls_survive_the_supervisor(home, tmp_path):
    other = modal.App("survivors")

    @other.cls(max_containers=2)
    class Survivor:
        @modal.method()
        def wait_for(self, path, x):
            Path(path + ".began").write_text("x")
            while not Path(path).exists():
                time.sleep(0.005)
            return x

        @modal.method()
        def same(self, x):
            return modal.current_function_call_id(), x

    gate = Gate(tmp_path / "gate")
    with other.run():
        done = Survivor().same.spawn(1)
        assert done.get() == (done.object_id, 1)
        waiting = Survivor().wait_for.spawn(gate.path, 2)
        many = Survivor().same.experimental_spawn_map(range(20))
        gate.await_begun()
        gate.began.unlink()
        home.supervisor().send_signal(signal.SIGKILL)
        gate.await_begun()
        gate.open()
        assert done.get() == (done.object_id, 1)
        assert waiting.get() == 2
        assert list(many.iter()) == [(many.object_id, n) for n in range(20)]
        assert modal.FunctionCall.from_id(waiting.object_id).get() == 2


def test_results_end_with_their_app(home, tmp_path):
    other = modal.App("ended")

    @other.cls()
    class Once:
        @modal.method()
        def same(self, x):
            return x

        @modal.method()
        def sleep(self, path):
            Path(path).touch()
            time.sleep(600)

    answers = []

    def wait(call):
        try:
            call.get()
        except BaseException as error:
            answers.append(error)

    with other.run():
        done = Once().same.spawn(1)
        assert done.get() == 1
        pending = Once().sleep.spawn(str(tmp_path / "began"))
        until((tmp_path / "began").exists)
        thread = threading.Thread(target=wait, args=(pending,))
        thread.start()
    thread.join()
    assert [type(error).__name__ for error in answers] == ["AppStoppedError"]
    for call in (done, pending):
        with pytest.raises(OutputExpiredError, match=f"the result of {call.object_id} is not kept any more"):
            call.get()
        with pytest.raises(OutputExpiredError, match="ask for them earlier"):
            aio(call.get.aio(timeout=0))


def test_the_oldest_results_expire(thing, monkeypatch):
    monkeypatch.setattr("modal_nb.client.kept.MOST_RESULTS", 5)
    calls = [thing.double.spawn(n) for n in range(2)]
    assert [call.get() for call in calls] == [0, 2]
    many = thing.double.experimental_spawn_map(range(5))
    assert set(many.iter()) == {0, 2, 4, 6, 8}
    for call in calls:
        with pytest.raises(OutputExpiredError, match="the oldest go beyond 5 results"):
            call.get()
    assert thing.double.spawn(1).get() == 2
    with pytest.raises(OutputExpiredError):
        list(many.iter())
    assert many.num_inputs() == 5


@pytest.mark.parametrize(
    ("timeout", "said"),
    [(-1, "-1"), (-0.5, r"-0\.5"), (float("nan"), "nan"), ("1", "'1'"), (True, "True")],
)
def test_a_timeout_that_is_none_is_refused(thing, timeout, said):
    call = thing.double.spawn(1)
    with pytest.raises(
        InvalidError,
        match=f"`timeout` must be a number of seconds from 0 on, or None to wait as long as it takes, not {said}",
    ):
        call.get(timeout=timeout)
    with pytest.raises(InvalidError, match="`timeout` must be"):
        aio(call.get.aio(timeout=timeout))
    assert call.get() == 2


@pytest.mark.parametrize("index", [1, -1, 10])
def test_an_index_out_of_range_is_refused(thing, index):
    call = thing.double.spawn(1)
    with pytest.raises(
        InvalidError, match=f"index={index} is out of range of {call.object_id}: its only index is 0"
    ):
        call.get(index=index)
    many = thing.double.experimental_spawn_map([1, 2])
    with pytest.raises(InvalidError, match=r"index=2 is out of range of .*: it has 2 inputs, counted from 0"):
        many.get(index=2)
    with pytest.raises(InvalidError, match="`index` must be a whole number, not '0'"):
        many.get(index="0")
    with pytest.raises(
        InvalidError, match="`end` must be a whole number from 0 to 2, the inputs of the call, not 3"
    ):
        many.iter(end=3)
    with pytest.raises(InvalidError, match=r"`start` must be a whole number from 0 to 2, .*, not -1"):
        many.iter(start=-1)


def test_ids_that_nobody_gave_are_told_at_first_use(thing):
    kept = session.current().kept
    for nonsense in (
        "",
        "nonsense",
        "fc-1",
        "fc-00000000-1",
        f"fc-{kept.session}-999999",
        f"fc-{kept.session}-x",
    ):
        call = modal.FunctionCall.from_id(nonsense)
        for use in (call.get, call.cancel, call.num_inputs, call.get_call_graph, call.iter):
            with pytest.raises(NotFoundError, match=f"no function call '{nonsense}' is known here"):
                use()
    with pytest.raises(InvalidError, match="a function call id is a string such as 'fc-1a2b3c4d-1', not 7"):
        modal.FunctionCall.from_id(7)
    with pytest.raises(InvalidError, match=r"FunctionCall\.gather takes what \.spawn returns, not 3"):
        modal.FunctionCall.gather(3)


def test_a_call_that_was_not_spawned_keeps_no_result(thing):
    call_id, _, _ = thing.ids.remote()
    assert thing.double.spawn(1).get() == 2
    with pytest.raises(OutputExpiredError):
        modal.FunctionCall.from_id(call_id).get()


@pytest.mark.parametrize("face", ["spawn", "spawn_map", "experimental_spawn_map"])
def test_a_generator_cannot_be_spawned(thing, face):
    with pytest.raises(
        InvalidError, match=rf"Thing\.count is a generator, which cannot be called with \.{face}:"
    ):
        getattr(thing.count, face)([3])
    with pytest.raises(InvalidError, match="is a generator"):
        aio(getattr(thing.count, face).aio([3]))


@pytest.mark.parametrize("face", ["spawn_map", "experimental_spawn_map"])
def test_what_is_not_iterable_is_refused(thing, face):
    with pytest.raises(TypeError, match=rf"argument 1 of \.{face}\(\) is not iterable: 3"):
        getattr(thing.double, face)(3)
    with pytest.raises(TypeError, match=rf"double\.{face}\(\) needs at least one iterable of inputs"):
        getattr(thing.double, face)()
