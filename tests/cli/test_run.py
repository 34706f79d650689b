"""``modal-nb run``: what it runs, what it prints, and how it ends."""

from __future__ import annotations

import re
import signal
import subprocess
from subprocess import PIPE

import pytest

from tests.cli.terminal import begin, modal_nb, one_line
from tests.e2e.home import until

SCRIPT = '''
import asyncio
import sys
from enum import Enum

import modal_nb as modal
from beside import scale

app = modal.App()


class Kind(Enum):
    PLAIN = "plain"
    FINE = "fine"


@app.cls(max_containers=1)
class Model:
    size: int = modal.parameter()
    fast: bool = modal.parameter(default=False)

    @modal.method()
    def predict(self, x: float, kind: Kind = Kind.PLAIN):
        """Predicts something. Or not."""
        return self.size, self.fast, scale(x), kind.name

    @modal.method()
    def stream(self, n: int):
        yield from range(n)

    @modal.method()
    def fail(self, size: int = 1):
        return 1 / 0


@app.cls(max_containers=1)
class Failing:
    @modal.method()
    def fail(self, x: int):
        return divide(x)


def divide(x):
    return 1 / x


@app.cls(max_containers=1)
class Lists:
    @modal.batched(max_batch_size=2, wait_ms=0)
    def double(self, numbers: list[int]) -> list[int]:
        return [2 * number for number in numbers]


@app.cls(max_containers=1)
class Talker:
    @modal.enter()
    def load(self):
        print("enter")

    @modal.exit()
    def leave(self):
        print("exit")

    @modal.method()
    def say(self, word: str):
        print("saying", word)
        return word.upper()


@app.function()
def nothing(x: int):
    return None


@app.local_entrypoint()
def main(x: int, words: list[str] = [], loud=5):
    """Says it."""
    print(Model(size=x).predict.remote(1.0), words, repr(loud), sys.argv[1:], __name__)
    return "not printed"


@app.local_entrypoint()
async def awaited():
    await asyncio.sleep(0)
    await Failing().fail.remote.aio(0)


@app.local_entrypoint()
def leave(code: int):
    sys.exit(code)


@app.local_entrypoint()
def wait():
    Model(size=7).predict.remote(1.0)
    print("waiting", flush=True)
    import time
    time.sleep(60)
'''


@pytest.fixture(scope="module")
def folder(tmp_path_factory, home):
    folder = tmp_path_factory.mktemp("scripts")
    (folder / "served.py").write_text(SCRIPT, encoding="utf-8")
    (folder / "beside.py").write_text("def scale(x):\n    return x * 2\n", encoding="utf-8")
    return folder


@pytest.fixture
def run(folder):
    return lambda *arguments, **options: modal_nb("run", *arguments, **{"cwd": folder, **options})


def test_an_entrypoint_runs_here_while_its_app_runs(run, home):
    done = run("served.py::main", "--x", "3", "--words", "a", "--words", "b")
    assert done.stderr == ""
    assert done.stdout == (
        "(3, False, 2.0, 'PLAIN') ['a', 'b'] 5 ['--x', '3', '--words', 'a', '--words', 'b'] served\n"
    )
    assert done.returncode == 0
    assert home.pools() == []


def test_a_method_has_the_flags_of_its_class_and_its_result_is_printed(run):
    done = run("served.py::Model.predict", "--size", "2", "--fast", "--x", "1.5", "--kind", "fine")
    assert done.stdout == "(2, True, 3.0, 'FINE')\n", done.stderr
    assert run("served.py::nothing", "--x", "1").stdout == ""
    assert run("served.py::Lists", "--numbers", "21").stdout == "42\n"


def test_the_items_of_a_generator_are_printed_one_by_one(run):
    assert run("served.py::Model.stream", "--size", "1", "--n", "3").stdout == "0\n1\n2\n"


def test_what_containers_print_comes_on_stderr_whole_and_before_the_result(run):
    done = run(
        "served.py::Talker", "--word", "a", stderr=subprocess.STDOUT, capture_output=False, stdout=PIPE
    )
    assert done.stdout == "enter\nsaying a\nexit\nA\n"
    done = run("served.py::Talker", "--word", "a")
    assert (done.stdout, done.stderr) == ("A\n", "enter\nsaying a\nexit\n")
    done = run("--quiet", "served.py::Talker", "--word", "a")
    assert (done.stdout, done.stderr) == ("A\n", "")


