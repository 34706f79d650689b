"""What the notebook has to know of itself before a pool is opened: the class digest, the cells run, the
environment.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from modal_nb.client import local_modules
from modal_nb.client.digest import Digest


def class_digest(cls: type) -> str:
    """A text that changes when anything changes that code of this class may do in a new container.

    It covers the class, its defaults and closures; every function, class and global value that it refers to
    by value, in turn; and the files of the local modules that any of these import. It does not depend on line
    numbers, file names, comments or the process: running the same cell again gives the same digest. If
    something in it cannot be hashed the digest is a new one each time, so that the class counts as changed.
    """
    walk = Digest()
    walk.add_root(cls)
    for name, content in sorted(local_modules.contents(walk.modules).items()):
        walk.add((name, content))
    return walk.hexdigest()


def unhashable(cls: type) -> list[str]:
    """Why ``class_digest`` of this class is new each time, as "type: reason"; empty if it is not."""
    walk = Digest()
    walk.add_root(cls)
    return walk.problems


# --- cells ---


class _Cells:
    """Counts the cells that began; registered once with the IPython shell of this process."""

    def __init__(self) -> None:
        self.count = 0
        self._shell: Any = None

    def watch(self, shell: Any) -> None:
        if shell is not None and shell is not self._shell:
            self._shell = shell
            shell.events.register("pre_run_cell", self._began)

    def _began(self, info: Any = None) -> None:
        del info
        self.count += 1


_cells = _Cells()


def shell_here() -> Any:
    """The IPython shell of this process, or None; never imports IPython."""
    # not by IPython.get_ipython: with two imports and a module's __getattr__ it takes as long as a call's signature
    module = sys.modules.get("IPython.core.interactiveshell")
    shell_class = getattr(module, "InteractiveShell", None)
    return shell_class.instance() if shell_class is not None and shell_class.initialized() else None


def cells_run() -> int:
    """A number that changes when a cell was run: callers take the class digest again only then.

    Outside of IPython it stays the same.
    """
    _cells.watch(shell_here())
    return _cells.count


# --- environment ---


@dataclass(frozen=True, slots=True)
class Environment:
    """What a local container inherits from the process that uses it."""

    executable: str
    cwd: str
    sys_path: tuple[str, ...]
    environ: Mapping[str, str]


_OURS_AND_JUPYTERS = ("JPY_", "JUPYTERHUB_", "JUPYTER_SERVER_", "IPY_INTERRUPT_", "MODAL_NB_")
_JUPYTERS = frozenset({"JUPYTER_TOKEN", "KERNEL_ID", "KERNEL_LAUNCH_TIMEOUT"})


def environment(*, include_source: bool = True) -> Environment:
    """Interpreter, working directory, import path and environment variables, without Jupyter's and our own.

    ``include_source=False`` leaves the folder of the notebook or script out of the import path.
    """
    cwd = str(Path.cwd())
    path = dict.fromkeys(str(Path(cwd, entry)) for entry in sys.path)
    left_out = () if include_source else (cwd, source_folder("__main__"))
    return Environment(
        executable=sys.executable,
        cwd=cwd,
        sys_path=tuple(entry for entry in path if entry not in left_out),
        environ={name: value for name, value in os.environ.items() if not _is_jupyters(name, value)},
    )


def _is_jupyters(name: str, value: str) -> bool:
    if name == "MPLBACKEND":  # ipykernel sets it for its own process
        return value.startswith("module://matplotlib_inline")
    return name.startswith(_OURS_AND_JUPYTERS) or name in _JUPYTERS


def source_folder(module_name: str) -> str:
    """The folder that must be importable for code of this module: that of its top-level package, script or
    notebook.
    """
    file = getattr(sys.modules.get(module_name), "__file__", None)
    if file is None:
        return str(Path.cwd())
    path = Path(file).resolve()
    levels = 0
    if module_name != "__main__":
        levels = module_name.count(".") + (path.name == "__init__.py")
    return str(path.parents[levels])
