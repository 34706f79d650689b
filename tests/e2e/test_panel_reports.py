"""Reports of a real supervisor: pushed, true, not too often, and there again after it was killed."""

from __future__ import annotations

import asyncio
import os
import threading
import time
from itertools import pairwise
from pathlib import Path

import pytest

import modal_nb as modal
from modal_nb.client import launcher, session, steering
from modal_nb.client.subject import of_app, of_cls, of_obj
from modal_nb.exception import ConflictError, ExecutionError, InvalidError, NotFoundError
from modal_nb.protocol import messages as ms
from modal_nb.protocol.reports import applied
from modal_nb.protocol.stream import Kind
from tests.e2e.home import dial, until

app = modal.App("panels")


class Waiting:
    name: str = modal.parameter(default="")

    @modal.method()
    def where(self):
        return os.environ["MODAL_TASK_ID"]

    @modal.method()
    def until_there(self, path):
        while not Path(path).exists():
            time.sleep(0.01)

    @modal.method()
    def die(self):
        os._exit(7)


@app.cls(max_containers=3, scaledown_window=3600)
class Shown(Waiting):
    pass


@app.cls(scaledown_window=3600)
class Other(Waiting):
    pass


@pytest.fixture
def running(home):
    with app.run():
        yield


class Listener(threading.Thread):
    """A client that knows the protocol and nothing else: it keeps every report, and applies every difference."""

    def __init__(self, home, **wanted):
        super().__init__(daemon=True)
        self.caller = dial(launcher.find(home.places))
        self.first, self.now, self.times, self.answers = {}, {}, [], []
        #: every state of every pool, as it was told: some are over before anybody looks
        self.history = []
        self.lock = threading.Lock()
        self.start()
        self.watch(**wanted)

    def run(self):
        try:
            while True:
                for packet in self.caller.receiver.read():
                    self.take(packet)
        except Exception as end:  # the connection ends with the test
            self.end = end

    def take(self, packet):
        content = self.caller.codec.open(packet.frames()).content
        with self.lock:
            if packet.kind != Kind.REPORT:
                self.answers.append(content)
            elif "report" in content:
                report = content["report"]
                self.first[report["pool"]] = self.now[report["pool"]] = report
                self.history.append(report)
            else:
                diff = content["diff"]
                self.times.append((diff["pool"], diff["now"]))
                self.now[diff["pool"]] = applied(self.now[diff["pool"]], diff)
                self.history.append(self.now[diff["pool"]])

    def watch(self, **wanted):
        answers = len(self.answers)
        asked = ms.WatchAsk(**wanted)
        frames = self.caller.codec.pack("watch_request", asked.content())
        from modal_nb.protocol.stream import packet

        self.caller.send(packet(Kind.REQUEST, frames, number=1))
        until(lambda: len(self.answers) > answers)

    def pool(self, service):
        with self.lock:
            found = [report for report in self.now.values() if report["service"] == service]
        return found[-1] if found else None

    def was(self, service, seen):
        """The first report of this kind of which it is so."""
        with self.lock:
            return next((one for one in self.history if one["service"] == service and seen(one)), None)

    def close(self):
        self.caller.sock.shutdown(2)
        self.join()
        self.caller.sock.close()


@pytest.fixture
def listener(home, running):
    found = Listener(home, everything=True)
    yield found
    found.close()


def states(report):
    return sorted(one["state"] for one in report["containers"] if one["state"] != "dead")


def only(reports):
    (report,) = reports.values()
    return report


# -- what is told --------------------------------------------------------------------------------------------------


def test_a_life_is_told_from_the_start_to_the_end(listener, tmp_path):
    call = Shown().until_there.spawn(str(tmp_path / "gate"))
    until(lambda: (pool := listener.pool("Shown")) and states(pool) == ["busy"])
    pool = listener.pool("Shown")
    (one,) = pool["containers"]
    assert (one["running"], one["slots"], one["served"], one["ended"]) == (1, 1, 0, None)
    assert one["born"] <= one["since"] <= pool["now"]
    assert pool["autoscaler"] == {
        "min_containers": 0,
        "max_containers": 3,
        "buffer_containers": 0,
        "scaledown_window": 3600,
    }
    (tmp_path / "gate").touch()
    call.get()
    until(lambda: states(listener.pool("Shown")) == ["idle"])
    (one,) = listener.pool("Shown")["containers"]
    assert one["served"] == 1
    points = listener.pool("Shown")["history"]
    assert points[-1][1:] == [0, 0, 1]
    assert [a[0] for a in points] == sorted({a[0] for a in points})


