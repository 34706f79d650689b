"""Panels of what others deployed and run: found by name, followed over versions, steered, and nothing is started."""

from __future__ import annotations

import contextlib
import html
import re

import pytest

import modal_nb as modal
from modal_nb.client import session
from modal_nb.exception import InvalidError, NotFoundError
from modal_nb.protocol import deployment as dp
from modal_nb.protocol import messages as ms
from modal_nb.views.commands import perform
from modal_nb.views.pool_model import PoolModel
from tests.e2e import script
from tests.e2e.home import until

SHOP = """
import modal_nb as modal
app = modal.App({name!r})
version = {version}

@app.cls(max_containers=2, scaledown_window=3600)
class Till:
    currency: str = modal.parameter(default="EUR")
    floor: int = modal.parameter(default=0)
    @modal.method()
    def sell(self, price):
        return version, self.currency, price
    @modal.method()
    def panel(self):
        return version

@app.cls(scaledown_window=3600)
class Door:
    @modal.method()
    def knock(self):
        return version

app.deploy()
"""
OTHER = """
import modal_nb as modal
app = modal.App("of-another")

@app.cls(scaledown_window=3600)
class There:
    @modal.method()
    def here(self):
        return 1

with app.run():
    There().here.remote()
    print("ready", flush=True)
    input()
"""


@pytest.fixture
def name(home, request):
    """For an app of this test alone."""
    return re.sub(r"\W+", "-", request.node.name.removeprefix("test_"))[:40].strip("_-")


@pytest.fixture
def deploy(home, name, tmp_path):
    """Another process deploys a version and ends."""

    def deployed(version=1):
        script.run(tmp_path, SHOP.format(name=name, version=version))

    yield deployed
    session.current().apps.clear()
    with contextlib.suppress(NotFoundError):
        session.current().ask(dp.DeployedAppStop(environment="main", app_name=name), ms.Done)


def till(name, **where):
    return modal.Cls.from_name(name, "Till", **where)


def pools(panel):
    return [
        (one["service"], one["parameters"], one["version"], one["state"]) for one in panel.state()["pools"]
    ]


def living(panel):
    return [pool for pool in pools(panel) if pool[3] != "gone"]


def page(panel):
    return html.unescape(re.sub("<[^>]*>", "", panel._repr_mimebundle_()["text/html"]))


def wait(panel, seen):
    """Until the panel shows it; it is asked anew each time."""
    return until(lambda: seen(panel.state()))


def test_what_is_not_deployed_is_said_and_nothing_is_started(home, tmp_path, monkeypatch):
    monkeypatch.setenv("MODAL_NB_HOME", str(tmp_path))
    for panel in (till("shop").panel(), till("shop")(currency="CHF").panel(), modal.panel()):
        assert panel.state() == {
            "pools": [],
            "connection": "connected",
            "message": "no supervisor runs here: the first call starts one",
            "apps": [],
        }
        panel.wait_for(containers=0)
        assert "no supervisor runs here: the first call starts one" in page(panel)
    assert modal.App("shop").panel().state()["message"] == "no container yet: the first call starts one"
    assert list(tmp_path.iterdir()) == []


def test_an_app_that_is_not_deployed_where_a_supervisor_runs(home, name):
    session.current().link()
    said = f"the app {name!r} is not deployed in the environment 'main'"
    assert (till(name).panel().state()["message"], said in page(till(name).panel())) == (said, True)
    with pytest.raises(TimeoutError, match=f"it has no container; {re.escape(said)}"):
        till(name)().wait_for(containers=1, timeout=0.1)
    elsewhere = till(name, environment_name="dev").panel().state()["message"]
    assert elsewhere == f"the app {name!r} is not deployed in the environment 'dev'"
    assert modal.App(name).panel().state()["message"] == "no container yet: the first call starts one"


