"""Imports: the floors of the house, pure rooms, and nothing hidden inside a function."""

from __future__ import annotations

import ast
import re
import sys

import pytest

from tests.house.tree import PRODUCT, files, functions, name_of, parse

pytestmark = pytest.mark.house

#: the mark by which ruff lets an import inside a function pass; ours needs a reason after it
REASON = re.compile(r"# noqa: PLC0415\s+\S+")


def imported_roots(tree: ast.AST) -> set[str]:
    roots = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            roots |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            roots.add((node.module or "").partition(".")[0])
    return roots


@pytest.mark.parametrize("room", ["spec", "scheduler"])
def test_a_pure_room_uses_the_standard_library_only(room):
    allowed = sys.stdlib_module_names | {"modal_nb"}
    foreign = {name_of(path): imported_roots(parse(path)) - allowed for path in files(f"modal_nb/{room}")}
    assert not {name: roots for name, roots in foreign.items() if roots}


def test_an_import_inside_a_function_gives_its_reason():
    bare = []
    for path in files("modal_nb"):
        if path == PRODUCT / "__init__.py":  # the face loads its names on first use
            continue
        lines = path.read_text(encoding="utf-8").splitlines()
        inside = {
            node.lineno
            for function in functions(path)
            for node in ast.walk(function)
            if isinstance(node, ast.Import | ast.ImportFrom)
        }
        bare += [f"{name_of(path)}:{line}" for line in sorted(inside) if not REASON.search(lines[line - 1])]
    assert not bare, "an import inside a function needs `# noqa: PLC0415  why`"
