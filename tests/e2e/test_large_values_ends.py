"""kill -9 of client, supervisor and container while a large value is on its way: it arrives, or is given back."""

from __future__ import annotations

import contextlib
import gc
import os
import signal
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import psutil
import pytest

from modal_nb.client import launcher
from modal_nb.protocol import messages as ms
from modal_nb.protocol import segments
from tests.e2e import script
from tests.e2e.home import dead, until
from tests.e2e.large import Large, app, numbered
from tests.e2e.test_kills import kernel_of
from tests.house.tree import ROOT
from tests.protocol.shared_memory import descriptors, lent_by, lent_through, named

MIB = 1024 * 1024


@pytest.fixture
def files(tmp_path):
    return tmp_path / "begun", tmp_path / "go on"


@pytest.fixture(autouse=True)
def nothing_is_left(home):
    yield
    gc.collect()  # exceptions that were caught hold frames
    until(lambda: segments.ours().lent() == 0)
    if launcher.find(home.places) is not None:
        until(lambda: lent_through(home.supervisor().pid) == 0)
        home.ask(ms.SupervisorStop())
        home.await_nothing_lives()
    assert not named()


@contextlib.contextmanager
def stopped(process):
    process.send_signal(signal.SIGSTOP)
    try:
        yield
    finally:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.send_signal(signal.SIGCONT)


def kernel(home):
    """The process that runs the class."""
    (container,) = home.containers("Large")
    return until(lambda: kernel_of(container))


def kill(process):
    process.send_signal(signal.SIGKILL)
    until(lambda: dead(process))


@contextlib.contextmanager
def held(files, array):
    """A call that runs until its file is there; its result is right."""
    with ThreadPoolExecutor() as threads:
        call = threads.submit(Large().hold.remote, array, *map(str, files))
        try:
            yield call
        finally:
            files[1].touch()
        assert np.array_equal(call.result(60), array)


def begun(files):
    until(files[0].exists)
    files[0].unlink()


def test_a_container_is_killed_while_it_runs(home, files):
    with app.run(), held(files, numbered(MIB)):
        begun(files)
        assert segments.ours().lent() == 1
        kill(kernel(home))
        begun(files)


def test_a_container_is_killed_before_it_has_read(home, files):
    with app.run():
        Large().same.remote(1)
        running = kernel(home)
        with stopped(running), held(files, numbered(MIB)):
            until(lambda: lent_through(home.supervisor().pid) == 1)
            kill(running)
            begun(files)


def test_a_container_is_killed_in_the_middle_of_chunks(home):
    """Whose inputs lie in one segment: what is left of them runs elsewhere."""
    seen = []
    with app.run():
        large = Large.with_options(max_containers=1)()
        for back in large.same.map(numbered(50 * 1024, number) for number in range(600)):
            seen.append(int(back[0]))
            if len(seen) == 50:
                kill(kernel(home))
        del back
    assert seen == list(range(600))


def test_a_container_is_killed_when_its_result_is_here(home):
    with app.run():
        result = Large().same.remote(numbered(MIB))
        running = kernel(home)
        until(lambda: lent_by(running.pid) == 1)
        kill(running)
        assert np.array_equal(result, numbered(MIB))


def test_a_supervisor_is_killed_while_an_input_runs(home, files):
    with app.run(), held(files, numbered(MIB)):
        begun(files)
        kill(home.supervisor())
        begun(files)


def test_a_supervisor_is_killed_before_it_has_read(home, files):
    with app.run():
        Large().same.remote(1)
        running = home.supervisor()
        with stopped(running), held(files, numbered(MIB)):
            until(lambda: segments.ours().lent() == 1)
            kill(running)
            begun(files)


def test_a_supervisor_is_killed_before_it_has_read_the_result(home, files):
    with app.run(), held(files, numbered(MIB)):
        begun(files)
        running, container = home.supervisor(), kernel(home)
        with stopped(running):
            files[1].touch()
            until(lambda: lent_by(container.pid) == 1)
            kill(running)


CLIENT = f"""
import sys
sys.path.insert(0, {str(ROOT)!r})
from tests.e2e.large import Large, app, numbered
with app.run():
    large = Large.with_options(max_containers=1)()
    large.same.remote(1)
    print("ready", flush=True)
    input()
    found = large.hold.remote(numbered(2**20), sys.argv[1], sys.argv[2])
    print("done", flush=True)
    input()
"""


@pytest.fixture
def client(home, tmp_path, files):
    """A client that calls when it is told."""
    arguments = f"import sys; sys.argv[1:] = {[str(file) for file in files]!r}\n"
    with script.start(tmp_path, arguments + CLIENT, stdin=-1) as process:
        try:
            assert process.stdout.readline() == "ready\n"
            yield process
        finally:
            process.kill()


def tell(client):
    client.stdin.write("\n")
    client.stdin.flush()


def test_a_client_is_killed_before_the_supervisor_has_read(home, client):
    supervisor = home.supervisor()
    with stopped(supervisor):
        tell(client)
        until(lambda: lent_by(client.pid) == 1)
        client.kill()
        client.wait()
    until(lambda: not home.pools("Large") and lent_through(supervisor.pid) == 0)


def test_a_client_is_killed_while_its_input_runs(home, client, files):
    tell(client)
    begun(files)
    assert lent_through(home.supervisor().pid) == 1
    client.kill()
    until(lambda: not home.pools("Large") and lent_through(home.supervisor().pid) == 0)


def test_a_client_is_killed_before_it_has_read_the_result(home, client, files):
    tell(client)
    begun(files)
    container, supervisor = kernel(home), home.supervisor()
    with stopped(psutil.Process(client.pid)):
        files[1].touch()
        until(lambda: lent_by(container.pid) == 1 and lent_through(supervisor.pid) == 0)
        with stopped(supervisor):  # else the container ends with its client, and nobody could look
            client.kill()
            until(lambda: lent_by(container.pid) == 0)


def test_a_client_is_killed_while_it_has_the_result(home, client, files):
    files[1].touch()
    tell(client)
    assert client.stdout.readline() == "done\n"
    container, supervisor = kernel(home), home.supervisor()
    assert lent_by(container.pid) == 1
    with stopped(supervisor):
        client.kill()
        until(lambda: lent_by(container.pid) == 0)


def test_many_calls_leave_no_descriptor_in_any_process(home):
    with app.run():
        large = Large.with_options(max_containers=1)()
        assert len(list(large.same.map([numbered(MIB)] * 20))) == 20
        processes = home.supervisor().pid, kernel(home).pid, os.getpid()

        def given_back():
            return segments.ours().lent() == lent_by(processes[1]) == lent_through(processes[0]) == 0

        until(given_back)
        before = [descriptors(pid) - lent_through(pid) for pid in processes]
        assert len(list(large.same.map([numbered(MIB)] * 200))) == 200
        until(given_back)  # what is given back while it is counted would count twice
        after = [descriptors(pid) - lent_through(pid) for pid in processes]
        # fewer, where what was asked of the supervisor before had not hung up yet
        assert all(now <= then for now, then in zip(after, before, strict=True))
        assert lent_through(processes[0]) == 0
