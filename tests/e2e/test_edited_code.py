"""In a notebook the code changes while it runs: what is called is always what stands there now."""

from __future__ import annotations

import pytest

from tests.e2e.home import until
from tests.e2e.notebook import CellFailed, Notebook

IMPORTS = """
import os, time
import beside
import modal_nb as modal
app = modal.App("edited")
"""
CLASS = """
@app.cls(max_containers=2)
class Model:
    @modal.method()
    def answer(self):
        return helper(1), GLOBAL, beside.word(), os.environ["MODAL_TASK_ID"]

    @modal.method()
    def wait_for(self, path):
        while not os.path.exists(path):
            time.sleep(0.01)
        return helper(1), os.environ["MODAL_TASK_ID"]
"""
HELPER = """
def helper(x):
    return x + inner(x)
"""
INNER = """
def inner(x):
    return x
"""


@pytest.fixture
def notebook(home, tmp_path):
    (tmp_path / "beside.py").write_text("def word():\n    return 'one'\n")
    with Notebook(tmp_path) as found:
        for cell in (IMPORTS, "GLOBAL = 'first'", INNER, HELPER, CLASS):
            found.run(cell)
        yield found


def answer(notebook):
    helped, seen, word, container = notebook.value("Model().answer.remote()")
    return (helped, seen, word), container


def test_each_edit_is_seen_by_the_next_call(notebook, tmp_path):
    assert answer(notebook)[0] == (2, "first", "one")
    notebook.run("def helper(x):\n    return 10 * x + inner(x)")
    assert answer(notebook)[0] == (11, "first", "one")
    notebook.run("def inner(x):\n    return 5")
    assert answer(notebook)[0] == (15, "first", "one")
    notebook.run("GLOBAL = 'second'")
    assert answer(notebook)[0] == (15, "second", "one")
    (tmp_path / "beside.py").write_text("def word():\n    return 'two!'\n")
    assert answer(notebook)[0] == (15, "second", "two!")
    notebook.run("import beside as other\nclass Other:\n    pass")
    assert answer(notebook)[0] == (15, "second", "two!")


def test_a_handle_that_was_made_before_the_edit_sees_it_too(notebook):
    notebook.run("model = Model()")
    assert notebook.value("model.answer.remote()[0]") == 2
    notebook.run("def inner(x):\n    return 7")
    assert notebook.value("model.answer.remote()[0]") == 8


def test_the_same_cells_run_again_keep_the_same_containers(notebook, home):
    _, container = answer(notebook)
    for cell in (IMPORTS.replace('app = modal.App("edited")', ""), "GLOBAL = 'first'", INNER, HELPER, CLASS):
        notebook.run(cell)
        assert answer(notebook) == ((2, "first", "one"), container)
    notebook.run("# only a comment\n" + HELPER.replace("return", "# and another\n    return"))
    assert answer(notebook)[1] == container
    assert home.ids("Model") == {container}


def test_an_edit_and_back_again_answers_as_before(notebook):
    first, _ = answer(notebook)
    notebook.run("GLOBAL = 'second'")
    assert answer(notebook)[0] != first
    notebook.run("GLOBAL = 'first'")
    assert answer(notebook)[0] == first


def test_a_call_in_flight_finishes_on_the_old_container_and_the_next_goes_to_a_new_one(
    notebook, home, tmp_path
):
    gate = str(tmp_path / "gate")
    old = answer(notebook)[1]
    notebook.run(
        "from concurrent.futures import ThreadPoolExecutor\n"
        "threads = ThreadPoolExecutor()\n"
        f"flight = threads.submit(Model().wait_for.remote, {gate!r})"
    )
    until(lambda: any(c.state == "busy" for c in home.containers("Model")))
    notebook.run(CLASS.replace("helper(1), GLOBAL", "-helper(1), GLOBAL"))
    changed, new = answer(notebook)
    assert changed == (-2, "first", "one")
    assert new != old
    assert not notebook.value("flight.done()")
    (tmp_path / "gate").touch()
    assert notebook.value("flight.result(60)") == (2, old)
    until(lambda: home.ids("Model") == {new})


def test_an_app_runs_by_itself_and_a_plain_for_works_in_a_cell(notebook):
    assert notebook.value("[r[0] for r in Model().answer.starmap([()] * 3)]") == [2, 2, 2]
    assert notebook.value("(await Model().answer.remote.aio())[0]") == 2
    assert notebook.value("[r[0] async for r in Model().answer.starmap([()] * 3)]") == [2, 2, 2]


def test_with_app_run_in_a_cell_ends_only_its_own_containers(notebook, home):
    _, kept = answer(notebook)
    inside = notebook.value("[Model().answer.remote()[3] for _ in [app.run().__enter__()]]")[0]
    assert inside != kept
    notebook.run("with app.run():\n    third = Model().answer.remote()[3]")
    third = notebook.value("third")
    assert third not in {kept, inside}
    until(lambda: home.ids("Model") == {kept, inside})
    notebook.run("app.stop()")
    until(lambda: not home.ids("Model"))
    assert answer(notebook)[0] == (2, "first", "one")


def test_an_interrupted_cell_cancels_its_call_and_keeps_the_container(notebook, home):
    notebook.run("model = Model()")
    container = notebook.value("model.answer.remote()[3]")
    asked = notebook.begin("model.wait_for.remote('/nowhere')")
    until(lambda: any(c.state == "busy" for c in home.containers("Model")))
    notebook.interrupt()
    with pytest.raises(CellFailed) as caught:
        notebook.finish(asked)
    assert caught.value.name == "KeyboardInterrupt"
    until(lambda: home.pool("Model").running == 0)
    assert notebook.value("model.answer.remote()[3]") == container


def test_completion_and_display_start_nothing(notebook, home):
    notebook.run("model = Model()")
    reply = notebook.client.complete("model.", reply=True, timeout=30)["content"]
    found = {match.removeprefix("model.") for match in reply["matches"]}
    assert {"answer", "wait_for", "update_autoscaler"} <= found
    notebook.run("model\nModel\nmodel.answer\ndisplay(model, Model)")
    assert notebook.client.inspect("model.answer", reply=True, timeout=30)["content"]["found"]
    assert not home.pools("Model")
