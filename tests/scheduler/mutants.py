"""Copies of the scheduler with one fault put into their source each: what the simulation must notice."""

from __future__ import annotations

import importlib.util
import re
import sys
from pathlib import Path
from types import ModuleType

import modal_nb.scheduler
from modal_nb.scheduler.scheduler import Scheduler
from tests.scheduler.faults import FAULTS

_ROOM = Path(modal_nb.scheduler.__file__).parent
#: the copies speak with the world in the original records
_SHARED = ("events", "effects")


def mutant(fault: str) -> type[Scheduler]:
    """The Scheduler of a copy of the room that has this fault."""
    module, old, new = FAULTS[fault]
    room = "mutant_" + re.sub(r"\W", "_", fault)
    package = ModuleType(room)
    package.__path__ = []
    sys.modules[room] = package
    sources = {path.stem: path.read_text(encoding="utf-8") for path in _ROOM.glob("*.py")}
    assert sources[module].count(old) == 1, f"{old!r} must stand exactly once in {module}.py"
    sources[module] = sources[module].replace(old, new)
    loader = _Loader(room, sources)
    return loader.load("scheduler").Scheduler


class _Loader:
    """Loads each module of the copy after those it imports."""

    def __init__(self, room: str, sources: dict[str, str]) -> None:
        self.room, self.sources = room, sources

    def load(self, name: str) -> ModuleType:
        full = f"{self.room}.{name}"
        if full in sys.modules:
            return sys.modules[full]
        source = self._renamed(self.sources[name])
        for other in re.findall(rf"^from {self.room}\.(\w+) import", source, re.MULTILINE):
            self.load(other)
        for line in re.findall(rf"^from {self.room} import (\(.*?\)|.*?)$", source, re.MULTILINE | re.DOTALL):
            for other in re.findall(r"\w+", line):
                setattr(sys.modules[self.room], other, self.load(other))
        spec = importlib.util.spec_from_loader(full, loader=None)
        assert spec is not None
        module = importlib.util.module_from_spec(spec)
        sys.modules[full] = module
        exec(compile(source, full, "exec"), module.__dict__)
        return module

    def _renamed(self, source: str) -> str:
        kept = "|".join(_SHARED)
        source = re.sub(rf"modal_nb\.scheduler\.(?!{kept})", f"{self.room}.", source)
        return source.replace("from modal_nb.scheduler import", f"from {self.room} import")
