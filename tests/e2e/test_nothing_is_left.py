"""After kill -9 of a client, a supervisor, a guard, a kernel or a zygote nothing lives that should not, 5 s later."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from contextlib import suppress

import pytest

from modal_nb.protocol import messages as ms
from tests.e2e import script
from tests.e2e.home import command, dead, guard_of, kernel_of, until


@pytest.fixture(scope="module")
def machine():
    return {"MODAL_NB_MAX_CONTAINERS": "8", "MODAL_NB_IDLE_EXIT": "1"}


#: every container starts a grandchild that escapes its session, group and parent
FAMILY = """
import os, subprocess, sys, time
import modal_nb as modal
app = modal.App("family")

@app.cls(min_containers=2)
class Family:
    @modal.enter()
    def fork(self):
        code = "import os, time; os.fork() and os._exit(0); os.setsid(); os.fork() and os._exit(0); time.sleep(1000)"
        subprocess.run([sys.executable, "-c", code], check=True)

    @modal.method()
    def run(self):
        print("running", flush=True)
        time.sleep(1000)

with app.run():
    print("begun", flush=True)
    Family().run.remote()
"""
ESCAPED = "os.setsid()"


def escaped(home):
    """The grandchildren. Who made them is soon gone, and leads a session; they are in it and lead none."""
    found = []
    for process in home.living():
        with suppress(OSError):
            if ESCAPED in command(process) and os.getsid(process.pid) != process.pid:
                found.append(process)
    return found


@pytest.fixture
def family(home, tmp_path):
    """A client process, two containers of which one is busy, a grandchild of each."""
    home.await_nothing_lives()
    client = script.start(tmp_path, FAMILY)
    try:
        until(lambda: sorted(c.state for c in home.containers("Family")) == ["busy", "idle"])
        until(lambda: len(escaped(home)) == 2)
        yield client
    finally:
        client.kill()
        client.communicate()
    home.await_nothing_lives()


def gone(processes):
    return all(map(dead, processes))


def test_after_kill_9_of_the_client_nothing_lives(home, family):
    until(lambda: len(home.living()) >= 10)  # its zygote makes the next spare when the last one was used
    family.send_signal(signal.SIGKILL)
    family.wait()
    home.await_nothing_lives(seconds=5)


def test_after_kill_9_of_the_supervisor_nothing_of_it_lives(home, family):
    before = [process for process in home.living() if process.pid != family.pid]
    home.supervisor().kill()
    until(lambda: gone(before), seconds=5)
    # the client is there and wants its answer: all of it comes again
    until(lambda: sorted(c.state for c in home.containers("Family")) == ["busy", "idle"])


def test_after_kill_9_of_a_guard_nothing_of_its_container_lives(home, family):
    (busy,) = [c for c in home.containers("Family") if c.state == "busy"]
    guard = guard_of(busy)
    tree = [guard, *guard.children(recursive=True)]
    assert any(ESCAPED in command(process) for process in tree), "its grandchild is among them"
    guard.kill()
    until(lambda: gone(tree), seconds=5)
    until(lambda: f"container exited id={busy.id} cause=its guard was killed" in home.log())
    # its input runs again elsewhere
    until(lambda: [c.id for c in home.containers("Family") if c.state == "busy"] not in ([], [busy.id]))


def test_after_kill_9_of_a_kernel_nothing_of_its_container_lives(home, family):
    (idle,) = [c for c in home.containers("Family") if c.state == "idle"]
    guard = guard_of(idle)
    tree = [guard, *guard.children(recursive=True)]
    kernel_of(idle).kill()
    until(lambda: gone(tree), seconds=5)
    until(lambda: idle.id not in home.ids("Family"))


def zygotes(home):
    return [process for process in home.living() if "--zygote" in command(process)]


def test_after_kill_9_of_a_zygote_its_containers_serve_on_and_the_next_one_gets_another(home, family):
    idle = {c.id for c in home.containers("Family") if c.state == "idle"}
    # its spare has the same command line, and ends with it
    before = zygotes(home)
    zygote = min(before, key=lambda process: process.create_time())
    zygote.kill()
    until(lambda: "a zygote has ended" in home.log())
    spares = [p for p in before if p.pid not in _members(home)]
    until(lambda: gone(spares), seconds=5)
    assert idle <= home.ids("Family")
    for container in idle:
        home.ask(ms.ContainerStop(id=container))
    until(lambda: idle.isdisjoint(home.ids("Family")) and len(home.ids("Family")) == 2)
    until(lambda: {c.way for c in home.containers("Family")} == {"forked"})


def _members(home):
    """Process ids of all containers."""
    guards = [guard_of(container) for container in home.containers("Family")]
    return {one.pid for guard in guards for one in [guard, *guard.children(recursive=True)]}


def test_after_kill_9_of_client_and_supervisor_at_once_nothing_lives(home, family):
    supervisor = home.supervisor()
    family.send_signal(signal.SIGKILL)
    supervisor.kill()
    family.wait()
    home.await_nothing_lives(seconds=5)


def test_a_supervisor_that_nobody_needs_ends_by_itself(home):
    code = "from modal_nb.cli import main; import sys; sys.argv[1:] = ['supervisor', 'start']; main()"
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert ran.stdout.startswith("The supervisor runs: pid ")
    home.await_nothing_lives()
