"""Edited files of the user change the digest of the classes that reach them."""

from __future__ import annotations

import sys
import types

import pytest

from modal_nb.client import introspect
from modal_nb.client.introspect import class_digest
from tests.client.cells import run


@pytest.fixture
def project(tmp_path, monkeypatch):
    files = {
        "near.py": "import far\ndef f(): return far.g()\n",
        "far.py": "def g():\n    from pack.inner import deep\n    return deep.V\n",
        "pack/__init__.py": "",
        "pack/inner/__init__.py": "from . import deep\nfrom ..side import S\n",
        "pack/inner/deep.py": "V = 1\n",
        "pack/side.py": "S = 1\n",
        "pack/unused.py": "U = 1\n",
        "lazy.py": "L = 1\n",
        "constant.py": "import near_names\nLIMIT = 3\n",
        "near_names.py": "",
    }
    for name, text in files.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    monkeypatch.syspath_prepend(str(tmp_path))
    before = set(sys.modules)
    yield tmp_path
    for name in set(sys.modules) - before:
        del sys.modules[name]


LOCAL_CELLS = """
import near
from constant import LIMIT
class Model:
    def f(self):
        import lazy
        return near.f()
"""


@pytest.mark.parametrize(
    "file",
    [
        "near.py",
        "far.py",
        "pack/__init__.py",
        "pack/inner/__init__.py",
        "pack/inner/deep.py",
        "pack/side.py",
        "lazy.py",
    ],
)
def test_a_local_module_that_is_edited_changes_the_digest(project, file):
    model = run(LOCAL_CELLS)
    before = class_digest(model)
    path = project / file
    text = path.read_text()
    path.write_text(text + "# edited\n")
    assert class_digest(model) != before
    path.write_text(text)
    assert class_digest(model) == before


@pytest.mark.parametrize("file", ["pack/unused.py", "constant.py"])
def test_a_local_module_that_is_not_reached_does_not_count(project, file):
    model = run(LOCAL_CELLS)
    before = class_digest(model)
    (project / file).write_text("changed = 1\n")
    assert class_digest(model) == before


def test_functions_and_classes_of_a_local_module_count_by_its_file(project):
    (project / "shop.py").write_text("class Till:\n    def f(self): return 1\ndef price(): return 1\n")
    model = run("from shop import Till, price\nclass Model(Till):\n    def g(self): return price()\n")
    before = class_digest(model)
    (project / "shop.py").write_text("class Till:\n    def f(self): return 2\ndef price(): return 1\n")
    assert class_digest(model) != before


def test_a_decorated_class_of_a_local_module_counts_with_its_file(project):
    (project / "shop.py").write_text("RATE = 1\nclass Till:\n    def f(self): return RATE\n")
    import shop

    before = class_digest(shop.Till)
    assert class_digest(shop.Till) == before
    (project / "shop.py").write_text("RATE = 2\nclass Till:\n    def f(self): return RATE\n")
    assert class_digest(shop.Till) != before


def test_a_local_module_that_does_not_parse_counts_by_its_text(project):
    model = run(LOCAL_CELLS)
    (project / "lazy.py").write_text("def (:\n")
    before = class_digest(model)
    (project / "lazy.py").write_text("def (::\n")
    assert class_digest(model) != before


def test_a_module_without_a_file_counts_by_its_content():
    made = types.ModuleType("made_in_a_cell")
    made.value = 1

    class Model:
        def f(self):
            return made.value

    before = class_digest(Model)
    made.value = 2
    assert class_digest(Model) != before


def test_the_source_folder_of_a_module(project):
    import near
    import pack.inner.deep

    assert introspect.source_folder(near.__name__) == str(project)
    assert introspect.source_folder(pack.inner.deep.__name__) == str(project)
    assert introspect.source_folder("pack.inner") == str(project)
