"""Memory snapshots: ``enter(snap=True)`` runs once, containers are forks of what it made, and each is its own."""

from __future__ import annotations

import decimal
import os
import random
import signal
import socket
import subprocess
import sys
import tempfile
import threading
from pathlib import Path

import pytest

import modal_nb as modal
from modal_nb.exception import StartupTimeoutError
from modal_nb.protocol import messages as ms
from tests.e2e.home import guard_of, kernel_of, until

FORKED = "forked from its memory snapshot"


def lines(path):
    return path.read_text().splitlines() if path.exists() else []


@pytest.fixture
def own(home):
    """An app of the test's own, running."""
    found = modal.App("snapshots")
    with found.run():
        yield found


@pytest.fixture
def notes(tmp_path):
    return tmp_path / "notes"


def snapped(app, notes, **options):
    """A class that notes its hooks."""

    @app.cls(enable_memory_snapshot=True, serialized=True, **options)
    class Snapped:
        @modal.enter(snap=True)
        def load(self):
            note(notes, "snap")
            self.numbers = list(range(1000))
            self.maker = os.getpid()
            decimal.getcontext().prec = 5
            signal.signal(signal.SIGUSR1 + 20, handler)

        @modal.enter()
        def enter(self):
            note(notes, "enter")
            self.lucky = random.random()

        @modal.method()
        def facts(self, *_):
            return {
                "container": os.environ["MODAL_TASK_ID"],
                "sum": sum(self.numbers),
                "lucky": self.lucky,
                "random": random.random(),
                "precision": decimal.getcontext().prec,
                "word": os.environ.get("WORD"),
                "handler": signal.getsignal(signal.SIGUSR1 + 20) is not signal.SIG_DFL,
            }

        @modal.method()
        def wait(self, gate):
            while not Path(gate).exists():
                threading.Event().wait(0.01)
            return os.environ["MODAL_TASK_ID"]

    return Snapped


def note(path, word):
    with Path(path).open("a") as file:
        file.write(f"{word}\n")


def handler(*_):
    """Set by a hook."""


def test_the_snap_hook_runs_once_and_every_container_goes_on_from_there(own, home, notes, tmp_path):
    model = snapped(own, notes, max_containers=3)()
    gate = tmp_path / "gate"
    calls = [model.wait.spawn(str(gate)) for _ in range(3)]
    until(lambda: [c.state for c in home.containers("Snapped")] == ["busy"] * 3)
    assert {c.way for c in home.containers("Snapped")} == {FORKED}
    gate.touch()
    assert len({call.get() for call in calls}) == 3
    assert sorted(lines(notes)) == ["enter", "enter", "enter", "snap"]
    found = model.facts.remote()
    assert (found["sum"], found["precision"], found["handler"]) == (499500, 5, True)


def test_every_container_has_random_numbers_of_its_own(own, home, notes):
    model = snapped(own, notes, max_containers=2, single_use_containers=True)()
    found = list(model.facts.map(range(6)))
    assert len({one["lucky"] for one in found}) == len({one["container"] for one in found}) == 6
    assert len({one["random"] for one in found}) == 6


def test_a_pool_that_went_to_zero_comes_back_without_the_hook(own, home, notes):
    model = snapped(own, notes)()
    (first,) = {model.facts.remote()["container"]}
    home.ask(ms.ContainerStop(id=first))
    until(lambda: not home.ids("Snapped"))
    assert model.facts.remote()["container"] != first
    assert sorted(lines(notes)) == ["enter", "enter", "snap"]


def test_other_options_parameters_and_secrets_have_snapshots_of_their_own(own, notes):
    declared = snapped(own, notes)
    assert declared().facts.remote()["word"] is None
    for word in ("one", "two"):
        secret = modal.Secret.from_dict({"WORD": word})
        assert declared.with_options(secrets=[secret])().facts.remote()["word"] == word
    assert lines(notes).count("snap") == 3


def keeps_a_thread():
    thread = threading.Thread(target=threading.Event().wait, daemon=True, name="poller")
    thread.start()
    return thread


def keeps_a_socket():
    here, there = socket.create_server(("127.0.0.1", 0)), socket.socket()
    there.connect(here.getsockname())
    return here, there


def keeps_a_child():
    return subprocess.Popen([sys.executable, "-c", "import time; time.sleep(1000)"])


@pytest.mark.parametrize(
    ("make", "why"),
    [
        (keeps_a_thread, "the thread 'poller' is alive"),
        (keeps_a_socket, "a socket"),
        (keeps_a_child, "a child process"),
    ],
)
def test_what_no_fork_survives_starts_plainly_and_says_why(own, home, make, why):
    @own.cls(enable_memory_snapshot=True, serialized=True)
    class Unfit:
        @modal.enter(snap=True)
        def load(self):
            self.kept = make()

        @modal.method()
        def alive(self):
            return getattr(self.kept, "is_alive", lambda: True)()

    assert Unfit().alive.remote() is True
    (container,) = home.containers("Unfit")
    assert f"no memory snapshot: {why}" in container.way
    assert f"[modal_nb: no memory snapshot, its start takes longer: {why}" in Path(container.log).read_text()


