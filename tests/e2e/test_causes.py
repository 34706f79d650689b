"""Every way in which a container ends: produced for real, and named in what the caller is told."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

import modal_nb as modal
from modal_nb.client import launcher
from modal_nb.exception import (
    AppStoppedError,
    ContainerCrashedError,
    FunctionTimeoutError,
    OutOfMemoryError,
    StartFailedError,
)
from tests.e2e import memory_group
from tests.e2e.home import until

GRACE = 1.0


@pytest.fixture(scope="module")
def machine():
    return {"MODAL_NB_MAX_CONTAINERS": "8", "MODAL_NB_STOP_GRACE": str(GRACE)}


@pytest.fixture
def own(home):
    """An app of the test's own, running."""
    found = modal.App("own")
    with found.run():
        yield found


def last_words(how):
    for number in range(3):
        print(f"{how}: line {number}", flush=True)


def end(how):
    """Each way in which a process can end."""
    last_words(how)
    if how == "os._exit(0)":
        os._exit(0)
    if how == "os._exit(3)":
        os._exit(3)
    if how == "kill -9":
        os.kill(os.getpid(), signal.SIGKILL)
    if how == "abort":
        os.abort()
    if how == "segfault":
        import ctypes

        ctypes.string_at(0)
    if how == "exit of a C library":
        import ctypes

        ctypes.CDLL(None).exit(4)
    raise AssertionError(how)


CAUSES = {
    "os._exit(0)": "ended with exit code 0",
    "os._exit(3)": "ended with exit code 3",
    "kill -9": "killed by signal 9 (SIGKILL)",
    "abort": "killed by signal 6 (SIGABRT)",
    "segfault": "killed by signal 11 (SIGSEGV)",
    "exit of a C library": "ended with exit code 4",
}


REMEDIES = {
    "os._exit(0)": "with exit code 0, such as os._exit or a C library; raise an exception instead",
    "os._exit(3)": "with exit code 3",
    "kill -9": "SIGKILL comes from outside",
    "abort": "PYTHONFAULTHANDLER",
    "segfault": "PYTHONFAULTHANDLER",
    "exit of a C library": "with exit code 4",
}


@pytest.mark.parametrize("how", CAUSES)
def test_a_death_is_named_with_its_cause_and_the_last_lines(own, home, how):
    @own.cls(max_containers=1)
    class Dies:
        @modal.method()
        def run(self):
            end(how)

    with pytest.raises(ContainerCrashedError) as caught:
        Dies().run.remote()
    text = str(caught.value)
    assert text.startswith("4 containers died while running Dies.run; the last one, ct-")
    assert f", was {CAUSES[how]}\n  last lines of the log of ct-" in text
    assert text.endswith(f"    {how}: line 0\n    {how}: line 1\n    {how}: line 2")
    assert home.log().count(f"cause={CAUSES[how]}\n") >= 4
    (advice,) = caught.value.__notes__
    assert advice.startswith("What to do: ")
    assert REMEDIES[how] in advice
    assert f"the last one, {caught.value.__modal_nb__[0].container}, was" in text


@pytest.mark.parametrize("how", CAUSES)
def test_a_death_in_an_enter_hook_is_a_failed_start_with_its_cause(own, how):
    @own.cls(max_containers=1)
    class Dies:
        @modal.enter()
        def load(self):
            end(how)

        @modal.method()
        def run(self): ...

    with pytest.raises(StartFailedError) as caught:
        Dies().run.remote()
    text = str(caught.value)
    assert text.startswith(f"3 containers for Dies.run failed to start: {CAUSES[how]}\n")
    assert text.endswith(f"    {how}: line 2")
    assert REMEDIES[how] in caught.value.__notes__[0]


def test_a_crash_loop_of_an_enter_hook_ends_with_the_users_traceback(own, home):
    @own.cls(max_containers=1)
    class Loops:
        @modal.enter()
        def load(self):
            raise LookupError("no such model")

        @modal.method()
        def run(self, x): ...

    answers = list(Loops().run.map(range(20), return_exceptions=True))
    assert {type(answer) for answer in answers} == {LookupError}
    assert {str(answer) for answer in answers} == {"no such model"}
    # three starts for the first ones that waited, and few for those that came while they failed
    assert home.log().count("imports or an enter hook failed") <= 9


def test_a_timeout_whose_cancel_is_ignored_is_named_and_costs_the_container(own, home):
    @own.cls(max_containers=1, timeout=1, startup_timeout=60)
    class Deaf:
        @modal.method()
        def run(self):
            while True:
                try:
                    time.sleep(1000)
                except BaseException:
                    continue

        @modal.method()
        def where(self):
            return os.environ["MODAL_TASK_ID"]

    before = Deaf().where.remote()
    with pytest.raises(FunctionTimeoutError, match=r"Deaf.run ran longer than timeout=1 seconds"):
        Deaf().run.remote()
    assert Deaf().where.remote() != before
    until(lambda: f"container kill id={before}" in home.log())


