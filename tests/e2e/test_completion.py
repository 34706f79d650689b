"""Tab and `?` in a notebook look at what was declared: no pool is opened and no container starts."""

from __future__ import annotations

import re

import pytest

from tests.e2e.notebook import Notebook

CELL = """
import modal_nb as modal
app = modal.App("looked-at")
built = []

@app.cls()
class Witness:
    @modal.method()
    def answer(self):
        return 1

@app.cls(min_containers=1)
class Model:
    '''A model of something.'''
    size: int = modal.parameter(default=1)

    @modal.enter()
    def load(self):
        built.append("entered")

    @modal.method()
    def predict(self, x: int, scale: float = 1.0) -> float:
        '''Predicts something.'''
        return x * scale

    @modal.method()
    def items(self):
        yield self.size

@app.function(min_containers=1)
def double(x: int) -> int:
    '''Two times.'''
    return 2 * x

model = Model(size=2)
bigger = Model.with_options(max_containers=2)
found = modal.Cls.from_name("nobodys-app", "Model")
Witness().answer.remote()
"""


@pytest.fixture(scope="module")
def notebook(home, tmp_path_factory):
    with Notebook(tmp_path_factory.mktemp("looked")) as started:
        started.run(CELL)
        yield started


@pytest.fixture(autouse=True)
def nothing_starts(notebook, home):
    """The app runs and has the pool of its witness; after each test it has no other."""
    yield
    # a request that is answered after all that the notebook may have sent before it
    notebook.run("Witness().answer.remote()")
    assert {pool.service for pool in home.pools()} == {"Witness"}
    assert len(home.containers()) == 1
    assert notebook.value("built") == []


def complete(notebook: Notebook, code: str) -> set[str]:
    reply = notebook.client.complete(code, reply=True, timeout=30)["content"]
    assert reply["status"] == "ok"
    return {match.rpartition(".")[2] for match in reply["matches"]}


def inspect(notebook: Notebook, code: str, detail: int = 0) -> str:
    reply = notebook.client.inspect(code, detail_level=detail, reply=True, timeout=30)["content"]
    assert reply["found"], code
    return re.sub(r"\x1b\[[0-9;]*m", "", reply["data"]["text/plain"])


@pytest.mark.parametrize(
    ("code", "offered"),
    [
        ("Model.", {"predict", "items", "with_options", "from_name"}),
        ("bigger.", {"predict", "with_concurrency"}),
        ("model.", {"predict", "items", "size", "update_autoscaler", "wait_for", "panel", "attach"}),
        ("model.predict.", {"remote", "local", "map", "spawn", "get_current_stats"}),
        ("model.predict.remote.", {"aio"}),
        ("double.", {"remote", "local", "map", "update_autoscaler"}),
        ("found.", {"with_options"}),
        ("found().predict.", {"remote"}),
        ("app.", {"run", "registered_classes"}),
        ("modal.", {"App", "Cls", "method"}),
    ],
)
@pytest.mark.parametrize("policy", ["limited", "dangerous"])
@pytest.mark.parametrize("jedi", [True, False], ids=["jedi", "no-jedi"])
def test_tab_offers_what_is_there(notebook, code, offered, policy, jedi):
    notebook.run(f"%config IPCompleter.use_jedi = {jedi}\n%config IPCompleter.evaluation = {policy!r}")
    got = complete(notebook, code)
    # calls are made, and without jedi our attributes are read, only where the user said that this is fine
    if policy == "dangerous" or (jedi and "()" not in code):
        assert offered <= got


@pytest.mark.parametrize("code", ["Model(", "model.predict.remote(", "model.predict.map(", "double.spawn("])
def test_tab_inside_a_call_starts_nothing(notebook, code):
    complete(notebook, code)


@pytest.mark.parametrize(
    ("code", "told"),
    [
        ("Model", "A model of something."),
        ("bigger", "A model of something."),
        ("model", "Obj"),
        ("model.predict", "Predicts something."),
        ("model.items", "items"),
        ("model.predict.remote", "Run the method in a container"),
        ("model.predict.remote.aio", "aio"),
        ("model.update_autoscaler", "Change the autoscaler"),
        ("double", "Two times."),
        ("found", "Cls"),
        ("app", "App"),
    ],
)
def test_a_question_mark_tells_what_it_is(notebook, code, told):
    assert told in inspect(notebook, code)


def test_a_question_mark_shows_the_signature(notebook):
    assert "size: int = 1" in inspect(notebook, "Model")
    assert "(x: int, scale: float = 1.0)" in inspect(notebook, "model.predict")
    assert "(x: int)" in inspect(notebook, "double")
    # at the open bracket, as JupyterLab asks with shift and tab
    assert "scale: float = 1.0" in inspect(notebook, "model.predict(")


def test_two_question_marks_show_the_users_code(notebook):
    assert "return x * scale" in inspect(notebook, "model.predict", 1)
    assert "return 2 * x" in inspect(notebook, "double", 1)


def test_the_magic_itself(notebook):
    notebook.run("Model?\nmodel?\nmodel.predict?\nmodel.predict??\n?double\nModel??")
    notebook.run("%pinfo model.predict.remote\n%pdoc model\n%psource Model")
