"""Retries in a notebook, where the cells that a policy refers to run again and change."""

from __future__ import annotations

from tests.e2e.notebook import Notebook

EXCEPTIONS = """
class Flaky(Exception):
    {body}
"""
CLASS = """
import modal_nb as modal
from pathlib import Path
app = modal.App("cells")

@app.cls(max_containers=1, retries=modal.Retries(max_retries=2, initial_delay=0, on=Flaky))
class Model:
    @modal.method()
    def run(self, name, kind="flaky"):
        with Path(name).open("a") as file:
            file.write(".")
        raise {"flaky": Flaky, "derived": Derived, "other": KeyError}[kind](name)

def runs(name, kind="flaky"):
    try:
        Model().run.remote(name, kind)
    except Exception as error:
        return type(error).__name__, len(Path(name).read_text())
"""


def test_a_policy_goes_on_to_count_an_exception_whose_cell_was_edited(home, tmp_path):
    with Notebook(tmp_path) as notebook:
        notebook.run(EXCEPTIONS.format(body="pass") + "class Derived(Flaky): pass")
        notebook.run(CLASS)
        assert notebook.value("runs('first')") == ("Flaky", 3)
        for number, body in enumerate(("pass", "edited = 1", "edited = 2")):
            notebook.run(EXCEPTIONS.format(body=body) + "class Derived(Flaky): pass")
            assert notebook.value(f"runs('flaky{number}')") == ("Flaky", 3)
            assert notebook.value(f"runs('derived{number}', 'derived')") == ("Derived", 3)
            assert notebook.value(f"runs('other{number}', 'other')") == ("KeyError", 1)


def test_an_edited_policy_counts_from_the_next_call_on(home, tmp_path):
    with Notebook(tmp_path) as notebook:
        notebook.run(EXCEPTIONS.format(body="pass") + "class Derived(Flaky): pass")
        notebook.run(CLASS)
        assert notebook.value("runs('a')") == ("Flaky", 3)
        notebook.run(CLASS.replace("max_retries=2", "max_retries=4"))
        assert notebook.value("runs('b')") == ("Flaky", 5)
        notebook.run(CLASS.replace("on=Flaky", "on=KeyError"))
        assert notebook.value("runs('c')") == ("Flaky", 1)
        assert notebook.value("runs('d', 'other')") == ("KeyError", 3)