def test_a_deployed_class_is_shown_where_it_was_never_used(home, name, deploy):
    deploy()
    panel = till(name).panel()
    assert panel.state()["pools"] == []
    (app,) = panel.state()["apps"]
    assert (app["name"], app["origin"], app["classes"]) == (
        name,
        "deployed in main, version 1",
        ["Till"],
    )
    assert f"Till of app {name!r}app {name} deployed in main, version 1; no pool yet of Till" in page(panel)
    assert repr(panel) == f"<panel of Till of app {name!r}>"
    wrong = modal.Cls.from_name(name, "Tills").panel().state()["message"]
    assert wrong == f"the app {name!r} has no 'Tills', only Door, Till"
    # used by others, it shows
    use = f"import modal_nb as m; print(m.Cls.from_name({name!r}, 'Till')(floor=2, currency='CHF').sell.remote(3))"
    script.run(home.folder, use)
    assert pools(panel) == [("Till", "currency='CHF', floor=2", 1, "running")]
    till(name)(floor=2, currency="CHF").wait_for(containers=1, state="idle")
    assert not home.status().apps[0].client_pid
    assert session.current().apps == []


def test_parameters_mean_the_pool_that_they_mean_in_a_call(home, name, deploy):
    deploy()
    for given in ({}, {"currency": "CHF"}, {"floor": 1, "currency": "SEK"}):
        till(name)(**given).sell.remote(1)
    assert pools(till(name)(currency="EUR", floor=0).panel()) == [("Till", "", 1, "running")]
    assert pools(till(name)().panel()) == [("Till", "", 1, "running")]
    assert pools(till(name)(floor=0, currency="CHF").panel()) == [("Till", "currency='CHF'", 1, "running")]
    assert pools(till(name)(floor=1, currency="SEK").panel()) == [
        ("Till", "currency='SEK', floor=1", 1, "running")
    ]
    assert pools(till(name)(coins=1).panel()) == []
    assert len(pools(till(name).panel())) == 3
    assert pools(till(name).with_options(max_containers=1).panel()) == []


def test_a_name_may_be_a_method_of_the_deployed_class(home, name, deploy):
    deploy()
    one = till(name)()
    assert one.panel.remote() == 1
    assert repr(one.panel()) == f"<panel of Till() of app {name!r}>"
    one.wait_for(containers=1, state="idle")


def test_a_new_version_takes_the_place_of_the_old_one(home, name, deploy):
    panel, door = till(name).panel(), modal.Cls.from_name(name, "Door")
    changes = []
    subscription = session.current().watching.subscribe(panel._about, lambda _: changes.append(1))
    deploy()
    doors = door.panel()
    assert pools(doors) == [("Door", "", 1, "running")]
    for version in (1, 2, 3):
        if version > 1:
            deploy(version)
        assert till(name)(currency="CHF").sell.remote(3) == (version, "CHF", 3)
        wait(panel, lambda state, v=version: state["apps"][0]["origin"] == f"deployed in main, version {v}")
        until(lambda v=version: living(panel) == [("Till", "currency='CHF'", v, "running")])
        # a subscription that was there all the time is told the same
        until(
            lambda v=version: (
                [r["version"] for r in subscription.seen().reports.values() if r["state"] == "running"] == [v]
            )
        )
        assert subscription.seen().apps[0]["version"] == version
    assert changes
    subscription.close()
    assert living(doors) == [("Door", "", 3, "running")]
    session.current().apps[0].stop()
    assert panel.state()["message"] == f"the app {name!r} is not deployed in the environment 'main'"


def test_an_app_of_the_same_name_shows_what_is_deployed_beside_what_runs_here(home, name, deploy):
    deploy()
    app = modal.App(name)

    @app.cls(serialized=True)
    class Mine:
        @modal.method()
        def here(self):
            return 1

    panel = app.panel()
    assert [pool[0] for pool in pools(panel)] == ["Door"]
    assert f"app {name} deployed in main, version 1" in page(panel)
    with app.run():
        Mine().here.remote()
        origins = [one["origin"] for one in panel.state()["apps"]]
        assert sorted(origins) == ["deployed in main, version 1", "of this process"]
        assert sorted(pool[0] for pool in pools(panel)) == ["Door", "Mine"]
    assert [pool[0] for pool in living(panel)] == ["Door"]


