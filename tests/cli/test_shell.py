"""``modal-nb shell``: a console, or some code, in a container that was started for it."""

from __future__ import annotations

import os
import sys

import pytest

from tests.cli.terminal import modal_nb, one_line

SCRIPT = '''
import modal_nb as modal

app = modal.App("shelled")


@app.cls(max_containers=1)
class Model:
    """A model of a size."""

    size: int = modal.parameter(default=1)

    @modal.enter()
    def load(self):
        self.loaded = "loaded"

    @modal.method()
    def predict(self, x):
        return x


@app.cls(max_containers=1)
class Broken:
    @modal.enter()
    def load(self):
        raise LookupError("on purpose")

    @modal.method()
    def predict(self, x):
        return x
'''


@pytest.fixture(scope="module")
def folder(tmp_path_factory, home):
    folder = tmp_path_factory.mktemp("scripts")
    (folder / "served.py").write_text(SCRIPT, encoding="utf-8")
    return folder


@pytest.fixture
def shell(folder):
    return lambda *arguments, **options: modal_nb("shell", *arguments, **{"cwd": folder, **options})


def test_code_runs_in_an_object_of_the_parameters_after_its_enter_hooks(shell, home):
    code = "print(self.loaded)\nself.size * 2"
    done = shell("--cmd", code, "served.py::Model.predict", "--size", "4")
    assert (done.stdout, done.stderr, done.returncode) == ("loaded\n8\n", "", 0)
    assert home.pools() == []
    assert shell("served.py::Model", "--size", "4", "--cmd", code).stdout == "loaded\n8\n"


def test_code_that_raises_ends_with_1(shell, home):
    done = shell("--cmd", "1 / 0", "served.py::Model")
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1] == "ZeroDivisionError: division by zero"
    assert home.pools() == []


def test_a_console_is_attached_and_the_app_ends_with_it(shell, home):
    done = shell("served.py::Model", "--size", "3", input="print('size', self.size)\n")
    assert "size 3" in done.stdout, done.stderr
    assert home.pools() == []


def test_a_container_that_does_not_come_up_is_told(shell, home):
    done = shell("--cmd", "1", "served.py::Broken")
    assert done.returncode == 1
    said = one_line(done.stderr)
    assert " of Broken did not come up: imports or an enter hook failed; " in said
    assert "LookupError: on purpose" in modal_nb("container", "logs", said.rpartition(" ")[2]).stdout
    assert home.pools() == []


def test_without_jupyter_console_the_remedy_is_named(shell, folder, tmp_path):
    # an interpreter's own way to leave something out: a package of that name that has no spec
    hidden = tmp_path / "sitecustomize.py"
    hidden.write_text("import sys\nsys.modules['jupyter_console'] = None\n", encoding="utf-8")
    done = modal_nb("shell", "served.py::Model", cwd=folder, env={**os.environ, "PYTHONPATH": str(tmp_path)})
    assert done.returncode == 2
    said = one_line(done.stderr)
    assert f"{sys.executable} -m pip install jupyter-console" in said
    assert "--cmd CODE" in said


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["served.py"], "say which class of served.py is meant, as served.py::NAME; there is: Model, Broken"),
        (["served.py::Other"], "there is: Model, Broken"),
        (["served.py::Model", "--size", "x"], "Invalid value for '--size': 'x' is not a valid integer."),
        (["served.py::Model", "--x", "1"], "No such option '--x'."),
    ],
)
def test_misuse_is_one_line_and_code_2(shell, arguments, sentence):
    done = shell(*arguments, "--cmd", "1")
    assert sentence in one_line(done.stderr)
    assert done.returncode == 2


def test_help_of_a_class_shows_its_parameters(shell):
    told = shell("served.py::Model", "--help").stdout
    assert "A model of a size." in told
    assert "--size INTEGER  [default: 1]" in told
