"""``@app.function``: declared and checked by Modal's rules; this version serves classes only."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Mapping
from typing import Any, Never

from modal_nb.exception import InvalidError
from modal_nb.runtime.partial_function import PartialFunction
from modal_nb.spec import checks
from modal_nb.spec.options import Options

_CALLS = frozenset(
    {
        "remote",
        "remote_gen",
        "spawn",
        "map",
        "starmap",
        "for_each",
        "spawn_map",
        "get_current_stats",
        "update_autoscaler",
    }
)


class DeclaredFunction:
    """A function that containers are to serve.

    ``.local(...)`` runs it here; other calls are refused by this version.
    """

    def __init__(self, name: str, raw_f: Callable[..., Any], options: Options) -> None:
        self.name = name
        self.raw_f = raw_f
        self.options = options
        functools.update_wrapper(self, raw_f)

    def local(self, *args: Any, **kwargs: Any) -> Any:
        """Run the function here."""
        return self.raw_f(*args, **kwargs)

    def __getattr__(self, name: str) -> Any:
        if name in _CALLS:
            raise InvalidError(
                f"{self.name}.{name} is not supported by this version of modal_nb, which serves "
                f"classes only: put the "
                "function into a class as a method and decorate the class with @app.cls()"
            )
        raise AttributeError(f"{self!r} has no attribute {name!r}")

    def __call__(self, *_: Any, **__: Any) -> Never:
        raise TypeError(f"{self.name} is not callable: use {self.name}.local(...) to run it here")

    def __repr__(self) -> str:
        return f"<Function {self.name}>"


def check_function(raw_f: Any, given: Mapping[str, Any]) -> None:
    """The rules of ``@app.function``: TypeError on a class, InvalidError for what else does not fit."""
    if isinstance(raw_f, type):
        raise TypeError(f"@app.function() cannot decorate the class {raw_f.__name__!r}: use @app.cls()")
    if isinstance(raw_f, PartialFunction):
        raise InvalidError(
            f"@app.function() cannot decorate the method {raw_f.raw_f.__name__!r}: decorate its class "
            f"with @app.cls()"
        )
    if not callable(raw_f):
        raise InvalidError(f"@app.function() decorates a function, not {raw_f!r} ({checks.kind(raw_f)})")
    parameters = inspect.signature(raw_f).parameters.values()
    if next((p.name for p in parameters), None) == "self":
        raise InvalidError(
            f"@app.function() cannot decorate the method {raw_f.__qualname__!r}: use "
            f"@modal_nb.method() on it and "
            "@app.cls() on its class"
        )
    if given["name"] is not None:
        checks.object_name("Function", given["name"])
    if given["is_generator"] is not None:
        checks.boolean("is_generator", given["is_generator"])
    needed = [
        p.name for p in parameters if p.default is p.empty and p.kind not in {p.VAR_POSITIONAL, p.VAR_KEYWORD}
    ]
    if given["schedule"] is not None and needed:
        raise InvalidError(
            f"A function with `schedule` cannot have arguments without defaults: {', '.join(needed)}"
        )
    generates = (
        given["is_generator"] or inspect.isgeneratorfunction(raw_f) or inspect.isasyncgenfunction(raw_f)
    )
    if generates and given["retries"]:
        raise InvalidError(f"The generator function {raw_f.__name__!r} cannot have `retries`: leave it out")
