"""Local modules: files of the user that an import finds, neither the standard library nor an installed
package.
"""

from __future__ import annotations

import ast
import functools
import sys
import sysconfig
import types
from collections.abc import Iterable, Iterator
from hashlib import blake2b
from importlib.machinery import ModuleSpec, PathFinder
from pathlib import Path

_STANDARD = tuple(
    str(Path(sysconfig.get_paths()[name]).resolve())
    for name in ("stdlib", "platstdlib")
    if sysconfig.get_paths()[name]
)
_INSTALLED = frozenset({"site-packages", "dist-packages"})


def is_local(path: Path) -> bool:
    """Whether a file is the user's own: its text may change while a notebook runs."""
    text = str(path.resolve())
    return not _INSTALLED.intersection(path.parts) and not any(
        text.startswith(root + "/") for root in _STANDARD
    )


def file_of(name: str) -> Path | None:
    """The file of a module by its dotted name, without importing anything; None if it is not local or has no
    file.
    """
    if name.partition(".")[0] in {"modal_nb", "__main__", "builtins"}:
        return None
    loaded = sys.modules.get(name)
    origin = getattr(loaded, "__file__", None) if isinstance(loaded, types.ModuleType) else _find(name)
    if not origin:
        return None
    path = Path(origin)
    return path if is_local(path) and path.is_file() else None


def _find(name: str) -> str | None:
    path: list[str] | None = None
    spec: ModuleSpec | None = None
    parts = name.split(".")
    for end in range(1, len(parts) + 1):
        spec = PathFinder.find_spec(".".join(parts[:end]), path)
        if spec is None:
            return None
        if end < len(parts):
            if spec.submodule_search_locations is None:
                return None
            path = list(spec.submodule_search_locations)
    return spec.origin if spec is not None else None


def contents(names: Iterable[str]) -> dict[str, bytes]:
    """Module name -> digest of its file, for all local modules among ``names`` and all that these import, in
    turn.
    """
    found: dict[str, bytes] = {}
    pending = list(names)
    seen: set[str] = set()
    while pending:
        name = pending.pop()
        if name in seen:
            continue
        seen.add(name)
        path = file_of(name)
        if path is None:
            continue
        text = path.read_bytes()
        found[name] = blake2b(text, digest_size=16).digest()
        pending += parents(name)
        if path.suffix == ".py":
            pending += imports_in(text, name, is_package=path.name == "__init__.py")
    return found


def parents(name: str) -> list[str]:
    """The packages that importing ``name`` imports too."""
    parts = name.split(".")
    return [".".join(parts[:end]) for end in range(1, len(parts))]


@functools.lru_cache(maxsize=1024)
def imports_in(text: bytes, name: str, *, is_package: bool) -> tuple[str, ...]:
    """Every module that the text of module ``name`` may import, wherever the statement stands."""
    try:
        tree = ast.parse(text)
    except (SyntaxError, ValueError):
        return ()
    package = name if is_package else name.rpartition(".")[0]
    return tuple(dict.fromkeys(module for node in ast.walk(tree) for module in _imports_of(node, package)))


def _imports_of(node: ast.AST, package: str) -> Iterator[str]:
    if isinstance(node, ast.Import):
        for alias in node.names:
            yield alias.name
            yield from parents(alias.name)
    elif isinstance(node, ast.ImportFrom):
        base = node.module or ""
        if node.level:
            parts = package.split(".") if package else []
            above = parts[: len(parts) - node.level + 1]
            base = ".".join([*above, base] if base else above)
        if base:
            yield base
            yield from parents(base)
            for alias in node.names:  # may be a submodule
                yield f"{base}.{alias.name}"
