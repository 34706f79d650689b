"""Messages that are lost with their connection: before they are sent, on their way, or as the reply."""

from __future__ import annotations

import asyncio
import fcntl
import os
import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

import modal_nb as modal
from modal_nb.client import launcher
from modal_nb.exception import ConnectionError
from modal_nb.protocol.stream import Kind, Result
from tests.chaos.proxy import Fate, Proxy, let_pass
from tests.e2e.home import until

CALLS = 300
#: calls that are lost together with the client's connection; every call is lost once
TOGETHER = 50
#: every so many-th message to or from containers is lost, and costs a container. 1: each
EACH = int(os.environ.get("MODAL_NB_LOSE_EACH", "20"))
PLACES = ["before it is sent", "on its way", "its reply"]

app = modal.App("lost")


@app.cls(max_containers=3)
class Noted:
    """Writes down what it runs; a lock that dies with the process shows two runs at a time."""

    folder: str = modal.parameter()

    @modal.method()
    def run(self, name):
        lock = os.open(Path(self.folder, f"lock-{name}"), os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            word = "ran"
        except BlockingIOError:
            word = "twice"
        self.note(word, name)
        os.close(lock)
        return f"result of {name}"

    @modal.method()
    def hold(self, name):
        """Runs until the test lets it go on."""
        lock = os.open(Path(self.folder, f"lock-{name}"), os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            self.note("twice", name)
        self.note("begun", name)
        until(Path(self.folder, "gate").exists)
        os.close(lock)
        return os.environ["MODAL_TASK_ID"]

    def note(self, word, name):
        with Path(self.folder, "notes").open("a") as file:
            file.write(f"{word} {name}\n")


@pytest.fixture(scope="module")
def machine():
    return {"MODAL_NB_MAX_CONTAINERS": "8", "MODAL_NB_IDLE_EXIT": "600"}


@pytest.fixture(scope="module")
def proxy(home):
    """Between the supervisor and everybody else."""
    launcher.find_or_start(home.places)
    with Proxy(home.places.socket) as found:
        yield found


@pytest.fixture
def noted(proxy, tmp_path):
    proxy.plan = let_pass
    proxy.lost.clear()
    proxy.passed.clear()
    proxy.breaks = 0
    with app.run():
        yield Noted(folder=str(tmp_path))
        proxy.plan = let_pass


def notes(noted):
    path = Path(noted.folder, "notes")
    return Counter(path.read_text().splitlines()) if path.exists() else Counter()


def check(proxy, noted, names):
    """Each ran, none twice at a time, and each call had one RESULT."""
    found = notes(noted)
    assert not [line for line in found if line.startswith("twice")]
    assert {line.split()[1] for line in found} == set(names)
    results = Counter(
        {number: times for (kind, number), times in proxy.passed.items() if kind == Kind.RESULT}
    )
    assert set(results.values()) == {1}


# -- between client and supervisor ------------------------------------------------------------------------------------


def lose_together(place):
    """Lose each call once, TOGETHER with others: the last one of them takes the connection along."""
    kind = Kind.RESULT if place == "its reply" else Kind.CALL
    lost = set()

    def plan(seen):
        if seen.kind != kind or seen.number in lost or seen.flags == Result.UNKNOWN_POOL:
            return Fate.PASS
        lost.add(seen.number)
        if len(lost) % TOGETHER == 0:
            return Fate.TEAR if place == "on its way" else Fate.LOSE
        # on their way: those before the torn one are there, and their sender cannot know it
        return Fate.PASS if place == "on its way" else Fate.SWALLOW

    return plan


@pytest.mark.parametrize("place", PLACES)
def test_300_calls_of_a_client_are_answered_once_though_each_is_lost_once(home, proxy, noted, place):
    async def calls(names):
        return await asyncio.gather(*(noted.run.remote.aio(name) for name in names))

    noted.run.remote("first")
    proxy.plan = lose_together(place)
    proxy.passed.clear()
    names = [f"{number}" for number in range(CALLS)]
    for start in range(0, CALLS, TOGETHER):
        part = names[start : start + TOGETHER]
        assert asyncio.run(calls(part)) == [f"result of {name}" for name in part]
    assert proxy.breaks == CALLS // TOGETHER
    check(proxy, noted, ["first", *names])
    assert "supervisor ended" not in home.log()


def test_a_map_goes_on_over_broken_connections(proxy, noted):
    dice = iter(range(10**6))
    proxy.plan = lambda seen: Fate.LOSE if seen.kind == Kind.RESULT and next(dice) % 40 == 39 else Fate.PASS
    names = [f"{number}" for number in range(CALLS)]
    assert list(noted.run.map(names)) == [f"result of {name}" for name in names]
    assert proxy.breaks >= 2
    assert not [line for line in notes(noted) if line.startswith("twice")]


def test_an_input_that_runs_when_the_connection_breaks_runs_again_only_after_its_end(home, proxy, noted):
    answers = []
    call = threading.Thread(target=lambda: answers.append(noted.hold.remote("x")))
    call.start()
    until(lambda: notes(noted)["begun x"] == 1)
    supervisor, before = home.supervisor().pid, home.ids("Noted")
    other = threading.Thread(target=lambda: noted.run.remote("breaks it"))
    proxy.plan = lambda seen: Fate.LOSE if seen.kind == Kind.CALL and proxy.breaks == 0 else Fate.PASS
    other.start()
    until(lambda: notes(noted)["begun x"] == 2)
    Path(noted.folder, "gate").touch()
    call.join()
    other.join()
    assert not [line for line in notes(noted) if line.startswith("twice")]
    assert home.supervisor().pid == supervisor
    # the app of a connection ends with it: what comes back is a new one
    assert answers[0] not in before
    for container in before:
        assert f"container exited id={container} cause=the client of its app is gone" in home.log()


def test_a_call_that_breaks_every_connection_is_given_up(proxy, noted):
    noted.run.remote("first")
    proxy.plan = lambda seen: Fate.LOSE if seen.kind == Kind.CALL else Fate.PASS
    with pytest.raises(ConnectionError, match="ended 6 times in a row without a result; its log is"):
        noted.run.remote("x")
    proxy.plan = let_pass
    assert noted.run.remote("y") == "result of y"


# -- between supervisor and container ---------------------------------------------------------------------------------


def lose_each(place):
    """Every EACH-th message is lost at its first attempt, and costs its container the call stream."""
    kind = Kind.REPLY if place == "its reply" else Kind.INPUT
    seen_before = set()

    def plan(seen):
        if seen.kind != kind or seen.number in seen_before:
            return Fate.PASS
        seen_before.add(seen.number)
        if len(seen_before) % EACH:
            return Fate.PASS
        return Fate.TEAR if place == "on its way" else Fate.LOSE

    return plan


@pytest.mark.timeout(120 if EACH > 5 else 1200)
@pytest.mark.parametrize("place", PLACES)
def test_300_inputs_of_containers_are_answered_once_though_messages_are_lost(home, proxy, noted, place):
    noted.run.remote("first")
    proxy.plan = lose_each(place)
    proxy.passed.clear()
    names = [f"{number}" for number in range(CALLS)]
    with ThreadPoolExecutor(8) as threads:
        assert list(threads.map(noted.run.remote, names)) == [f"result of {name}" for name in names]
    assert proxy.breaks == CALLS // EACH
    check(proxy, noted, ["first", *names])


def test_a_container_whose_stream_breaks_while_it_is_busy_is_killed_and_its_input_runs_elsewhere(
    home, proxy, noted
):
    answers = []
    call = threading.Thread(target=lambda: answers.append(noted.hold.remote("x")))
    call.start()
    until(lambda: notes(noted)["begun x"] == 1)
    (busy,) = home.ids("Noted")
    proxy.break_stream("call")
    until(lambda: notes(noted)["begun x"] == 2)
    assert f"container exited id={busy} cause=a connection to it broke" in home.log()
    Path(noted.folder, "gate").touch()
    call.join()
    assert answers == list(home.ids("Noted"))
    assert not notes(noted)["twice x"]


@pytest.mark.parametrize(
    ("role", "cause"), [("control", "a connection to it broke"), ("lease", "its guard was killed")]
)
def test_a_container_whose_control_or_lease_breaks_is_replaced(home, proxy, noted, role, cause):
    noted.run.remote("first")
    (before,) = home.ids("Noted")
    proxy.break_stream(role)
    until(lambda: before not in home.ids("Noted"))
    assert f"container exited id={before} cause={cause}" in home.log()
    assert noted.run.remote("second") == "result of second"