def test_why_a_container_ended_is_told(listener):
    Shown().where.remote()
    with pytest.raises(modal.exception.ContainerCrashedError):
        Shown().die.remote()
    until(lambda: [c for c in listener.pool("Shown")["containers"] if c["state"] == "dead"])
    causes = {c["cause"] for c in listener.pool("Shown")["containers"] if c["state"] == "dead"}
    assert causes == {"exited with code 7"} or all("7" in cause for cause in causes)
    one = (
        until(lambda: next((c for c in listener.pool("Shown")["containers"] if c["state"] == "idle"), None))
        if (Shown().where.remote())
        else None
    )
    steering.stop_container(session.current(), one["id"], kill=True)

    def cause():
        return next(c["cause"] for c in listener.pool("Shown")["containers"] if c["id"] == one["id"])

    assert until(cause) == "killed: somebody asked for it"


def test_all_differences_give_what_a_new_client_is_told(home, listener):
    for _ in range(3):
        Shown().where.remote()
        Other(name="x").where.remote()
    list(Shown().where.map([]))
    until(lambda: listener.pool("Other") and states(listener.pool("Other")) == ["idle"])
    late = Listener(home, everything=True)
    try:

        def same():
            with listener.lock, late.lock:
                return all(
                    {**listener.now[n], "now": 0} == {**late.now[n], "now": 0} for n in late.now
                ) and set(late.now) <= set(listener.now)

        until(same)
    finally:
        late.close()


def test_not_more_than_four_differences_of_a_pool_in_a_second(listener):
    Shown().where.remote()
    end = time.monotonic() + 2.5
    while time.monotonic() < end:
        Shown().where.remote()
    number = listener.pool("Shown")["pool"]
    times = [now for pool, now in listener.times if pool == number]
    assert len(times) >= 4
    assert min(b - a for a, b in pairwise(times)) > 0.2
    assert len(listener.pool("Shown")["history"]) <= 4 * (times[-1] - times[0] + 2)


def test_only_what_is_asked_for_is_told_and_used_memory_only_while_somebody_watches(home, running):
    Shown().where.remote()
    Other().where.remote()
    one = home.pool("Shown").pool
    listener = Listener(home, pools=[one])
    try:
        assert set(listener.now) == {one}
        until(lambda: only(listener.now)["containers"][0]["memory"])
        until(lambda: only(listener.now)["containers"][0]["cpu"] is not None)
        listener.watch()
        listener.now.clear()
        listener.watch(everything=True)
        # nobody sampled Other
        assert listener.pool("Other")["containers"][0]["memory"] is None
    finally:
        listener.close()


def test_a_pool_that_is_forgotten_is_told_as_gone(home):
    with app.run():
        Shown().where.remote()
        listener = Listener(home, everything=True)
    try:
        until(lambda: listener.pool("Shown")["state"] == "gone")
        assert states(listener.pool("Shown")) == []
        assert listener.pool("Shown")["containers"][0]["cause"] == "stopped: the app has stopped"
    finally:
        listener.close()


# -- the client's side ---------------------------------------------------------------------------------------------


def test_a_subject_sees_its_own_pools_only(running):
    Shown(name="a").where.remote()
    Shown(name="b").where.remote()
    Other().where.remote()
    Shown.with_options(max_containers=1)(name="a").where.remote()
    watching = session.current().watching

    def seen(subject):
        subscription = watching.subscribe(subject, lambda _: None)
        found = subscription.seen()
        subscription.close()
        return [(r["service"], r["parameters"], r["variant"]) for r in found.reports.values()]

    assert seen(of_obj(Shown(name="a"))) == [("Shown", "name='a'", "")]
    assert seen(of_obj(Shown.with_options(max_containers=1)(name="a"))) == [
        ("Shown", "name='a'", "max_containers=1")
    ]
    assert len(seen(of_cls(Shown))) == 3
    assert len(seen(of_cls(Shown.with_options(max_containers=1)))) == 1
    assert len(seen(of_app(app))) == 4
    assert seen(of_obj(Shown(name="c"))) == []
    assert seen(of_app(modal.App("another"))) == []


