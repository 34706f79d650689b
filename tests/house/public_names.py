"""Every public name of modal_nb, by introspection, and the table that says which test shows it.

`python -m tests.house.public_names` prints the rows that tests/public_names.toml lacks.
"""

from __future__ import annotations

import ast
import importlib
import inspect
import tomllib
from collections.abc import Iterator
from pathlib import Path

import modal_nb
from tests.house.tree import ROOT

TABLE = ROOT / "tests" / "public_names.toml"
#: what a user holds without having named its class: room and class
HELD = {
    "Obj": "modal_nb.client.obj",
    "Function": "modal_nb.client.method",
    "FunctionCall": "modal_nb.client.function_call",
}
#: options of `@app.cls` are promises too
SIGNATURES = {"App.cls": ("self",)}


def members(name: str, cls: type) -> Iterator[str]:
    """Methods and properties that the class or a base of ours defines; an exception is its name alone."""
    if issubclass(cls, BaseException):
        return
    ours = [base for base in cls.__mro__ if base.__module__.startswith("modal_nb")]
    for attribute in sorted({a for base in ours for a in vars(base) if not a.startswith("_")}):
        if _is_promise(inspect.getattr_static(cls, attribute)):
            yield f"{name}.{attribute}"


def _is_promise(value: object) -> bool:
    if isinstance(value, staticmethod | classmethod | property):
        return True
    # a descriptor of our own (`.remote` with its `.aio`) counts as the method it stands for
    return callable(value) or (hasattr(type(value), "__get__") and not inspect.ismemberdescriptor(value))


def public_names() -> list[str]:
    found: set[str] = set()
    things = {name: getattr(modal_nb, name) for name in modal_nb.__all__ if not name.startswith("_")}
    for name, room in HELD.items():
        if name not in things and _exists(room):
            things[name] = getattr(importlib.import_module(room), name)
    for name, thing in things.items():
        if inspect.ismodule(thing):
            continue
        found.add(name)
        if inspect.isclass(thing):
            found.update(members(name, thing))
    for path, hidden in SIGNATURES.items():
        owner, _, method = path.partition(".")
        parameters = inspect.signature(getattr(things[owner], method)).parameters
        found.update(f"{path}({option}=)" for option in parameters if option not in hidden)
    return sorted(found)


def _exists(room: str) -> bool:
    return (ROOT / (room.replace(".", "/") + ".py")).exists()


def table() -> dict[str, list[str]]:
    rows = tomllib.loads(TABLE.read_text(encoding="utf-8"))
    return {name: [tests] if isinstance(tests, str) else tests for name, tests in rows.items()}


def is_a_test(test_id: str) -> bool:
    """`tests/room/test_file.py::TestClass::test_name[case]`: the file and the function are there."""
    path, *names = test_id.partition("[")[0].split("::")
    file = ROOT / path
    if not names or not file.is_file():
        return False
    scope: ast.AST | None = ast.parse(file.read_text(encoding="utf-8"))
    for name in names:
        scope = _child(scope, name)
    return isinstance(scope, ast.FunctionDef | ast.AsyncFunctionDef) and scope.name.startswith("test")


def _child(scope: ast.AST | None, name: str) -> ast.AST | None:
    named = (ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    for node in ast.iter_child_nodes(scope) if scope else ():
        if isinstance(node, named) and node.name == name:
            return node
    return None


def main() -> None:
    rows = table() if Path(TABLE).exists() else {}
    for name in public_names():
        if name not in rows:
            print(f'"{name}" = []')


if __name__ == "__main__":
    main()
