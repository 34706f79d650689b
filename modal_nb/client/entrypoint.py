"""``@app.local_entrypoint()``: functions that the command line runs here, while the app runs."""

from __future__ import annotations

import functools
import inspect
import warnings
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, cast

from modal_nb.client.handle import Handle
from modal_nb.client.running import in_ipython
from modal_nb.exception import InvalidError, UsageError
from modal_nb.runtime.partial_function import PartialFunction
from modal_nb.spec import checks

if TYPE_CHECKING:
    from modal_nb.client.app import App


class LocalEntrypoint:
    """A function that ``modal-nb run`` calls in its own process; made by ``@app.local_entrypoint()``.

    Calling it calls the function, whose text and signature it has; an async one gives its coroutine.
    """

    def __init__(self, app: App, name: str, raw_f: Callable[..., Any]) -> None:
        self.app = app
        self.name = name
        self.raw_f = raw_f
        functools.update_wrapper(self, raw_f)
        self.__signature__ = inspect.signature(raw_f)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self.raw_f(*args, **kwargs)

    def __repr__(self) -> str:
        return f"<local entrypoint {self.name!r} of {self.app!r}>"


class Entrypoints:
    """A mixin: the entrypoints of an app."""

    @functools.cached_property
    def _entrypoints(self) -> dict[str, LocalEntrypoint]:
        return {}

    @property
    def registered_entrypoints(self) -> dict[str, LocalEntrypoint]:
        """The local entrypoints by name; those of included apps are not among them."""
        return dict(self._entrypoints)

    def local_entrypoint(
        self, *positional: Any, name: str | None = None
    ) -> Callable[[Callable[..., Any]], LocalEntrypoint]:
        """A function, plain or async, that ``modal-nb run FILE`` calls in its own process while the app runs.

        Its parameters become flags of the command line. ``name``: what it is called there instead of its own
        name. UsageError without the parentheses, InvalidError for a name that does not fit.
        """
        if positional:
            raise UsageError(
                f"Positional arguments are not allowed in @app.local_entrypoint, got {positional[0]!r}. Did you "
                "forget parentheses? Write @app.local_entrypoint()."
            )
        if name is not None:
            checks.object_name("Entrypoint", name)
        return lambda raw_f: self._register_entrypoint(raw_f, name)

    def _register_entrypoint(self, raw_f: Any, name: str | None) -> LocalEntrypoint:
        plain = _check_function(raw_f)
        chosen = name or plain.__name__
        known = self._entrypoints.get(chosen)
        if known is not None and not in_ipython():
            warnings.warn(
                f"the local entrypoint {chosen!r} was already defined in {self!r}; the last definition counts",
                stacklevel=3,
            )
        made = self._entrypoints[chosen] = LocalEntrypoint(cast("App", self), chosen, plain)
        return made


def _check_function(raw_f: Any) -> Callable[..., Any]:
    """InvalidError for what is no plain function."""
    if isinstance(raw_f, Handle | PartialFunction):
        raise InvalidError(
            f"@app.local_entrypoint() cannot decorate {raw_f!r}, which containers serve: put it on a plain function "
            "that calls it by .remote(...)"
        )
    if not inspect.isfunction(raw_f):
        raise InvalidError(
            f"@app.local_entrypoint() decorates a function, not {raw_f!r} ({checks.kind(raw_f)})"
        )
    return raw_f
