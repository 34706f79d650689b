"""Deployed apps: found by name from every process, in versions, until somebody stops them."""

from __future__ import annotations

import contextlib
import os
import re
import threading
from collections import Counter

import pytest

import modal_nb as modal
from modal_nb.client import session
from modal_nb.exception import (
    InvalidError,
    NotFoundAttributeError,
    NotFoundError,
    UnsupportedOptionError,
    VersionError,
)
from modal_nb.protocol import deployment as dp
from modal_nb.protocol import messages as ms
from tests.chaos.storm import kill
from tests.e2e import script
from tests.e2e.home import until


def shop(name, version=1, **options):
    """An app whose answers say which version gives them."""
    app = modal.App(name)

    @app.cls(serialized=True, **options)
    class Till:
        currency: str = modal.parameter(default="EUR")

        @modal.enter()
        def open(self):
            self.sold = 0

        @modal.method()
        def sell(self, price):
            self.sold += 1
            return version, self.currency, price

        @modal.method()
        def items(self, n):
            yield from range(n)

        @modal.method()
        def where(self):
            return os.environ["MODAL_TASK_ID"]

    @app.cls(serialized=True, **options)
    class Door:
        @modal.method()
        def knock(self, x=0):
            return version, x

        @modal.method()
        def through(self, currency, price):
            return Till(currency=currency).sell.remote(price)

    @app.function(serialized=True)
    def double(x):
        return version, 2 * x

    return app


@pytest.fixture
def name(home, request):
    """For an app of this test alone; what was deployed under it is stopped in the end."""
    found = re.sub(r"\W+", "-", request.node.name.removeprefix("test_"))[:60].strip("_-")
    yield found
    for environment in ask(dp.EnvironmentsAsk(), dp.Environments).names:
        with contextlib.suppress(NotFoundError):
            ask(dp.DeployedAppStop(environment=environment, app_name=found), ms.Done)


def ask(content, answer):
    return session.current().ask(content, answer)


def till(name, **where):
    return modal.Cls.from_name(name, "Till", **where)


OTHER = """
import sys
import modal_nb as modal
name = {name!r}
Till, Door = modal.Cls.from_name(name, "Till"), modal.Cls.from_name(name, "Door")
double = modal.Function.from_name(name, "double")
print(Till(currency="CHF").sell.remote(3), Till().sell.remote(1), double.remote(4))
print(list(Till().items.remote_gen(3)), list(Door().knock.map(range(3))), Door().through.remote("SEK", 2))
print(Till(currency="CHF").sell.spawn(5).get(), double.spawn(1).object_id[:3])
"""


def test_another_process_finds_classes_and_functions_by_name(home, name, tmp_path):
    assert shop(name).deploy().name == name
    assert modal.Client().home == str(home.folder)
    assert script.run(tmp_path, OTHER.format(name=name)).splitlines() == [
        "(1, 'CHF', 3) (1, 'EUR', 1) (1, 8)",
        "[0, 1, 2] [(1, 0), (1, 1), (1, 2)] (1, 'SEK', 2)",
        "(1, 'CHF', 5) fc-",
    ]


def test_it_outlives_the_process_that_deployed_it(home, name, tmp_path):
    text = """
import modal_nb as modal
app = modal.App({name!r})
@app.cls(min_containers=1)
class Booth:
    @modal.method()
    def sell(self, price):
        return "sold", price
app.deploy()
"""
    script.run(tmp_path, text.format(name=name))
    until(lambda: [c.state for c in home.containers("Booth")] == ["idle"])
    assert modal.Cls.from_name(name, "Booth")().sell.remote(3) == ("sold", 3)


def test_handles_of_the_deploying_process_call_the_deployed_app(home, name):
    app = shop(name)
    with pytest.raises(modal.exception.ExecutionError):
        app.registered_classes["Till"]().sell.remote(1)
    app.deploy()
    assert app.registered_classes["Till"]().where.remote() == till(name)().where.remote()
    assert app.registered_functions["double"].remote(2) == (1, 4)


def test_the_same_parameters_from_two_processes_are_one_pool(home, name, tmp_path):
    shop(name, max_containers=1).deploy()
    text = f"import modal_nb as m; print(m.Cls.from_name({name!r}, 'Till')(currency='CHF').where.remote())"
    assert script.run(tmp_path, text).strip() == till(name)(currency="CHF").where.remote()


def test_variants_of_a_looked_up_class_have_pools_of_their_own(home, name):
    shop(name).deploy()
    variant = till(name).with_options(env={"A": "1"}, max_containers=1)
    assert variant(currency="CHF").sell.remote(1) == (1, "CHF", 1)
    assert variant().where.remote() != till(name)().where.remote()


# ---- what does not fit