def test_what_containers_print_comes_while_they_run(folder):
    (folder / "long.py").write_text(
        "import time\nimport modal_nb\napp = modal_nb.App()\n\n"
        "@app.function()\ndef long():\n    print('begun', flush=True)\n    time.sleep(60)\n",
        encoding="utf-8",
    )
    with begin("run", "long.py", cwd=folder) as running:
        assert running.stderr.readline() == "begun\n"
        running.send_signal(signal.SIGINT)
        running.communicate(timeout=30)
    assert running.returncode == 130


def test_a_module_is_found_by_its_name(run):
    assert run("-m", "served::Lists.double", "--numbers", "1").stdout == "2\n"
    assert "no module 'nowhere.at.all'" in one_line(run("-m", "nowhere.at.all").stderr)
    assert one_line(run("served").stderr).endswith("for a module write -m served")


def test_a_file_elsewhere_imports_what_stands_beside_it(run, folder, tmp_path):
    done = run(f"{folder}/served.py::Model.predict", "--size", "1", "--x", "1", cwd=tmp_path)
    assert done.stdout == "(1, False, 2.0, 'PLAIN')\n", done.stderr


def test_an_exception_of_the_user_is_a_traceback_of_user_code(run):
    done = run("served.py::awaited")
    assert done.returncode == 1
    lines = done.stderr.splitlines()
    assert lines[0] == "Traceback (most recent call last):"
    assert [line.split(", in ")[1] for line in lines if line.startswith("  File ")] == [
        "awaited",
        "fail",
        "divide",
    ]
    assert lines[-2] == "ZeroDivisionError: division by zero"
    assert re.fullmatch(r"Raised in ct-\S+ while running Failing\.fail \(in-\S+\)\.", lines[-1])
    direct = run("served.py::Failing.fail", "--x", "0")
    assert [line.split(", in ")[1] for line in direct.stderr.splitlines() if line.startswith("  File ")] == [
        "fail",
        "divide",
    ]


def test_a_file_that_cannot_be_imported_shows_where(run, folder):
    (folder / "broken.py").write_text("import modal_nb\n\n1 / 0\n", encoding="utf-8")
    done = run("broken.py")
    assert done.returncode == 1
    assert 'broken.py", line 3, in <module>' in done.stderr
    assert done.stderr.count("  File ") == 1
    (folder / "unread.py").write_text("def (:\n", encoding="utf-8")
    assert run("unread.py").stderr.splitlines()[-1] == "SyntaxError: invalid syntax"


def test_an_error_of_modal_nb_is_one_line(run, folder):
    (folder / "refused.py").write_text(
        "import modal_nb\napp = modal_nb.App()\n\n@app.function(gpu='T4')\ndef f(): ...\n", encoding="utf-8"
    )
    done = run("refused.py")
    assert done.returncode == 1
    assert "gpu" in one_line(done.stderr)


def test_sys_exit_of_an_entrypoint_is_the_exit_code(run):
    assert run("served.py::leave", "--code", "7").returncode == 7


def test_ctrl_c_ends_with_130_and_leaves_nothing(folder, home):
    with begin("run", "served.py::wait", cwd=folder) as running:
        assert running.stdout.readline() == "waiting\n"
        assert home.containers("Model")
        running.send_signal(signal.SIGINT)
        _, said = running.communicate(timeout=30)
    assert (running.returncode, said) == (130, "")
    assert home.pools() == []


def test_ctrl_c_while_a_container_works_cancels_the_input(folder, home):
    (folder / "slow.py").write_text(
        "import time\nimport modal_nb\napp = modal_nb.App()\n\n"
        "@app.function()\ndef slow():\n    time.sleep(60)\n",
        encoding="utf-8",
    )
    with begin("run", "slow.py", cwd=folder) as running:
        until(lambda: any(one.state == "busy" for one in home.containers("slow")))
        running.send_signal(signal.SIGINT)
        _, said = running.communicate(timeout=30)
    assert (running.returncode, said) == (130, "")
    assert home.pools() == []


