"""``modal-nb deploy``, ``app``, ``environment`` and ``call``."""

from __future__ import annotations

import json

import pytest

import modal_nb as modal
from tests.cli.terminal import modal_nb, one_line

SHOP = """
import modal_nb as modal

app = modal.App("shop")
extra = modal.App()


@app.cls(max_containers=1)
class Till:
    @modal.method()
    def sell(self, price):
        print("selling", price)
        return price + 1

    @modal.method()
    def close(self):
        raise ValueError("closed")


@app.function(max_containers=1)
def double(x):
    return 2 * x
"""


def refused(code, *arguments, **options):
    """The one line that it says."""
    told = modal_nb(*arguments, **options)
    assert told.returncode == code, told.stderr
    return one_line(told.stderr)


@pytest.fixture(scope="module")
def folder(home, tmp_path_factory):
    assert modal_nb("app", "list").stdout == "No app is deployed.\n"
    assert modal_nb("app", "list", "--json").stdout == "[]\n"
    assert modal_nb("call", "list").stdout == "No calls are kept.\n"
    assert modal_nb("environment", "list").stdout == "main\n"
    assert home.pools() == [], "a question starts no supervisor"
    folder = tmp_path_factory.mktemp("shop")
    (folder / "shop.py").write_text(SHOP)
    told = modal_nb("deploy", "shop.py::app", "--tag", "first", cwd=folder)
    assert told.stdout == "Deployed shop, version 1: Till, double\n"
    return folder


def test_what_is_deployed_is_listed_with_its_versions(folder):
    assert modal_nb("deploy", "shop.py::app", "--strategy", "recreate", cwd=folder).returncode == 0
    header, *rows = modal_nb("app", "list").stdout.splitlines()
    assert header.split() == ["app", "environment", "version", "state", "deployed", "tag", "classes"]
    newest, first = json.loads(modal_nb("app", "list", "--json").stdout)
    assert (newest["version"], newest["state"], first["version"], first["state"]) == (2, "live", 1, "old")
    assert first["tag"] == "first"
    assert [row.split()[:4] for row in rows] == [["shop", "main", "2", "live"], ["shop", "main", "1", "old"]]
    assert "shop" in (status := modal_nb("status").stdout)
    assert "deployed, version 2" in status


def test_a_call_is_listed_got_and_its_prints_are_read(folder):
    till = modal.Cls.from_name("shop", "Till")()
    call, closed = till.sell.spawn(3), till.close.spawn()
    assert modal_nb("call", "get", call.object_id).stdout == "4\n"
    failed = modal_nb("call", "get", closed.object_id)
    assert failed.returncode == 1
    assert "ValueError: closed" in failed.stderr.splitlines()
    listed = json.loads(modal_nb("call", "list", "--json", "-n", "2").stdout)
    assert [(c["id"], c["function"], c["succeeded"], c["failed"]) for c in listed] == [
        (closed.object_id, "Till.close", 0, 1),
        (call.object_id, "Till.sell", 1, 0),
    ]
    assert call.object_id in modal_nb("call", "list").stdout
    assert modal_nb("call", "logs", call.object_id).stdout == "selling 3\n"
    assert "  selling 3\n" in modal_nb("app", "logs", "shop").stdout


def test_a_call_that_waits_is_cancelled(folder):
    held = modal.App("held")

    @held.function(serialized=True, max_containers=1)
    def hold():
        import time

        time.sleep(60)

    held.deploy()
    call = modal.Function.from_name("held", "hold").spawn()
    assert "has no result yet" in refused(1, "call", "get", call.object_id, "--timeout", "0")
    assert modal_nb("call", "cancel", call.object_id, "--terminate-containers").returncode == 0
    with pytest.raises(modal.exception.InputCancelledError):
        call.get()
    assert modal_nb("app", "stop", "held").stdout == "Stopped held.\n"


def test_an_environment_is_made_and_deployed_to(folder):
    assert modal_nb("environment", "create", "far").returncode == 0
    assert modal_nb("environment", "list", "--json").stdout == '["far","main"]\n'
    assert modal_nb("deploy", "shop.py::app", "-e", "far", cwd=folder).returncode == 0
    assert modal.Function.from_name("shop", "double", environment_name="far").remote(2) == 4
    assert refused(1, "environment", "create", "far") == "there is an environment 'far' already"


@pytest.mark.parametrize(
    ("arguments", "code", "sentence"),
    [
        (["deploy", "none.py"], 2, "there is no file 'none.py' here"),
        (
            ["deploy", "shop.py"],
            2,
            "say which app of shop.py is meant, as shop.py::NAME; there is: app, extra",
        ),
        (["deploy", "shop.py::extra"], 1, "An app without a name cannot be deployed"),
        (["deploy", "shop.py::app", "-e", "nowhere"], 1, "there is no environment 'nowhere' here"),
        (["deploy", "shop.py::app", "--strategy", "x"], 1, "`strategy` must be 'rolling' or 'recreate'"),
        (["app", "stop", "nobodys"], 1, "no app 'nobodys' is deployed in the 'main' environment"),
        (["app", "logs", "nobodys"], 1, "no app 'nobodys' runs here"),
        (["call", "get", "fc-1"], 1, "no function call 'fc-1' is known here"),
        (["call", "cancel", "fc-1"], 1, "no function call 'fc-1' is known here"),
        (["environment", "create", "a b"], 2, "Invalid Environment name: 'a b'"),
        (["call", "list", "-n", "0"], 2, "Invalid value for '--limit'"),
    ],
)
def test_what_does_not_fit_is_one_line(folder, arguments, code, sentence):
    assert sentence in refused(code, *arguments, cwd=folder)