def test_watching_starts_nothing(home, tmp_path, monkeypatch):
    monkeypatch.setenv("MODAL_NB_HOME", str(tmp_path))
    lonely = modal.App("lonely")
    model = lonely.cls()(Waiting)()
    panel = model.panel()
    assert (panel.state()["pools"], panel.state()["connection"]) == ([], "connected")
    panel.wait_for(containers=0)
    assert "no container yet" in panel._repr_mimebundle_()["text/html"]
    assert model._repr_mimebundle_() == {}
    assert list(tmp_path.iterdir()) == []


def test_wait_for_returns_when_it_is_so_and_says_what_is_there_when_it_is_not(running):
    model = Shown(name="w")
    model.update_autoscaler(min_containers=2)
    model.wait_for(containers=2, state="idle")
    model.panel().wait_for(containers=2)
    asyncio.run(model.wait_for.aio(state="idle", queued=0, running=0))
    with pytest.raises(
        TimeoutError, match=r"was not at containers=3 within 0.2 s: it has 2 idle; nothing is queued"
    ):
        model.wait_for(containers=3, timeout=0.2)
    with pytest.raises(TimeoutError, match="it has 2 idle"):
        asyncio.run(model.wait_for.aio(containers=3, timeout=0.2))
    model.update_autoscaler(min_containers=0, max_containers=1)
    model.wait_for(containers=1)
    app.panel().wait_for(containers=1)


def test_wait_for_sees_an_app_that_begins_later_and_one_that_ends(home):
    model = Shown(name="later")
    found = []
    waiting = threading.Thread(target=lambda: found.append(model.wait_for(containers=1, state="idle")))
    waiting.start()
    with app.run():
        model.where.remote()
        waiting.join(30)
        assert found == [None]

        def wait():
            try:
                model.wait_for(containers=5)
            except ExecutionError as error:
                found.append(str(error))

        waiting = threading.Thread(target=wait)
        waiting.start()
        until(lambda: session.current().watching._subscriptions)
    waiting.join(30)
    assert found[1].endswith("but the app has ended")


@pytest.mark.parametrize(
    ("wanted", "sentence"),
    [
        ({}, "waits for nothing"),
        ({"containers": "two"}, "`containers` must be an int"),
        ({"state": "asleep"}, "`state` must be one of starting, entering, idle, busy, draining, dead"),
        ({"containers": 1, "timeout": "soon"}, "`timeout` must be a number"),
    ],
)
def test_waiting_for_what_cannot_be(wanted, sentence):
    with pytest.raises(InvalidError, match=sentence):
        Shown().wait_for(**wanted)


def test_a_users_own_names_come_first(home):
    class Named:
        @modal.method()
        def panel(self):
            return 1

        wait_for = 7

    model = app.cls()(Named)()
    assert (model.panel.local(), model.wait_for) == (1, 7)


def test_one_more_by_hand(running):
    model, one = Shown(name="more"), session.current()
    model.where.remote()
    (pool,) = [
        n
        for run in one.apps
        for p in run.pools.values()
        if (n := p.number) and p._request.parameters == "name='more'"
    ]
    steering.start_container(one, pool)
    model.wait_for(containers=2, state="idle")
    steering.start_container(one, pool)
    model.wait_for(containers=3)
    with pytest.raises(ConflictError, match="Shown: no more container now: at max_containers=3: raise it"):
        steering.start_container(one, pool)
    assert steering.update_autoscaler(one, pool, {"max_containers": None}).max_containers is None
    with pytest.raises(InvalidError, match="cannot be greater than `max_containers`"):
        steering.update_autoscaler(one, pool, {"min_containers": 3, "max_containers": 2})
    with pytest.raises(NotFoundError, match="does not run in this supervisor any more"):
        steering.start_container(one, 10**6)


def test_after_a_kill_of_the_supervisor_everything_is_there_again(home, running):
    model = Shown(name="again")
    model.update_autoscaler(min_containers=1)
    model.wait_for(containers=1, state="idle")
    changes = []
    subscription = session.current().watching.subscribe(
        of_obj(model), lambda _: changes.append(subscription.seen().connection)
    )
    before = only(subscription.seen().reports)
    home.supervisor().kill()
    until(lambda: "lost" in changes)
    until(lambda: subscription.seen().connection == "connected" and subscription.seen().reports)
    model.wait_for(containers=1, state="idle")
    after = only(subscription.seen().reports)
    assert after["app"]["id"] != before["app"]["id"]
    assert {c["id"] for c in before["containers"]}.isdisjoint(c["id"] for c in after["containers"])
    assert after["autoscaler"]["min_containers"] == 1
    subscription.close()