# -- what is meant ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["nowhere.py"], "there is no file 'nowhere.py' here"),
        (
            ["served.py"],
            "served.py::NAME; there is: main, awaited, leave, wait, nothing, Model.predict, Model.stream, Model.fail, ",
        ),
        (["served.py::nowhere"], "nothing is called 'nowhere' in served.py; there is: main, "),
        (["served.py::Model"], "nothing is called 'Model' in served.py; there is: main, "),
        (["beside.py"], "beside.py has no App: write `app = modal_nb.App('a-name')`"),
        (["served.py::Model.fail"], "Model.fail and its class both have a parameter 'size'"),
        (["served.py::main"], "Missing option '--x'. (see modal-nb run served.py::main --help)"),
        (["served.py::main", "--x", "y"], "Invalid value for '--x': 'y' is not a valid integer."),
        (["served.py::main", "--x", "1", "--z"], "No such option '--z'."),
        (["served.py::main", "--x", "1", "z"], "Got unexpected extra argument (z)"),
        (["served.py::Model.predict", "--x", "1"], "Missing option '--size'."),
        (
            ["served.py::Model.predict", "--x", "1", "--size", "1", "--kind", "coarse"],
            "Invalid value for '--kind': 'coarse' is not one of plain, fine",
        ),
        ([], "Missing argument 'FILE[::NAME]'."),
    ],
)
def test_misuse_is_one_line_and_code_2(run, arguments, sentence):
    done = run(*arguments)
    assert sentence in one_line(done.stderr)
    assert done.returncode == 2


def test_help_of_what_is_run_shows_its_flags_and_its_first_line(run):
    told = run("served.py::Model.predict", "--help")
    assert told.returncode == 0
    assert (
        "Usage: modal-nb run served.py::Model.predict [OPTIONS]\n\n  Predicts something. Or not.\n"
        in told.stdout
    )
    assert " --size INTEGER       [required]\n" in told.stdout
    assert " --fast / --no-fast   [default: False]\n" in told.stdout
    assert " --kind [plain|fine]  [default: plain]\n" in told.stdout


def test_the_only_entrypoint_else_the_only_method_needs_no_name(run, folder):
    one = "import modal_nb\napp = modal_nb.App('one')\n\n@app.function()\ndef f(x: int = 1):\n    return x\n"
    (folder / "one.py").write_text(one, encoding="utf-8")
    assert run("one.py", "--x", "4").stdout == "4\n"
    entry = "\n@app.local_entrypoint()\ndef start(y='z'):\n    print(y)\n"
    (folder / "two.py").write_text(one + entry, encoding="utf-8")
    assert run("two.py", "--y", "w").stdout == "w\n"
    other = "\nother = modal_nb.App('other')\n\n@other.function()\ndef g():\n    return 'g'\n"
    (folder / "three.py").write_text(one + entry + other, encoding="utf-8")
    assert one_line(run("three.py").stderr) == (
        "three.py has several apps, say what to run: app.start, app.f, other.g"
    )
    assert run("three.py::g").stdout == "g\n"
    assert run("three.py::other").stdout == "g\n"
    assert run("three.py::app.f").stdout == "1\n"


def test_what_an_app_includes_is_meant_once(run, folder):
    (folder / "nested.py").write_text(
        "import modal_nb\ninner = modal_nb.App('inner')\n\n@inner.function()\ndef f(x: int):\n    return x\n\n"
        "outer = modal_nb.App('outer').include(inner)\n\n@outer.function()\ndef g():\n    return f.remote(2)\n",
        encoding="utf-8",
    )
    assert run("nested.py::f", "--x", "1").stdout == "1\n"
    assert run("nested.py::outer.f", "--x", "1").stdout == "1\n"
    assert run("nested.py::g").stdout == "2\n"


def test_two_things_of_one_name_are_not_guessed_at(run, folder):
    (folder / "twice.py").write_text(
        "import modal_nb\napp = modal_nb.App('twice')\n\n@app.function(name='f')\ndef served(): ...\n\n"
        "@app.local_entrypoint(name='f')\ndef entry(): ...\n",
        encoding="utf-8",
    )
    done = run("twice.py::f")
    assert one_line(done.stderr) == "several things are called 'f' in twice.py; there is: f, f"
    assert done.returncode == 2


def test_a_file_may_not_take_the_name_of_a_loaded_module(run, folder):
    (folder / "json.py").write_text("", encoding="utf-8")
    try:
        assert "json.py has the name of the module 'json'" in one_line(run("json.py").stderr)
    finally:
        (folder / "json.py").unlink()


def test_an_app_without_a_name_is_called_as_its_file(folder, home):
    with begin("run", "served.py::wait", cwd=folder) as running:
        assert running.stdout.readline() == "waiting\n"
        assert [app.name for app in home.status().apps] == ["served"]
        running.send_signal(signal.SIGINT)
        running.communicate(timeout=30)
