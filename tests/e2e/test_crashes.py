"""Inputs that take too long, containers that die, starts that fail."""

from __future__ import annotations

import os
import signal
import time
import traceback
from pathlib import Path

import pytest

import modal_nb as modal
from modal_nb.exception import (
    ContainerCrashedError,
    FunctionTimeoutError,
    InputCancellation,
)
from tests.e2e.home import until

app = modal.App("crashes")


@app.cls(max_containers=2, timeout=1, startup_timeout=60)
class Failing:
    @modal.method()
    def where(self):
        return os.environ["MODAL_TASK_ID"]

    @modal.method()
    def takes_one(self, x):
        return x

    @modal.method()
    def sleep(self):
        time.sleep(1000)

    @modal.method()
    def swallow(self):
        while True:
            try:
                time.sleep(1000)
            except BaseException:
                continue

    @modal.method()
    def spin(self):
        while True:
            pass

    @modal.method()
    def spin_in_c(self):
        return sum(range(10**11))

    @modal.method()
    async def sleep_async(self):
        import asyncio

        await asyncio.sleep(1000)

    @modal.method()
    def finally_sleep(self, path):
        try:
            time.sleep(1000)
        finally:
            with Path(path).open("w") as file:
                file.write("finally")

    @modal.method()
    def die(self, path, how):
        with Path(path).open("a") as file:
            file.write(os.environ["MODAL_TASK_ID"] + "\n")
        print("last words", flush=True)
        if how == "exit":
            os._exit(3)
        os.kill(os.getpid(), getattr(signal, how))
        time.sleep(1000)

    @modal.method()
    def segfault(self):
        import ctypes

        ctypes.string_at(0)

    @modal.method()
    def die_once(self, path):
        try:
            Path(path).open("x").close()
        except FileExistsError:
            return "second time"
        os._exit(1)


@pytest.fixture(scope="module")
def failing(home):
    with app.run():
        yield Failing()


@pytest.fixture
def own(home):
    """An app of the test's own, running."""
    found = modal.App("own")
    with found.run():
        yield found


def said(caught):
    return "".join(traceback.format_exception(caught.value))


# -- timeouts ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("method", ["sleep", "sleep_async", "swallow", "spin", "spin_in_c"])
def test_a_timeout_ends_the_input_whatever_it_does(failing, method):
    with pytest.raises(FunctionTimeoutError) as caught:
        getattr(failing, method).remote()
    assert str(caught.value).startswith(
        f"Failing.{method} ran longer than timeout=1 seconds; raise `timeout`"
    )
    assert failing.takes_one.remote(1) == 1


def test_a_timeout_lets_finally_run(failing, tmp_path):
    with pytest.raises(FunctionTimeoutError):
        failing.finally_sleep.remote(str(tmp_path / "file"))
    until((tmp_path / "file").exists)


def test_a_timeout_hits_only_its_own_input_of_a_map(own):
    @own.cls(timeout=1, startup_timeout=60, max_containers=2)
    class Mixed:
        @modal.method()
        def run(self, x):
            if x == 7:
                time.sleep(1000)
            return x

    results = list(Mixed().run.map(range(100), return_exceptions=True))
    assert isinstance(results[7], FunctionTimeoutError)
    assert [r for r in results if r is not results[7]] == [i for i in range(100) if i != 7]


# -- deaths -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("how", "cause"),
    [
        ("exit", "ended with exit code 3"),
        ("SIGKILL", "killed by signal 9 (SIGKILL)"),
        ("SIGTERM", "killed by signal 15 (SIGTERM)"),
    ],
)
def test_a_container_that_dies_each_time_spends_its_crash_budget_and_is_named(
    failing, home, tmp_path, how, cause
):
    log = tmp_path / "log"
    with pytest.raises(ContainerCrashedError) as caught:
        failing.die.remote(str(log), how)
    containers = log.read_text().split()
    assert len(set(containers)) == len(containers) == 4  # the first time, and a crash budget of three
    assert str(caught.value).startswith(
        f"4 containers died while running Failing.die; the last one, {containers[-1]}, was {cause}"
    )
    assert "last words" in str(caught.value)
    for container in containers:
        assert f"container exited id={container} cause={cause}" in home.log()
    assert failing.takes_one.remote(1) == 1


def test_a_segfault_is_named(failing):
    with pytest.raises(ContainerCrashedError, match=r"was killed by signal 11 \(SIGSEGV\)"):
        failing.segfault.remote()


def test_an_input_whose_container_died_runs_again_elsewhere(failing, tmp_path):
    assert failing.die_once.remote(str(tmp_path / "mark")) == "second time"


def test_a_poisonous_input_of_a_map_costs_only_itself(own):
    @own.cls(max_containers=2)
    class Mixed:
        @modal.method()
        def run(self, x):
            if x == 13:
                os._exit(9)
            return x

    results = list(Mixed().run.map(range(200), return_exceptions=True))
    assert isinstance(results[13], ContainerCrashedError)
    assert [r for r in results if r is not results[13]] == [i for i in range(200) if i != 13]


# -- cancelling -------------------------------------------------------------------------------------------------------


def test_a_call_that_is_given_up_is_cancelled_in_the_container(own, tmp_path):
    import asyncio

    log = str(tmp_path / "log")

    @own.cls(max_containers=1)
    class Long:
        @modal.method()
        def run(self):
            try:
                with Path(log).open("w") as file:
                    file.write("begun\n")
                time.sleep(1000)
            except InputCancellation:
                with Path(log).open("a") as file:
                    file.write("cancelled\n")
                raise

        @modal.method()
        def where(self):
            return os.environ["MODAL_TASK_ID"]

    async def give_up():
        call = asyncio.ensure_future(Long().run.remote.aio())
        # the file is there before its line is
        await asyncio.to_thread(until, lambda: Path(log).exists() and Path(log).read_text() == "begun\n")
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call

    before = Long().where.remote()
    asyncio.run(give_up())
    until(lambda: Path(log).read_text() == "begun\ncancelled\n")
    assert Long().where.remote() == before
