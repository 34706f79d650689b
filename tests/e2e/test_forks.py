"""Containers are forked from a zygote that is as fresh as a process that is started would be."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

import modal_nb as modal
from modal_nb.protocol import messages as ms
from tests.e2e import script
from tests.e2e.home import until

HOOKED = """
import sys, modal_nb as modal
app = modal.App("hooked")

@app.cls()
class Model:
    @modal.method()
    def told(self):
        import only_by_a_hook
        return only_by_a_hook.WORD

with app.run():
    print(Model().told.remote())
"""
HOOK = """
import sys, types
module = types.ModuleType("only_by_a_hook")
module.WORD = "installed"
sys.modules["only_by_a_hook"] = module
"""


def test_what_is_installed_after_a_zygote_started_is_found(home, tmp_path):
    """As an editable install does it: a .pth file that is read when an interpreter starts."""
    venv = tmp_path / "venv"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(venv)], check=True)
    (packages,) = venv.glob("lib/python*/site-packages")
    here = os.pathsep.join(path for path in sys.path if path)
    (packages / "here.pth").write_text("\n".join(path for path in here.split(os.pathsep)))
    python = str(venv / "bin" / "python")
    before = script.start(tmp_path, HOOKED, python=python)
    assert "No module named 'only_by_a_hook'" in before.communicate(timeout=60)[1]
    (packages / "hook.py").write_text(HOOK)
    (packages / "hook.pth").write_text("import hook")
    after = script.start(tmp_path, HOOKED, python=python)
    out, err = after.communicate(timeout=60)
    assert out.strip() == "installed", err


def test_environment_and_folder_are_those_of_the_caller(home, tmp_path, monkeypatch):
    app = modal.App("surroundings")

    @app.cls(env={"COLOUR": "green"}, serialized=True)
    class Model:
        @modal.method()
        def told(self):
            return (
                str(Path.cwd()),
                os.environ.get("COLOUR"),
                os.environ.get("OF_THE_CALLER"),
                dict(os.environ),
            )

    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("OF_THE_CALLER", "yes")
    with app.run():
        folder, colour, word, environ = Model().told.remote()
        assert (folder, colour, word) == (str(tmp_path), "green", "yes")
        (container,) = home.containers("Model")
        assert environ["MODAL_TASK_ID"] == container.id
        assert container.way == "forked"
        # secrets and values of a class are in no process table
        assert b"green" not in Path(f"/proc/{container.pid}/environ").read_bytes()


def test_many_containers_that_are_wanted_at_once_are_forked_at_once(home):
    app = modal.App("many")

    @app.cls(min_containers=8, serialized=True)
    class Model:
        @modal.method()
        def told(self):
            return os.environ["MODAL_TASK_ID"]

    with app.run():
        Model().told.remote()
        until(lambda: [c.state for c in home.containers("Model")] == ["idle"] * 8)
        assert {c.way for c in home.containers("Model")} == {"forked"}
        home.ask(ms.ContainerStop(id=home.containers("Model")[0].id))
        until(lambda: [c.state for c in home.containers("Model")] == ["idle"] * 8)


@pytest.fixture(scope="module")
def machine():
    return {"MODAL_NB_MAX_CONTAINERS": "16"}
