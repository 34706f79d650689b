"""The text of the cells that the user's class comes from, as files: debuggers set breakpoints in files and show them.

Code keeps the name of its cell on its way here, and that file is only on the kernel's mind. JupyterLab lists what has a
module, so each cell gets one, of nothing but its name.
"""

from __future__ import annotations

import ast
import atexit
import linecache
import os
import sys
from contextlib import suppress
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType

_DEFINITIONS = (ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
#: file name of a cell -> its text. Kept: `linecache` forgets what it read from a file once the file is gone
_texts: dict[str, str] = {}


def write(service: str) -> None:
    """Every cell that is known here and is no file now; ``service``: the class, for people. From any thread.

    Containers share the files of a cell and the first one that ends takes them along, so it is done more than once.
    """
    for name in list(linecache.cache):
        text = "" if name in _texts or not _names_cell(Path(name)) else "".join(linecache.getlines(name))
        if text:
            _texts[name] = text
            _list(f"{_subject(text, service)} (cell {Path(name).stem})", name)
    for name, text in list(_texts.items()):
        with suppress(OSError):
            _write(Path(name), text)


def _names_cell(path: Path) -> bool:
    return path.is_absolute() and path.suffix == ".py" and path.parent.name.startswith("ipykernel_")


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(mode=0o700, exist_ok=True)
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    except FileExistsError:
        return  # its own kernel has written it for its own debugger, or another container
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
    atexit.register(_remove, path)


def _remove(path: Path) -> None:
    path.unlink(missing_ok=True)
    with suppress(OSError):  # there are others in it
        path.parent.rmdir()


def _subject(text: str, service: str) -> str:
    """What people know the cell by: the class, or what else it defines."""
    try:
        defined = [one.name for one in ast.parse(text).body if isinstance(one, _DEFINITIONS)]
    except SyntaxError:
        defined = []
    return service if service in defined or not defined else defined[0]


def _list(name: str, origin: str) -> None:
    module = ModuleType(name)
    module.__spec__ = ModuleSpec(name, None, origin=origin)
    sys.modules[name] = module
