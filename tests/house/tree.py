"""The project's own Python files, and how the house rules count them."""

from __future__ import annotations

import ast
import functools
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PRODUCT = ROOT / "modal_nb"
#: everything that people read as code; notebooks are texts
FOLDERS = ("modal_nb", "benchmarks", "scripts", "tests", "notebooks", "examples")

Def = ast.FunctionDef | ast.AsyncFunctionDef


def files(*folders: str) -> list[Path]:
    return sorted(
        path
        for folder in folders or FOLDERS
        for path in (ROOT / folder).rglob("*.py")
        if "__pycache__" not in path.parts and ".ipynb_checkpoints" not in path.parts
    )


def name_of(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


@functools.cache
def parse(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"), filename=name_of(path))


def functions(path: Path) -> Iterator[Def]:
    return (node for node in ast.walk(parse(path)) if isinstance(node, Def))


def length_without_docstring(function: Def) -> int:
    """Lines from the signature to the end: telling what a function promises shall cost nothing."""
    lines = (function.end_lineno or function.lineno) - function.lineno + 1
    first = function.body[0]
    if ast.get_docstring(function, clean=False) is not None:
        lines -= (first.end_lineno or first.lineno) - first.lineno + 1
    return lines
