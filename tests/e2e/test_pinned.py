"""Inputs for one very container, what containers tell of themselves, and why calls wait: with real processes."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

import modal_nb as modal
from modal_nb.client import binding, launcher, pinned
from modal_nb.client.waits import sentence
from modal_nb.exception import ContainerCrashedError, NotFoundError
from modal_nb.protocol.containers import ContainersAsk, ContainersFound, WaitAsk, WaitTold
from modal_nb.protocol.stream import Kind, Result, packet
from tests.e2e.home import dial, until

app = modal.App("pinned")


@app.cls(max_containers=1)
class Place:
    """Its inputs end when the test makes their file."""

    @modal.method()
    def where(self):
        return os.environ["MODAL_TASK_ID"]

    @modal.method()
    def until(self, gate):
        import time

        while not Path(gate).exists():
            time.sleep(0.005)
        return os.environ["MODAL_TASK_ID"]

    @modal.method()
    def die(self):
        os._exit(3)


@pytest.fixture(scope="module", autouse=True)
def running(home):
    with app.run():
        yield


@pytest.fixture
def place():
    """The instance, with one idle container."""
    model = Place()
    model.where.remote()
    until(lambda: [one.state for one in containers_of(model)[1]] == ["idle"])
    return model


def containers_of(model):
    pool = binding.bind(model)
    return pool, pool.app.session.ask(ContainersAsk(pool=pool.number), ContainersFound).containers


def held(pool):
    """References of the calls that have no outcome, the oldest first."""
    return [call.number for call in pool.app.session.held.all()]


def wait_of(pool, call):
    waits = pool.app.session.ask(WaitAsk(calls=[call]), WaitTold).waits
    return next((wait for wait in waits if wait.call == call), None)


def test_a_container_tells_how_its_start_went_and_what_it_runs(place, tmp_path):
    pool, [found] = containers_of(place)
    assert set(found.start) == {"launch", "imports", "enter", "total"}
    assert found.start["total"] == pytest.approx(sum(found.start.values()) - found.start["total"], abs=0.01)
    assert (found.state, found.running, found.aside, found.pinned) == ("idle", [], False, 0)
    call = place.until.spawn(str(tmp_path / "gate"))
    until(lambda: containers_of(place)[1][0].running)
    [running] = containers_of(place)[1][0].running
    assert running.call == held(pool)[-1]
    (tmp_path / "gate").touch()
    assert call.get() == found.id


def test_a_pinned_input_waits_for_its_container_and_others_wait_for_it(place, tmp_path):
    pool, [found] = containers_of(place)
    first = place.until.spawn(str(tmp_path / "first"))
    until(lambda: containers_of(place)[1][0].running)
    with ThreadPoolExecutor() as threads:
        look = threads.submit(pinned.call, pool, found.number, "until", (str(tmp_path / "look"),))
        until(lambda: containers_of(place)[1][0].pinned)
        waits = wait_of(pool, held(pool)[-1])
        assert (waits.state, waits.container) == ("pinned", found.id)
        assert sentence(waits).startswith(f"waits for {found.id}, which runs another input since ")
        last = place.where.spawn()
        until(lambda: (wait := wait_of(pool, held(pool)[-1])) and wait.state == "queued")
        assert "max_containers=1" in sentence(wait_of(pool, held(pool)[-1]))
        (tmp_path / "first").touch()
        assert first.get() == found.id
        until(lambda: (wait := wait_of(pool, held(pool)[0])) and wait.state == "running")
        assert sentence(wait_of(pool, held(pool)[0])).endswith(f" in {found.id}")
        (tmp_path / "look").touch()
        assert look.result() == last.get() == found.id


def test_the_pool_does_without_a_container_that_is_aside(home, place, tmp_path):
    pool, [found] = containers_of(place)
    gate = tmp_path / "gate"
    with ThreadPoolExecutor() as threads:
        look = threads.submit(pinned.call, pool, found.number, "until", (str(gate),), aside=True)
        until(lambda: containers_of(place)[1][0].aside)
        assert place.where.remote() != found.id, "another one serves meanwhile"
        [status] = [one for one in home.pool("Place").containers if one.id == found.id]
        assert status.aside is not None
        assert "1 container is aside" in home.pool("Place").why
        gate.touch()
        assert look.result() == found.id
    until(lambda: len(containers_of(place)[1]) == 1)


def test_who_is_pinned_to_what_ends_hears_of_it(place):
    pool, [found] = containers_of(place)
    with pytest.raises(ContainerCrashedError, match="exit code 3"):
        pinned.call(pool, found.number, "die", ())
    with pytest.raises(NotFoundError, match="ended"):
        pinned.call(pool, found.number, "where", ())
    assert place.where.remote() != found.id


def test_containers_of_others_are_not_told_of(place):
    pool, _ = containers_of(place)
    with pytest.raises(NotFoundError):
        pool.app.session.ask(ContainersAsk(pool=10**6), ContainersFound)


def test_a_stranger_reaches_no_container_by_its_number(home, place):
    pool, [found] = containers_of(place)
    with dial(launcher.find(home.places)) as stranger:
        refused = stranger.ask(ContainersAsk(pool=pool.number))
        assert refused["error"] == "NotFoundError"
        stranger.send(packet(Kind.PINNED, [b"x"], number=7, parent=pool.number, extra=found.number))
        answer = stranger.read()
        assert (answer.kind, answer.number, answer.flags) == (Kind.RESULT, 7, Result.FAILURE)
        assert stranger.codec.open(answer.frames()).content["kind"] == "container_gone"
    assert place.where.remote() == found.id


def test_another_supervisor_knows_no_such_container(home, place, tmp_path):
    pool, [found] = containers_of(place)
    with ThreadPoolExecutor() as threads:
        look = threads.submit(pinned.call, pool, found.number, "until", (str(tmp_path / "never"),))
        until(lambda: containers_of(place)[1][0].running)
        home.supervisor().kill()
        with pytest.raises(NotFoundError):
            look.result()
    assert place.where.remote()
