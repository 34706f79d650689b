"""Acts on modules when, and if, user code imports them: no container loads IPython for the sake of those that might."""

from __future__ import annotations

import importlib.machinery
import sys
from collections.abc import Callable, Mapping, Sequence
from types import ModuleType

Act = Callable[[ModuleType], None]


class Arrivals:
    """A finder of modules, before the others. It finds nothing by itself."""

    def __init__(self, acts: Mapping[str, Act]) -> None:
        """``acts``: what is called with the module of this name, right after it was executed."""
        self._acts = dict(acts)

    def install(self) -> None:
        """Modules that are there already are acted on now."""
        for name, act in self._acts.items():
            if name in sys.modules:
                act(sys.modules[name])
        sys.meta_path.insert(0, self)

    def find_spec(
        self, name: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        """Called by Python for each module that is imported for the first time."""
        act = self._acts.get(name)
        if act is None:
            return None
        for finder in sys.meta_path:
            find = None if finder is self else getattr(finder, "find_spec", None)
            spec = None if find is None else find(name, path, target)
            if spec is not None and spec.loader is not None:
                _then(spec.loader, act)
                return spec  # type: ignore[no-any-return]
        return None


def _then(loader: object, act: Act) -> None:
    execute: Act = loader.exec_module  # type: ignore[attr-defined]

    def exec_module(module: ModuleType) -> None:
        execute(module)
        act(module)

    loader.exec_module = exec_module  # type: ignore[attr-defined]
