"""``modal-nb container``: list, logs, exec and stop."""

from __future__ import annotations

import json
import signal

import pytest

import modal_nb as modal
from modal_nb.client.facts import start_words
from tests.cli.terminal import begin, modal_nb, one_line
from tests.e2e.home import until

app = modal.App("contained")


@app.cls(max_containers=1, scaledown_window=600)
class Talker:
    @modal.enter()
    def load(self):
        self.said = 0

    @modal.exit()
    def leave(self):
        print("leaving")

    @modal.method()
    def say(self, *words):
        for word in words:
            print(word)
        self.said += len(words)

    @modal.method()
    def end(self):
        import os

        os._exit(3)


@pytest.fixture(scope="module")
def talker(home):
    with app.run():
        yield Talker()


@pytest.fixture
def container(talker, home):
    """The id of the one container."""
    talker.say.remote()
    (found,) = home.containers("Talker")
    return found.id


def test_list_shows_the_containers_of_all_apps(container, home):
    (header, row) = modal_nb("container", "list").stdout.splitlines()
    assert header.split() == ["container", "app", "class", "state", "age", "s", "inputs", "pid", "start"]
    (told,) = json.loads(modal_nb("container", "list", "--json").stdout)
    (found,) = home.containers("Talker")
    assert row.split()[:4] == [container, "contained", "Talker", "idle"]
    assert row.split()[5:7] == [str(found.served), str(found.pid)]
    assert row.endswith(start_words(found.start["total"], found.way))
    assert found.way == "forked"
    assert (told["id"], told["app"], told["class"], told["pid"]) == (
        container,
        "contained",
        "Talker",
        found.pid,
    )


def test_list_without_a_container_says_so(home, monkeypatch, tmp_path):
    monkeypatch.setenv("MODAL_NB_HOME", str(tmp_path))
    assert modal_nb("container", "list").stdout == "No containers.\n"
    assert json.loads(modal_nb("container", "list", "--json").stdout) == []


# -- logs -------------------------------------------------------------------------------------------------------------


def logged(container, line):
    return until(lambda: line in modal_nb("container", "logs", container).stdout)


def test_logs_prints_what_a_container_printed(talker, container):
    talker.say.remote("one", "two", "three")
    logged(container, "three\n")
    assert modal_nb("container", "logs", container, "-n", "2").stdout == "two\nthree\n"
    assert modal_nb("container", "logs", container, "--tail", "0").stdout == ""
    assert "one\ntwo\nthree\n" in modal_nb("container", "logs", container.removeprefix("ct-")[:-1]).stdout


def test_logs_follows_until_the_container_has_ended(talker, container, home):
    talker.say.remote("before")
    logged(container, "before\n")
    with begin("container", "logs", "-f", "-n", "1", container) as following:
        assert following.stdout.readline() == "before\n"
        talker.say.remote("later")
        assert following.stdout.readline() == "later\n"
        assert modal_nb("container", "stop", container).returncode == 0
        assert following.stdout.readline() == "leaving\n"
        assert following.wait(timeout=30) == 0
    until(lambda: container not in home.ids("Talker"))
    assert modal_nb("container", "logs", container, "-n", "1").stdout == "leaving\n"


def test_logs_that_are_followed_end_with_ctrl_c(talker, container):
    talker.say.remote("here")
    logged(container, "here\n")
    with begin("container", "logs", "-f", "-n", "1", container) as following:
        assert following.stdout.readline() == "here\n"
        following.send_signal(signal.SIGINT)
        assert following.wait(timeout=30) == 130


def test_an_unknown_container_is_named(container):
    for verb in (["logs", "ct-no"], ["exec", "ct-no", "-c", "1"], ["stop", "ct-no"]):
        done = modal_nb("container", *verb)
        assert done.returncode == 1
        sentence = one_line(done.stderr)
        assert sentence.startswith("no container 'ct-no' lives here; there are: ")
        assert container in sentence


def test_the_beginning_of_an_id_must_mean_one(home, container):
    (home.places.logs / "ct-zz-1.log").write_text("1\n", encoding="utf-8")
    (home.places.logs / "ct-zz-2.log").write_text("2\n", encoding="utf-8")
    done = modal_nb("container", "logs", "zz")
    assert one_line(done.stderr) == "several containers begin with 'zz': ct-zz-1, ct-zz-2"
    assert modal_nb("container", "logs", "zz-2").stdout == "2\n"


# -- exec -------------------------------------------------------------------------------------------------------------


def test_exec_runs_code_in_the_live_object(talker, container):
    talker.say.remote("x")
    done = modal_nb("container", "exec", container, "-c", "print(self.said > 0)\nself.said * 0 + 5")
    assert (done.stdout, done.stderr, done.returncode) == ("True\n5\n", "", 0)
    done = modal_nb("container", "exec", container, "--", "import sys;", "sys.stderr.write('to you')")
    assert (done.stderr, done.returncode) == ("to you", 0)
    # the container serves on
    talker.say.remote("y")


def test_exec_of_code_that_raises_ends_with_1_and_its_traceback(container):
    done = modal_nb("container", "exec", container, "-c", "1 / 0")
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1] == "ZeroDivisionError: division by zero"
    assert "\x1b" not in done.stderr


def test_exec_says_when_the_container_ends_under_it(container, home):
    done = modal_nb("container", "exec", container, "-c", "import os; os._exit(3)")
    assert done.returncode == 1
    assert f"the container {container} ended meanwhile" in one_line(done.stderr)
    until(lambda: container not in home.ids("Talker"))


def test_ctrl_c_interrupts_the_code_and_not_the_container(talker, container, home):
    code = "import time\nprint('begun', flush=True)\ntime.sleep(600)"
    with begin("container", "exec", container, "-c", code) as running:
        assert running.stdout.readline() == "begun\n"
        running.send_signal(signal.SIGINT)
        assert running.wait(timeout=30) == 130
    talker.say.remote("on")
    assert home.ids("Talker") == {container}


@pytest.mark.parametrize("arguments", [[], ["-c", ""], ["-c", "1", "--", "2"]])
def test_exec_needs_code_once(container, arguments):
    done = modal_nb("container", "exec", container, *arguments)
    assert done.returncode == 2
    assert "say once what to run" in one_line(done.stderr)


# -- stop -------------------------------------------------------------------------------------------------------------


def test_stop_now_runs_no_exit_hook(talker, container, home):
    talker.say.remote("last")
    logged(container, "last\n")
    assert modal_nb("container", "stop", "--now", container).returncode == 0
    until(lambda: container not in home.ids("Talker"))
    assert modal_nb("container", "logs", container, "-n", "1").stdout == "last\n"