def test_a_snap_hook_that_raises_reaches_the_caller(own, home):
    @own.cls(enable_memory_snapshot=True)
    class NoModel:
        @modal.enter(snap=True)
        def load(self):
            print("looking for it")
            raise LookupError("no model here")

        @modal.method()
        def use(self): ...

    with pytest.raises(LookupError, match="no model here") as caught:
        NoModel().use.remote()
    (said,) = caught.value.__notes__
    assert "a container of NoModel, started" in said
    assert "looking for it" in said


def test_a_snap_hook_that_takes_too_long_is_ended(own, home, notes):
    @own.cls(enable_memory_snapshot=True, startup_timeout=1, serialized=True)
    class Slow:
        @modal.enter(snap=True)
        def load(self):
            note(notes, str(os.getpid()))
            threading.Event().wait(100)

        @modal.method()
        def use(self): ...

    with pytest.raises(StartupTimeoutError):
        Slow().use.remote()
    until(lambda: not home.containers("Slow"))
    home_is_quiet(home)


def test_an_app_that_stops_takes_a_snapshot_in_the_making_along(home, notes):
    app = modal.App("stops")

    @app.cls(enable_memory_snapshot=True, serialized=True)
    class Endless:
        @modal.enter(snap=True)
        def load(self):
            note(notes, "begun")
            threading.Event().wait(1000)

        @modal.method()
        def use(self): ...

    with app.run():
        Endless().use.spawn()
        until(lambda: lines(notes))
    home_is_quiet(home)


def home_is_quiet(home):
    """No process of a snapshot is left: only the supervisor and a zygote with the two processes of its spare are."""
    until(lambda: len(home.living()) <= 4)


def test_a_deployed_app_starts_from_snapshots(home, notes):
    app = modal.App("deployed-snapshots")
    snapped(app, notes, max_containers=1)
    app.deploy()
    try:
        model = modal.Cls.from_name("deployed-snapshots", "Snapped")()
        first = model.facts.remote()["container"]
        home.ask(ms.ContainerStop(id=first))
        until(lambda: not home.ids("Snapped"))
        assert model.facts.remote()["container"] != first
        assert lines(notes).count("snap") == 1
    finally:
        app.stop()


def test_after_kill_9_of_a_snapshot_its_inputs_run_again_from_a_new_one(own, home, notes, tmp_path):
    model = snapped(own, notes, max_containers=1)()
    model.facts.remote()
    gate = tmp_path / "gate"
    call = model.wait.spawn(str(gate))
    until(lambda: [c.state for c in home.containers("Snapped")] == ["busy"])
    (container,) = home.containers("Snapped")
    # above the guard of a forked container stands the guard of its snapshot
    snapshot = kernel_of(container).parent().parent()
    assert snapshot.pid != guard_of(container).pid
    snapshot.kill()
    until(lambda: container.id not in home.ids("Snapped"))
    gate.touch()
    assert call.get() != container.id
    assert lines(notes).count("snap") == 2


PLAIN = """
import modal_nb as modal
app = modal.App("plain")

@app.cls(enable_memory_snapshot=True)
class Model:
    @modal.enter(snap=True)
    def load(self):
        self.words = ["snap"]

    @modal.enter()
    def enter(self):
        self.words.append("enter")

    @modal.method()
    def told(self):
        return self.words

with app.run():
    print(Model().told.remote(), Model().told.remote())
"""


def test_without_process_id_namespaces_containers_start_plainly(tmp_path):
    unshare = ["unshare", "--user", "--map-root-user"]
    limited = "echo 0 > /proc/sys/user/max_pid_namespaces"
    if subprocess.run([*unshare, "sh", "-c", limited], check=False, capture_output=True).returncode:
        pytest.skip("this machine gives no user namespaces, so there is nowhere to try it")
    script = tmp_path / "plain.py"
    script.write_text(PLAIN)
    python = f"{sys.executable} {script} && {sys.executable} -m modal_nb.cli"
    with tempfile.TemporaryDirectory(prefix="mnb-") as folder:  # a short path
        ran = subprocess.run(
            [*unshare, "sh", "-c", f"{limited} && {python} container list && {python} stop"],
            env={**os.environ, "MODAL_NB_HOME": folder},
            capture_output=True,
            text=True,
            timeout=100,
            check=False,
        )
        logs = "".join(path.read_text() for path in Path(folder, "logs").iterdir())
    assert "['snap', 'enter'] ['snap', 'enter']" in ran.stdout, ran.stderr
    assert "its start takes longer: no warm parent: this machine gives no process-id namespaces" in logs
