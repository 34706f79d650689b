"""The objects of sections G to I. Imports nearly nothing, so that a start is a start and not an import of ours."""

from __future__ import annotations

import importlib
import os
from importlib.util import find_spec

#: section H: what data scientists import before anything else, as far as it is installed
HEAVY = tuple(name for name in ("pandas", "scipy.stats", "torch") if find_spec(name.partition(".")[0]))


class Light:
    def noop(self, x: object = None) -> object:
        return x

    def pid(self) -> int:
        return os.getpid()


class Heavy(Light):
    def __init__(self) -> None:
        for name in HEAVY:
            importlib.import_module(name)