def test_what_is_not_there_is_named_with_what_is(home, name):
    shop(name).deploy()
    where = f"Lookup failed for Cls 'Bank' from the '{name}' app: version 1 of the app '{name}' has no 'Bank', only "
    with pytest.raises(NotFoundError) as caught:
        modal.Cls.from_name(name, "Bank")().open.remote()
    assert str(caught.value) == where + "Door, Till, double"
    with pytest.raises(NotFoundError, match="no app 'nobodys' is deployed in the 'main' environment"):
        modal.Function.from_name("nobodys", "double").remote(1)
    with pytest.raises(NotFoundError, match=r"version 7 of the app .* is not known"):
        till(name, version=7)().sell.remote(1)
    with pytest.raises(NotFoundAttributeError, match=r"has no method 'buy'; its methods: sell, items, where"):
        till(name)().buy.remote(1)
    assert hasattr(till(name)(), "buy"), "nothing is looked up before it is used"


def test_parameters_are_checked_against_what_is_deployed(home, name):
    shop(name).deploy()
    with pytest.raises(InvalidError, match=r"Till\(\) got unknown parameters: 'coins'"):
        till(name)(coins=1).sell.remote(1)
    with pytest.raises(TypeError, match="Expected str, got int"):
        till(name)(currency=1).sell.remote(1)
    with pytest.raises(InvalidError, match="positional"):
        till(name)("CHF").sell.remote(1)


def test_an_option_that_cannot_be_honoured_deploys_nothing(home, name):
    with pytest.raises(UnsupportedOptionError, match="Till: the local back end cannot honour `gpu`"):
        shop(name, gpu="T4").deploy()
    with pytest.raises(NotFoundError):
        till(name)().sell.remote(1)


def test_a_class_deployed_by_another_python_is_refused_by_both_names(home, name, monkeypatch):
    monkeypatch.setattr("modal_nb.client.lookups.python_version", lambda: "3.99")
    shop(name).deploy()
    monkeypatch.undo()
    with pytest.raises(VersionError, match=r"was deployed from Python 3\.99, and this is Python 3\.\d+"):
        till(name)().sell.remote(1)


def test_inside_a_container_nothing_is_deployed(home, name):
    app = modal.App(name)

    @app.function(serialized=True)
    def deploys():
        inner = modal.App("inner")
        inner.deploy()

    with app.run(), pytest.raises(InvalidError, match="cannot be used inside a container"):
        deploys.remote()


# ---- environments and homes


def test_an_environment_is_a_namespace(home, name):
    with pytest.raises(
        NotFoundError, match=r"there is no environment 'far' here .*modal-nb environment create far"
    ):
        shop(name).deploy(environment_name="far")
    ask(dp.EnvironmentCreate(name="far"), ms.Done)
    shop(name, version=1).deploy()
    shop(name, version=2).deploy(environment_name="far")
    assert till(name)().sell.remote(1)[0] == 1
    assert till(name, environment_name="far")().sell.remote(1)[0] == 2
    os.environ["MODAL_NB_ENVIRONMENT"] = "far"
    try:
        assert modal.Function.from_name(name, "double").remote(1) == (2, 2)
    finally:
        del os.environ["MODAL_NB_ENVIRONMENT"]


def test_a_client_is_another_home(home, name, tmp_path):
    other = modal.Client(home=tmp_path / "other")
    assert other.home == str(tmp_path / "other")
    shop(name).deploy(client=other)
    with pytest.raises(NotFoundError):
        till(name)().sell.remote(1)
    assert till(name, client=other)().sell.remote(3) == (1, "EUR", 3)
    call = till(name, client=other)().sell.spawn(4)
    assert call.get() == modal.FunctionCall.from_id(call.object_id, client=other).get() == (1, "EUR", 4)
    app = shop(name + "-runs")
    with app.run(client=other):
        assert app.registered_classes["Till"]().sell.remote(2) == (1, "EUR", 2)
        assert not [one for one in home.status().apps if one.name == app.name]
    script.run(tmp_path, f"import os; os.environ['MODAL_NB_HOME'] = {str(tmp_path / 'other')!r}\n" + STOP)


STOP = "from modal_nb.cli import main; import sys; sys.argv = ['modal-nb', 'stop']; main()"


# ---- versions


def test_a_new_version_answers_through_old_handles_and_a_pinned_one_stays(home, name):
    shop(name, version=1).deploy()
    sell, double = till(name)().sell, modal.Function.from_name(name, "double")
    assert (sell.remote(1)[0], double.remote(1)[0]) == (1, 1)
    shop(name, version=2).deploy(tag="second")
    assert (sell.remote(1)[0], double.remote(1)[0]) == (2, 2)
    assert till(name, version=1)().sell.remote(1)[0] == 1
    assert till(name, version=2)().sell.remote(1)[0] == sell.remote(1)[0] == 2


