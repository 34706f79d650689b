"""``modal-nb config``, and the supervisor that goes by it."""

from __future__ import annotations

import json
import stat
import tomllib

import pytest

from modal_nb.client import launcher
from tests.cli.terminal import modal_nb, one_line


@pytest.fixture(scope="module")
def machine():
    return {"MODAL_NB_STOP_GRACE": "4"}


@pytest.fixture
def file(home):
    """The file, which is gone after the test."""
    home.places.make()
    path = home.folder / "config.toml"
    yield path
    path.unlink(missing_ok=True)


def shown():
    return {
        one["name"]: (one["value"], one["source"])
        for one in json.loads(modal_nb("config", "show", "--json").stdout)
    }


def test_set_show_and_unset(home, file):
    assert modal_nb("config", "path").stdout == f"{file}\n"
    assert modal_nb("config", "set", "max_cpu", "3").stdout == "max_cpu = 3\n"
    assert modal_nb("config", "set", "durability", "normal").returncode == 0
    assert tomllib.loads(file.read_text(encoding="utf-8")) == {"max_cpu": 3.0, "durability": "normal"}
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert shown() == {
        "home": (str(home.folder), "environment"),
        "max_containers": (None, "default"),
        "max_cpu": (3.0, "file"),
        "max_memory": (None, "default"),
        "queue_bound": (100_000, "default"),
        "max_payload": (2048.0, "default"),
        "stop_grace": (4.0, "environment"),
        "idle_exit": (60.0, "default"),
        "linger": (300.0, "default"),
        "durability": ("normal", "file"),
        "results_keep_days": (7.0, "default"),
        "results_bound": (10_240, "default"),
    }
    assert modal_nb("config", "unset", "max_cpu").stdout == "max_cpu is not set any more\n"
    assert modal_nb("config", "unset", "max_cpu").stdout == f"max_cpu is not set in {file}\n"
    assert shown()["max_cpu"] == (None, "default")


def test_show_tells_value_source_and_meaning(home, file):
    lines = modal_nb("config", "show").stdout.splitlines()
    assert lines[0].split() == ["setting", "value", "from", "what", "it", "is"]
    (grace,) = [line for line in lines if line.startswith("stop_grace ")]
    assert grace.split(None, 3) == [
        "stop_grace",
        "4",
        "environment",
        "seconds for running inputs and exit hooks at an end",
    ]
    assert any(line.startswith("max_cpu            all cores") for line in lines)


def test_what_others_wrote_into_the_file_stays(home, file):
    file.write_text("# ours\nmax_cpu = 2 # half\n", encoding="utf-8")
    modal_nb("config", "set", "idle_exit", "5")
    assert file.read_text(encoding="utf-8") == "# ours\nmax_cpu = 2 # half\nidle_exit = 5.0\n"


def test_a_variable_that_wins_is_told(home, file):
    assert modal_nb("config", "set", "stop_grace", "9").stdout == (
        "stop_grace = 9\nMODAL_NB_STOP_GRACE is set in the environment and wins: unset it\n"
    )


def test_a_supervisor_reads_the_file_when_it_starts(home, file):
    modal_nb("config", "set", "max_containers", "3")
    modal_nb("supervisor", "start")
    assert home.status().machine.containers == 3
    told = modal_nb("config", "set", "max_containers", "5").stdout
    assert told.splitlines()[1] == "A supervisor runs; it reads this when it is started anew: modal-nb stop"
    assert home.status().machine.containers == 3
    modal_nb("stop")
    modal_nb("supervisor", "start")
    assert home.status().machine.containers == 5
    modal_nb("stop")


def test_a_supervisor_does_not_start_with_a_value_that_does_not_fit(home, file):
    file.write_text("max_cpu = 'all'\n", encoding="utf-8")
    refused = modal_nb("supervisor", "start")
    assert refused.returncode == 1
    assert f"max_cpu='all' is not a positive float, in {file}: `modal-nb config set" in refused.stderr
    assert launcher.find(home.places) is None


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["set", "max_gpus", "1"], "there is no setting 'max_gpus'; there are: max_containers, "),
        (["unset", "max_gpus"], "there is no setting 'max_gpus'; there are: max_containers, "),
        (
            ["set", "max_cpu", "all"],
            "max_cpu='all' is not a positive float: cores that requests may add up to",
        ),
        (["set", "queue_bound", "5"], "queue_bound=5 is less than 1000"),
        (["set", "durability", "none"], "durability='none' is none of normal, full"),
        (["set", "home", "x"], "set MODAL_NB_HOME in the environment"),
        (["set", "max_cpu"], "Missing argument 'VALUE'."),
    ],
)
def test_misuse_is_one_line_and_code_2(home, arguments, sentence):
    done = modal_nb("config", *arguments)
    assert sentence in one_line(done.stderr)
    assert done.returncode == 2


def test_a_file_that_does_not_fit_is_told_and_can_be_corrected(home, file):
    file.write_text("max_gpus = 1\n", encoding="utf-8")
    done = modal_nb("config", "show")
    assert done.returncode == 2
    assert "`modal-nb config unset max_gpus`" in one_line(done.stderr)
    assert modal_nb("config", "unset", "max_gpus").returncode == 0
    assert modal_nb("config", "show").returncode == 0
    file.write_text("max_cpu =\n", encoding="utf-8")
    assert f"{file} is not TOML" in one_line(modal_nb("config", "set", "max_cpu", "1").stderr)
