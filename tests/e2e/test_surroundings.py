"""What a container finds around it: interpreter, folder, variables, modules."""

from __future__ import annotations

import os
import sys
import threading
from pathlib import Path

import modal_nb as modal
from tests.e2e.notebook import Notebook


def test_a_container_names_itself_and_its_interpreter_and_stands_where_the_caller_stands(home):
    other = modal.App("inherits")

    @other.cls()
    class Model:
        @modal.method()
        def told(self):
            variables = {name for name in os.environ if name.startswith(("MODAL_NB_", "JPY_"))}
            daemon = threading.current_thread() is threading.main_thread()
            return os.environ["MODAL_TASK_ID"], sys.executable, str(Path.cwd()), variables, daemon

    with other.run():
        identity, executable, folder, variables, on_main = Model().told.remote()
        assert identity in home.ids("Model")
        assert identity.startswith("ct-")
        assert (executable, folder, on_main) == (sys.executable, str(Path.cwd()), True)
        assert not variables


def test_env_and_secrets_are_set_before_the_class_is_loaded(home, monkeypatch):
    monkeypatch.setenv("FROM_HERE", "here")
    other = modal.App("env", secrets=[modal.Secret.from_dict({"A": "app", "B": "app"})])
    secret = modal.Secret.from_dict({"B": "secret", "C": "secret"})

    @other.cls(
        env={"C": "env", "D": "env", "E": None},
        secrets=[secret, modal.Secret.from_local_environ(["FROM_HERE"])],
    )
    class Model:
        @modal.enter()
        def load(self):
            self.seen = {name: os.environ.get(name) for name in ["A", "B", "C", "D", "E", "FROM_HERE"]}

        @modal.method()
        def told(self):
            return self.seen

    with other.run():
        expected = {"A": "app", "B": "secret", "C": "env", "D": "env", "E": None, "FROM_HERE": "here"}
        assert Model().told.remote() == expected
        assert Model.with_options(env={"D": "other"})().told.remote()["D"] == "other"
        assert os.environ.get("A") is None
    assert "secret" not in home.log()


def test_a_dotenv_file_of_the_notebooks_folder_reaches_the_container(home, tmp_path):
    (tmp_path / ".env").write_text("TOKEN='from a file'\n")
    other = modal.App("dotenv")

    @other.cls(secrets=[modal.Secret.from_dotenv(str(tmp_path))])
    class Model:
        @modal.method()
        def told(self):
            return os.environ["TOKEN"]

    with other.run():
        assert Model().told.remote() == "from a file"


def test_include_source_puts_the_folder_of_the_notebook_on_the_path(home, tmp_path):
    (tmp_path / "beside.py").write_text("WORD = 'found'\n")
    cell = """
import modal_nb as modal
app = modal.App("source", include_source={})

@app.cls()
class Model:
    @modal.method()
    def told(self):
        import beside
        return beside.WORD
"""
    with Notebook(tmp_path) as notebook:
        notebook.run(cell.format(True))
        assert notebook.value("Model().told.remote()") == "found"
        notebook.run(cell.format(False))
        told = notebook.run("try: Model().told.remote()\nexcept ModuleNotFoundError as error: print(error)")
        assert told == "No module named 'beside'\n"