def test_everything_is_shown_whoever_started_it(home, name, deploy, tmp_path):
    deploy()
    panel = modal.panel()
    with script.start(home.folder, OTHER.replace("input()", "import time; time.sleep(60)")) as other:
        try:
            assert other.stdout.readline() == "ready\n"
            apps = {app["name"]: app["origin"] for app in panel.state()["apps"]}
            assert apps[name] == "deployed in main, version 1"
            assert apps["of-another"] == f"of process {other.pid}"
            assert {"Door", "There"} <= {pool[0] for pool in pools(panel)}
            assert f"app of-another of process {other.pid}There running" in page(panel)
            # a panel that stays is told when it has gone
            told = []
            seen = session.current().watching.subscribe(panel._about, lambda _: told.append(1))
            assert "of-another" in [app["name"] for app in seen.seen().apps]
        finally:
            other.kill()
    until(lambda: "of-another" not in [app["name"] for app in seen.seen().apps])
    assert "There" not in [report["service"] for report in seen.seen().reports.values()]
    seen.close()
    assert (
        modal.panel(client=modal.Client(home=tmp_path))
        .state()["message"]
        .startswith("no supervisor runs here")
    )
    with pytest.raises(InvalidError, match=r"`client` must be a modal_nb\.Client"):
        modal.panel(client="home")


def test_deployed_pools_are_steered_by_who_did_not_deploy_them(home, name, deploy):
    deploy()
    (pool,) = (
        till(name).panel().state()["pools"] or modal.Cls.from_name(name, "Door").panel().state()["pools"]
    )
    about = modal.Cls.from_name(name, "Door").panel()

    def do(command, **arguments):
        model, state = PoolModel(), about.state()
        model.replace("connected", "", {one["pool"]: one for one in state["pools"]})
        perform(session.current(), model, {"pool": pool["pool"], "name": command, "arguments": arguments})

    do("update_autoscaler", min_containers=1, max_containers=2)
    about.wait_for(containers=1, state="idle")
    do("start_container")
    about.wait_for(containers=2, state="idle")
    one, two = (c["id"] for c in about.state()["pools"][0]["containers"])
    do("kill_container", id=one)
    do("drain_container", id=two)
    until(lambda: home.pool("Door").containers and not home.ids("Door") & {one, two})
    settings = about.state()["pools"][0]["autoscaler"]
    assert (settings["min_containers"], settings["max_containers"]) == (1, 2)


def test_a_panel_goes_on_over_the_end_of_a_supervisor_and_starts_none(home, name, deploy):
    deploy()
    states = []
    subscription = session.current().watching.subscribe(till(name).panel()._about, lambda _: None)
    assert subscription.seen().apps
    everything = session.current().watching.subscribe(modal.panel()._about, lambda _: None)
    assert "Door" in [report["service"] for report in everything.seen().reports.values()]
    home.supervisor().kill()
    until(lambda: subscription.seen().connection == "lost")
    states.append(everything.seen())
    assert states[0].message == "the supervisor has ended; the next call starts another one"
    # another process needs one
    script.run(
        home.folder, f"import modal_nb as m; m.Cls.from_name({name!r}, 'Till')(currency='SEK').sell.remote(3)"
    )
    until(lambda: [r["parameters"] for r in subscription.seen().reports.values()] == ["currency='SEK'"])
    until(lambda: (subscription.seen().connection, subscription.seen().message) == ("connected", ""))
    until(lambda: "Door" in [report["service"] for report in everything.seen().reports.values()])
    subscription.close()
    everything.close()
