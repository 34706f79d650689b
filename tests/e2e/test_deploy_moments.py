"""Deployed apps at bad moments: ends, stops and new versions while inputs are given away, wait or run."""

from __future__ import annotations

import os
import threading
import time
from contextlib import suppress
from pathlib import Path

import pytest

import modal_nb as modal
from modal_nb.client import session
from modal_nb.exception import AppStoppedError, DataLossError, InputCancelledError, NotFoundError
from modal_nb.protocol import deployment as dp
from modal_nb.protocol import messages as ms
from tests.chaos.storm import kill
from tests.e2e.home import dead, until


def works(name, version=1, **options):
    """An app of one slow container, whose answers say which version gives them."""
    app = modal.App(name)

    @app.cls(serialized=True, max_containers=1, **options)
    class Works:
        @modal.method()
        def wait_for(self, path, x=0):
            Path(path + ".began").touch()
            while not Path(path).exists():
                time.sleep(0.005)
            return version, x

        @modal.method()
        def answer(self, x=b""):
            return version, len(x)

        @modal.method()
        def asks(self, path):
            """Calls another class of its app when the gate opens."""
            Path(path + ".began").touch()
            while not Path(path).exists():
                time.sleep(0.005)
            return Inner().answer.remote()

    @app.cls(serialized=True, min_containers=1, scaledown_window=2)
    class Inner:
        @modal.method()
        def answer(self):
            return version

    return app


@pytest.fixture(autouse=True)
def nothing_stays_deployed(home):
    yield
    ask = session.current().ask
    for one in ask(dp.DeployedAppsAsk(), dp.DeployedApps).apps:
        if one.state == "live":
            ask(dp.DeployedAppStop(environment=one.environment, app_name=one.name), ms.Done)


@pytest.fixture
def gate(tmp_path):
    return str(tmp_path / "gate")


def begun(path):
    until(Path(path + ".began").exists)


def found(name, cls="Works"):
    return modal.Cls.from_name(name, cls)()


def test_spawned_while_the_app_is_stopped_each_call_is_refused_or_has_an_outcome(home):
    app = works("stopped")
    app.deploy()
    answer = found("stopped").answer
    calls, refused, stop = [], [], threading.Event()

    def spawn():
        while not stop.is_set():
            try:
                calls.append(answer.spawn())
            except NotFoundError as error:
                refused.append(error)
                return

    threads = [threading.Thread(target=spawn) for _ in range(4)]
    for thread in threads:
        thread.start()
    until(lambda: len(calls) > 50)
    app.stop()
    for thread in threads:
        thread.join(20)
        assert not thread.is_alive()
    assert len(refused) == 4
    for call in calls:
        try:
            assert call.get(timeout=20) == (1, 0)
        except AppStoppedError:
            continue


def test_a_supervisor_that_is_told_to_end_leaves_what_waits_to_the_next_one(home, gate):
    works("ended").deploy()
    first = found("ended").wait_for.spawn(gate)
    others = [found("ended").answer.spawn(b"x" * n) for n in range(6)]
    begun(gate)
    supervisor = home.supervisor()
    session.current().ask(ms.SupervisorStop(), ms.Done)
    Path(gate).touch()
    until(lambda: dead(supervisor))
    assert modal.FunctionCall.gather(first, *others) == [(1, 0), *((1, n) for n in range(6))]


def test_what_was_never_begun_runs_in_the_new_version(home, gate):
    works("moved").deploy()
    running = found("moved").wait_for.spawn(gate)
    begun(gate)
    spawned = [found("moved").answer.spawn(b"x") for _ in range(5)]
    told = []
    threads = [threading.Thread(target=lambda: told.append(found("moved").answer.remote())) for _ in range(3)]
    threads.append(threading.Thread(target=lambda: told.extend(found("moved").answer.map([b"", b"x"]))))
    for thread in threads:
        thread.start()
    until(lambda: sum(pool.queued for pool in home.pools("Works")) >= 10)
    works("moved", version=2).deploy()
    assert modal.FunctionCall.gather(*spawned) == [(2, 1)] * 5
    for thread in threads:
        thread.join(30)
    assert {version for version, _ in told} == {2}
    Path(gate).touch()
    assert running.get() == (1, 0), "what ran was let finish"


def test_a_look_up_where_it_was_deployed_follows_new_versions_too(home):
    app = works("both")
    app.deploy()
    assert app.registered_classes["Works"]().answer.remote() == (1, 0)
    assert found("both").answer.remote() == (1, 0)
    works("both", version=2).deploy()
    assert found("both").answer.remote() == (2, 0)
    assert found("both").answer.spawn().get() == (2, 0)


def test_old_versions_keep_nothing_warm(home, gate):
    works("warm").deploy()
    call = found("warm").asks.spawn(gate)
    begun(gate)
    works("warm", version=2).deploy()
    Path(gate).touch()
    assert call.get() == 1, "code of the old version calls its own"
    until(lambda: len(home.containers("Inner")) == 1)
    assert found("warm", "Inner").answer.remote() == 2
    assert len(home.containers("Inner")) == 1


def test_a_file_of_arguments_that_is_gone_costs_its_own_call_only(home, gate):
    works("lost").deploy()
    found("lost").wait_for.spawn(gate)
    begun(gate)
    large, small = found("lost").answer.spawn(os.urandom(1 << 20)), found("lost").answer.spawn(b"x")
    kill(home.supervisor())
    (home.folder / "blobs" / f"{large.object_id}-0.in").unlink()
    Path(gate).touch()
    assert small.get() == (1, 1)
    with pytest.raises(DataLossError, match=r"the arguments of Works\.answer are not on disk any more"):
        large.get()


def test_many_inputs_are_cancelled_at_once(home, gate):
    works("many").deploy()
    found("many").wait_for.spawn(gate)
    begun(gate)
    call = found("many").answer.experimental_spawn_map([b""] * 3000)
    call.cancel()
    for index in (0, 1500, 2999):
        with pytest.raises(InputCancelledError):
            call.get(index=index)
    Path(gate).touch()
    assert found("many").answer.remote() == (1, 0)


def test_code_of_an_environment_looks_up_there(home):
    session.current().ask(dp.EnvironmentCreate(name="side"), ms.Done)
    app = modal.App("outer")

    @app.function(serialized=True)
    def ask():
        return os.environ["MODAL_ENVIRONMENT"], modal.Cls.from_name("inner", "Inner")().answer.remote()

    works("inner", version=7).deploy(environment_name="side")
    app.deploy(environment_name="side")
    assert modal.Function.from_name("outer", "ask", environment_name="side").remote() == ("side", 7)


def test_when_an_app_is_stopped_its_secrets_are_gone(home):
    app = modal.App("secretive")

    @app.function(serialized=True, secrets=[modal.Secret.from_dict({"TOKEN": "gone-when-stopped"})])
    def token():
        return os.environ["TOKEN"]

    app.deploy()
    assert modal.Function.from_name("secretive", "token").remote() == "gone-when-stopped"

    def kept():
        found = False
        for path in (home.folder / "private").iterdir():
            with suppress(FileNotFoundError):  # it goes in this moment
                found = found or b"gone-when-stopped" in path.read_bytes()
        return found

    assert kept()
    app.stop()
    until(lambda: not kept())
