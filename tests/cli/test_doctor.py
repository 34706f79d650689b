"""``modal-nb doctor``: it finds what is there, says how to get the rest, and nothing can hold it up."""

from __future__ import annotations

import json
import os
import sqlite3
import sys
import threading
from contextlib import closing
from importlib.metadata import version

import pytest

from modal_nb.cli.probes.finding import State, command, ok, run_all
from tests.cli.terminal import modal_nb


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A home that does not exist yet."""
    monkeypatch.setenv("MODAL_NB_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


def examined(code=0, **environ):
    done = modal_nb("doctor", "--json", env={**os.environ, **environ})
    assert done.returncode == code, done.stdout
    return {one["what"]: one for one in json.loads(done.stdout)}


def test_it_finds_what_modal_nb_stands_on(folder):
    found = examined()
    assert found["python"]["found"].endswith(f"({sys.executable})")
    for package in ("modal_nb", "ipykernel", "jupyter-client"):
        assert (found[package]["state"], found[package]["found"]) == ("ok", version(package))
    assert found["cores"]["found"] == f"{len(os.sched_getaffinity(0))} of {os.cpu_count()}"
    for limit in ("memory", "open files", "processes", "shared memory", "free disk", "file system"):
        assert found[limit]["found"]
    assert found["home"]["found"] == f"{folder}, made at the first use"
    assert not folder.exists()


def test_whatever_is_missing_has_a_remedy(folder, tmp_path):
    found = examined(PATH=str(tmp_path))
    for tool in ("podman", "docker", "bwrap", "unshare", "ssh", "gpu"):
        assert found[tool]["state"] == "missing"
        assert not found[tool]["needed"]
    assert found["bwrap"]["remedy"] == "apt install bubblewrap, or dnf install bubblewrap"
    assert all(one["remedy"] for one in found.values() if one["state"] != "ok")


def test_people_get_a_line_each_and_the_remedy_below(folder, tmp_path):
    told = modal_nb("doctor", env={**os.environ, "PATH": str(tmp_path)})
    lines = told.stdout.splitlines()
    at = next(i for i, line in enumerate(lines) if line.startswith("missing  bwrap "))
    assert lines[at + 1].strip() == "-> apt install bubblewrap, or dnf install bubblewrap"
    assert "\x1b" not in told.stdout
    assert told.stderr == ""


def test_tools_that_are_there_are_asked(folder, tmp_path):
    program(tmp_path / "bin" / "nvidia-smi", "echo 'NVIDIA X1, 24576 MiB, 550.1'")
    program(tmp_path / "bin" / "podman", "if [ $1 = info ]; then echo true; else echo podman version 5.0; fi")
    program(
        tmp_path / "bin" / "docker", "if [ $1 = info ]; then echo no daemon >&2; exit 1; fi; echo Docker 28"
    )
    found = examined(PATH=f"{tmp_path / 'bin'}:{os.environ['PATH']}")
    assert found["gpu"]["found"] == "1: NVIDIA X1, 24576 MiB, 550.1"
    assert found["podman"]["state"] == "ok"
    assert found["podman"]["found"].startswith("podman version 5.0, usable ")
    assert (found["docker"]["state"], found["docker"]["found"]) == (
        "problem",
        "Docker 28, but not usable: no daemon",
    )
    assert "systemctl start docker" in found["docker"]["remedy"]


def program(path, script):
    path.parent.mkdir(exist_ok=True)
    path.write_text(f"#!/bin/sh\n{script}\n", encoding="utf-8")
    path.chmod(0o755)


def test_the_home_and_what_is_in_it(folder):
    folder.mkdir(mode=0o700)
    (folder / "config.toml").write_text("max_cpu = 1\n", encoding="utf-8")
    with closing(sqlite3.connect(folder / "store.db")) as store:
        store.execute("PRAGMA user_version = 3")
        store.execute("CREATE TABLE t (x)")
    found = examined()
    assert found["home"]["found"] == f"{folder}, closed to others (700)"
    assert found["settings"]["found"] == str(folder / "config.toml")
    assert found["store"]["found"].endswith("MiB, schema 3")
    assert found["supervisor"]["found"] == "none runs; one starts with the first call"
    folder.chmod(0o755)
    found = examined()
    assert (found["home"]["state"], found["home"]["remedy"]) == ("problem", f"chmod 700 {folder}")


def test_a_supervisor_that_runs_is_named(home):
    modal_nb("supervisor", "start")
    assert examined()["supervisor"]["found"].startswith(f"runs: pid {home.supervisor().pid}, ")


def test_what_modal_nb_needs_and_is_broken_ends_with_1(folder):
    folder.write_text("", encoding="utf-8")
    found = examined(code=1)
    assert found["home"]["found"] == f"{folder} is not a folder of our own"
    folder.unlink()
    folder.mkdir(mode=0o700)
    (folder / "config.toml").write_text("max_cpu = 'all'\n", encoding="utf-8")
    (folder / "store.db").write_bytes(b"nothing of a store" * 100)
    found = examined(code=1)
    assert "max_cpu='all' is not a positive float" in found["settings"]["found"]
    assert "cannot be read" in found["store"]["found"]


def test_a_command_that_hangs_is_left(tmp_path, monkeypatch):
    program(tmp_path / "hangs", "exec sleep 600")
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    assert command("hangs").line == "no answer within 4 s"
    assert command("not-there") is None


def test_a_probe_that_hangs_or_fails_is_a_problem_and_the_others_are_told():
    forever = threading.Event()
    found = run_all(
        [
            ("first", lambda: [ok("first", 1)]),
            ("hanging", lambda: forever.wait() and []),
            ("failing", lambda: [ok("x", 1 / 0)]),
            ("last", lambda: [ok("last", 2)]),
        ],
        limit=0.2,
    )
    forever.set()
    assert [(one.what, one.state, one.found) for one in found] == [
        ("first", State.OK, "1"),
        ("hanging", State.PROBLEM, "no answer within 0.2 s"),
        ("failing", State.PROBLEM, "cannot be told: ZeroDivisionError: division by zero"),
        ("last", State.OK, "2"),
    ]