def test_a_stop_that_is_ignored_is_named(home, tmp_path):
    app = modal.App("deaf")

    @app.cls()
    class Deaf:
        @modal.method()
        def run(self):
            (tmp_path / "begun").write_text(os.environ["MODAL_TASK_ID"])
            while True:
                try:
                    time.sleep(1000)
                except BaseException:
                    continue

    raised = []

    def call():
        try:
            Deaf().run.remote()
        except BaseException as error:
            raised.append(error)

    with app.run():
        caller = threading.Thread(target=call)
        caller.start()
        container = until(lambda: (tmp_path / "begun").exists() and (tmp_path / "begun").read_text())
    caller.join()
    assert [type(error) for error in raised] == [AppStoppedError]
    assert "the app ended before Deaf.run was through" in str(raised[0])
    assert f"container exited id={container} cause=" in home.log()
    assert f"container kill id={container} reason=" in home.log()


def test_a_poison_input_ends_by_name_while_its_500_neighbours_succeed(own, home):
    @own.cls(max_containers=2)
    class Mixed:
        @modal.method()
        def run(self, x):
            if x == 250:
                end("segfault")
            return x * x

    results = list(Mixed().run.map(range(501), return_exceptions=True))
    poison = results.pop(250)
    assert results == [x * x for x in range(501) if x != 250]
    assert type(poison) is ContainerCrashedError
    assert "4 containers died while running Mixed.run" in str(poison)
    assert "segfault: line 2" in str(poison)


# -- memory -----------------------------------------------------------------------------------------------------------

EAT = "[bytearray(2**24) for _ in range(1000)]"


@pytest.fixture
def little_memory(home):
    """The supervisor of this module, and all containers to come, in a memory group with a limit."""
    reason = memory_group.why_not()
    if reason:
        pytest.skip(reason)
    home.stop()  # one that has served may end by itself in this moment
    pid = launcher.find_or_start(home.places).pid
    with memory_group.limited(pid, mib=300):
        yield
        until(lambda: not home.containers())


def test_memory_that_runs_out_is_named(little_memory, home):
    app = modal.App("hungry")

    @app.cls(max_containers=1)
    class Hungry:
        @modal.method()
        def eat(self):
            last_words("eating")
            return len(eval(EAT))

        @modal.method()
        def fast(self):
            return 1

    with app.run():
        with pytest.raises(OutOfMemoryError) as caught:
            Hungry().eat.remote()
        assert "was killed by the system because memory ran out\n" in str(caught.value)
        assert "eating: line 2" in str(caught.value)
        held = re.search(
            r"\n  its biggest process held (\d+) MiB at most, of 300 MiB that it", str(caught.value)
        )
        # pages that it shares with its zygote are in it, and are charged to whoever touched them first
        assert 150 < int(held[1]) <= 320
        assert "What to do: give it less" in caught.value.__notes__[0]
        assert home.log().count("cause=killed by the system because memory ran out\n") >= 4
        assert Hungry().fast.remote() == 1


def test_a_child_of_a_container_that_runs_out_of_memory_is_told_with_its_failure(little_memory):
    app = modal.App("parent")

    @app.cls(max_containers=1)
    class Parent:
        @modal.method()
        def feed(self):
            subprocess.run([sys.executable, "-c", EAT], check=True)

        @modal.method()
        def where(self):
            return os.environ["MODAL_TASK_ID"]

        @modal.method()
        def fail(self):
            raise LookupError("of its own")

    with app.run():
        before = Parent().where.remote()
        with pytest.raises(subprocess.CalledProcessError, match="SIGKILL") as caught:
            Parent().feed.remote()
        assert any("Memory ran out: since the last failure here" in note for note in caught.value.__notes__)
        assert Parent().where.remote() == before
        with pytest.raises(LookupError) as caught:
            Parent().fail.remote()
        assert not any("Memory ran out" in note for note in getattr(caught.value, "__notes__", ()))


def test_where_nothing_can_be_limited_the_test_says_so(monkeypatch):
    monkeypatch.setattr(memory_group, "own_group", lambda: None)
    assert memory_group.why_not() == "this machine has no memory cgroup of version 1 to make a group in"
    monkeypatch.setattr(memory_group, "own_group", lambda: Path("/proc/1"))
    assert "cannot be written" in memory_group.why_not()
