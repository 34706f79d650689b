"""The text of the cells that the user's class comes from, as files: debuggers set breakpoints in files and show them.

Code keeps the name of its cell on its way here, and that file is only on the kernel's mind. JupyterLab lists what has a
module, so each cell gets one, of nothing but its name.
"""

from __future__ import annotations

import atexit
import linecache
import os
import sys
from contextlib import suppress
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType


def write(service: str) -> None:
    """For every cell that is known here; ``service``: the class, for people."""
    for name in list(linecache.cache):
        path = Path(name)
        text = "".join(linecache.getlines(name))
        if (
            not text
            or not path.is_absolute()
            or path.suffix != ".py"
            or not path.parent.name.startswith("ipykernel_")
        ):
            continue
        with suppress(OSError):
            _write(path, text)
        _list(f"{service} (cell {path.stem})", name)


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(mode=0o700, exist_ok=True)
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    except FileExistsError:
        return  # its own kernel has written it for its own debugger, or a container before
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
    atexit.register(path.unlink, missing_ok=True)


def _list(name: str, origin: str) -> None:
    module = ModuleType(name)
    module.__spec__ = ModuleSpec(name, None, origin=origin)
    sys.modules[name] = module
