"""The user's file or module, imported as Python itself would find it."""

from __future__ import annotations

import importlib
import importlib.util
import sys
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType
from typing import Annotated, NamedTuple

import typer

from modal_nb.cli.misuse import Misuse

Target = Annotated[
    str,
    typer.Argument(
        metavar="FILE[::NAME]", help="A file, or with -m a module, and what in it: NAME or Class.method."
    ),
]
IsModule = Annotated[
    bool, typer.Option("--module", "-m", help="FILE is the dotted name of a module, found as by python -m.")
]


class Loaded(NamedTuple):
    """A module of the user, and what was asked for in it; "" if nothing was."""

    module: ModuleType
    name: str
    #: as it was written
    source: str


def load(target: str, arguments: Sequence[str], *, is_module: bool) -> Loaded:
    """Import what stands before ``::``. Misuse if it is not there; what the user's code raises passes.

    The first entry of the import path becomes the file's folder, for a module the working directory.
    """
    source, _, name = target.partition("::")
    if is_module:
        _import_from(Path.cwd())
        sys.argv = [source, *arguments]
        return Loaded(_module(source), name, source)
    path = Path(source)
    if not path.is_file():
        hint = f"; for a module write -m {source}" if path.suffix != ".py" else ""
        raise Misuse(f"there is no file {source!r} here{hint}")
    _import_from(path.resolve().parent)
    sys.argv = [source, *arguments]
    return Loaded(_file(path.resolve(), source), name, source)


def _import_from(folder: Path) -> None:
    scripts = str(Path(sys.argv[0]).resolve().parent)
    sys.path[:] = [str(folder), *(entry for entry in sys.path if entry not in {str(folder), scripts, ""})]


def _module(name: str) -> ModuleType:
    try:
        found = importlib.util.find_spec(name)
    except (ModuleNotFoundError, ValueError):
        found = None
    if found is None:
        hint = f"; for a file leave -m out: {name}" if name.endswith(".py") else ""
        raise Misuse(f"there is no module {name!r} on the import path{hint}")
    return importlib.import_module(name)


def _file(path: Path, source: str) -> ModuleType:
    name = path.stem
    if name in sys.modules:
        raise Misuse(f"{source} has the name of the module {name!r}, which is in use already: rename it")
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise Misuse(f"{source} is no Python file: its name does not end with .py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[name]
        raise
    return module