@pytest.mark.parametrize("strategy", ["rolling", "recreate"])
def test_deploying_anew_under_load_loses_no_input(home, name, strategy):
    shop(name, version=1, max_containers=2).deploy()
    door = modal.Cls.from_name(name, "Door")
    assert door().update_autoscaler(max_containers=1).max_containers == 1
    stop, told, errors = threading.Event(), [], []

    def call():
        try:
            while not stop.is_set():
                told.append(door().knock.remote(len(told)))
        except BaseException as error:
            errors.append(error)

    many: list = []
    threads = [threading.Thread(target=call) for _ in range(3)]
    threads.append(threading.Thread(target=lambda: many.extend(door().knock.map(range(5000)))))
    for thread in threads:
        thread.start()
    until(lambda: len(told) > 50)
    shop(name, version=2, max_containers=2).deploy(strategy=strategy)
    until(lambda: errors or told[-1][0] == 2)
    threads[-1].join()
    stop.set()
    for thread in threads:
        thread.join()
    assert not errors
    assert [x for _, x in many] == list(range(5000))
    assert set(Counter(version for version, _ in told)) == {1, 2}
    assert door().update_autoscaler().max_containers == 2, "a new version has its own settings"


def test_code_that_did_not_change_keeps_its_containers(home, name):
    shop(name).deploy()
    before = till(name)().where.remote()
    shop(name).deploy()
    assert till(name)().where.remote() == before
    shop(name).deploy(strategy="recreate")
    assert till(name)().where.remote() != before


# ---- the supervisor ends


def test_after_kill_9_of_the_supervisor_warm_containers_and_settings_are_back(home, name):
    shop(name).deploy()
    warm = till(name)(currency="CHF")
    warm.update_autoscaler(min_containers=1, max_containers=3)
    assert warm.sell.remote(1) == (1, "CHF", 1)
    kill(home.supervisor())
    assert home.living() is not None
    assert modal.Function.from_name(name, "double").remote(3) == (1, 6)
    until(lambda: [c for p in home.pools("Till") if p.autoscaler.max_containers == 3 for c in p.containers])
    assert warm.update_autoscaler().min_containers == 1
    assert warm.sell.remote(2) == (1, "CHF", 2)


def test_calls_go_on_over_kill_9_of_the_supervisor(home, name):
    shop(name).deploy()
    door = modal.Cls.from_name(name, "Door")()
    results = iter(door.knock.map(range(3000)))
    first = [next(results) for _ in range(10)]
    kill(home.supervisor())
    assert [x for _, x in first + list(results)] == list(range(3000))


# ---- stopped


def test_a_stopped_app_is_gone_and_can_be_deployed_again(home, name):
    app = shop(name)
    app.deploy()
    sell = till(name)().sell
    assert sell.remote(1) == (1, "EUR", 1)
    assert modal.Function.from_name(name, "double").remote(1) == (1, 2)
    app.stop()
    with pytest.raises(NotFoundError, match="Lookup failed for Function 'double'"):
        modal.Function.from_name(name, "double").remote(1)
    assert not [pool for one in home.status().apps if one.name == name for pool in one.pools]
    with pytest.raises(NotFoundError, match="is deployed in the 'main' environment"):
        till(name)().sell.remote(1)
    with pytest.raises(NotFoundError):
        sell.remote(1)
    shop(name, version=2).deploy()
    assert sell.remote(1) == (2, "EUR", 1)


def test_secrets_and_variables_are_in_no_database(home, name):
    app = modal.App(name)

    @app.function(serialized=True, secrets=[modal.Secret.from_dict({"TOKEN": "s3cr3t-" + name})])
    def token():
        return os.environ["TOKEN"]

    os.environ["OTHER_TOKEN"] = "inherited-" + name
    try:
        app.deploy()
    finally:
        del os.environ["OTHER_TOKEN"]
    assert modal.Function.from_name(name, "token").remote() == "s3cr3t-" + name
    kill(home.supervisor())
    assert modal.Function.from_name(name, "token").remote() == "s3cr3t-" + name
    for path in home.folder.glob("store.db*"):
        data = path.read_bytes()
        assert f"s3cr3t-{name}".encode() not in data
        assert f"inherited-{name}".encode() not in data
        assert path.stat().st_mode & 0o077 == 0
    for path in (home.folder / "private").iterdir():
        assert path.stat().st_mode & 0o077 == 0


def test_status_names_what_is_deployed(home, name):
    shop(name).deploy()
    (found,) = [one for one in home.status().apps if one.name == name]
    assert (found.environment, found.version, found.client_pid) == ("main", 1, 0)
    assert {pool.service for pool in found.pools} == {"Door", "double"}
