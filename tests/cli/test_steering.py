"""The command line shows what runs, ends it, and never starts anything that it was not asked to."""

from __future__ import annotations

import json

import pytest

import modal_nb as modal
from modal_nb.client import launcher
from tests.cli.terminal import modal_nb

app = modal.App("commands")


@app.cls(max_containers=1)
class Echo:
    @modal.method()
    def say(self, word):
        return word


def test_status_without_a_supervisor_says_so_and_starts_none(home):
    assert "No supervisor runs here" in modal_nb("status").stdout
    assert json.loads(modal_nb("status", "--json").stdout) == {"running": False}
    assert launcher.find(home.places) is None


def test_stop_without_a_supervisor_says_so(home):
    result = modal_nb("stop")
    assert (result.returncode, result.stdout) == (0, "No supervisor runs here.\n")


def test_start_starts_one_and_a_second_start_finds_it(home):
    first = modal_nb("supervisor", "start").stdout
    assert f"pid {home.supervisor().pid}" in first
    assert modal_nb("supervisor", "start").stdout == first


def test_status_shows_apps_pools_and_containers(home):
    with app.run():
        assert Echo().say.remote("hi") == "hi"
        shown = modal_nb("status").stdout
        told = json.loads(modal_nb("status", "--json").stdout)
        (container,) = home.containers("Echo")
    assert "commands" in shown
    assert "Echo: 0 queued, 0 running; min 0, max 1, buffer 0, window 60 s" in shown
    assert container.id in shown
    assert container.connection_file in shown
    assert told["running"] is True
    (pool,) = told["apps"][0]["pools"]
    assert pool["containers"][0]["id"] == container.id
    assert pool["containers"][0]["served"] == 1


def test_stop_ends_the_supervisor_and_all_that_it_runs(home):
    with app.run():
        Echo().say.remote("hi")
        assert home.containers("Echo")
        assert modal_nb("stop").stdout == "Stopped.\n"
        assert launcher.find(home.places) is None


def test_version_prints_the_version():
    assert modal_nb("version").stdout.strip() == modal.__version__


@pytest.mark.parametrize("arguments", [("nonsense",), ("status", "--nonsense"), ("supervisor", "nonsense")])
def test_misuse_ends_with_code_2(arguments):
    result = modal_nb(*arguments)
    assert result.returncode == 2
    assert "nonsense" in result.stderr


def test_a_pool_is_steered_from_a_terminal(home):
    with app.run():
        Echo().say.remote("hi")
        (old,) = home.ids("Echo")
        assert (
            "min 2, max 3"
            in modal_nb("scale", "Echo", "--min-containers", "2", "--max-containers", "3").stdout
        )
        Echo().wait_for(containers=2, state="idle")
        assert modal_nb("container", "start", str(home.pool("Echo").pool)).returncode == 0
        Echo().wait_for(containers=3, state="idle")
        assert "at max_containers=3" in modal_nb("container", "start", "Echo").stderr
        modal_nb("scale", "Echo", "--min-containers", "0")
        assert modal_nb("container", "kill", old).returncode == 0
        Echo().wait_for(containers=2)
        (one, _) = home.ids("Echo")
        assert modal_nb("container", "drain", one).returncode == 0
        Echo().wait_for(containers=1)
        assert "cannot be greater than" in modal_nb("scale", "Echo", "--min-containers", "9").stderr
        assert "no pool of 'Other'; by number: " in modal_nb("scale", "Other").stderr
        assert f"no container {one!r} lives here" in modal_nb("container", "kill", one).stderr


def test_a_pool_of_several_is_meant_by_its_number(home):
    with app.run():
        Echo().say.remote("hi")
        Echo.with_options(timeout=5)().say.remote("hi")
        refused = modal_nb("scale", "Echo", "--min-containers", "1")
        assert refused.returncode == 1
        assert "several pools of 'Echo'; by number: " in refused.stderr


def test_steering_without_a_supervisor_says_so(home):
    modal_nb("stop")
    assert "no supervisor runs here" in modal_nb("container", "kill", "ct-1").stderr
