"""``@app.function``: a function served by containers of its own, by the machinery of classes: one class, one method."""

from __future__ import annotations

import functools
import inspect
import warnings
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from modal_nb.client.cls import by_name, handle
from modal_nb.client.declaration import Declaration
from modal_nb.client.handle import Handle
from modal_nb.client.method import Function
from modal_nb.client.obj import Obj
from modal_nb.client.schema import declare
from modal_nb.exception import DeprecationError, InvalidError
from modal_nb.runtime.partial_function import Mark, PartialFunction
from modal_nb.spec import checks
from modal_nb.spec.cls_spec import MethodSpec
from modal_nb.spec.options import Options
from modal_nb.spec.scaling import Autoscaler

if TYPE_CHECKING:
    from modal_nb.client.app import App
    from modal_nb.client.cls import Cls


class AppFunction(Function):
    """A function that containers serve; ``@app.function()`` makes it in place of the plain one.

    Call it by ``.remote(...)``, ``.local(...)``, ``.map(...)``, ``.spawn(...)``. Pickled, it travels as a reference.
    """

    def __init__(self, cls: Cls) -> None:
        """``cls``: the class whose one method it is."""
        spec = cls.__modal__.spec
        # of a looked-up one only the name is known, which is that of its one method, too
        method = MethodSpec(cls.__modal__.name) if spec is None else spec.methods[0]
        super().__init__(Obj(cls, (), {}), method)
        self._cls = cls
        part = getattr(cls.__modal__.user_cls, method.name, None)
        if part is not None:
            functools.update_wrapper(self, part.raw_f)
            self.__signature__ = inspect.signature(part.raw_f)

    @property
    def served(self) -> Cls:
        """The class whose one method it is."""
        return self._cls

    def local(self, *args: Any, **kwargs: Any) -> Any:
        """Run the function in this process. An async one gives a coroutine, a generator its iterator."""
        return self._obj.__modal__.service().method(self._spec.name).call(*args, **kwargs)

    def update_autoscaler(  # type: ignore[override]
        self,
        *,
        min_containers: int | None = None,
        max_containers: int | None = None,
        buffer_containers: int | None = None,
        scaledown_window: int | None = None,
    ) -> Autoscaler:
        """Change the settings that are given, at once and without restarts; returns all four."""
        settings: Autoscaler = self._obj.update_autoscaler(
            min_containers=min_containers,
            max_containers=max_containers,
            buffer_containers=buffer_containers,
            scaledown_window=scaledown_window,
        )
        return settings

    def keep_warm(self, warm_pool_size: int) -> Autoscaler:  # type: ignore[override]
        """Older spelling of ``update_autoscaler(min_containers=...)``."""
        said = "keep_warm is an older spelling: use update_autoscaler(min_containers=...)"
        warnings.warn(said, DeprecationError, stacklevel=2)
        return self.update_autoscaler(min_containers=warm_pool_size)

    @property
    def __modal__(self) -> Declaration:
        """Of the class whose one method it is."""
        return self._cls.__modal__

    def __reduce__(self) -> Any:
        return AppFunction, (self._cls,)

    @property
    def _label(self) -> str:
        return self._spec.name

    def _no_autoscaler(self, face: str) -> InvalidError:
        return InvalidError(
            f"{self._label}.{face} is not supported by this version of modal_nb: use "
            f"{self._label}.update_autoscaler(...), which returns all settings, too"
        )


def named(
    app_name: str, name: str, version: int | None, environment_name: str | None, client: Any
) -> AppFunction:
    """What ``Function.from_name`` gives."""
    return AppFunction(handle(by_name("Function", app_name, name, version, environment_name, client)))


def made_of(app: App, name: str, raw_f: Any, given: Mapping[str, Any], options: Options) -> AppFunction:
    """The handle of a function that passed ``check_function``."""
    batched = isinstance(raw_f, PartialFunction)
    part = raw_f if batched else PartialFunction(raw_f, Mark.METHOD, is_generator=given["is_generator"])
    part.free = True
    user_cls = type(
        name, (), {name: part, "__module__": part.raw_f.__module__, "__doc__": part.raw_f.__doc__}
    )
    refused = () if given["schedule"] is None else ("schedule",)
    declaration = Declaration(name, app, user_cls, declare(user_cls), options, refused=refused)
    return AppFunction(handle(declaration))


def check_function(raw_f: Any, given: Mapping[str, Any]) -> Callable[..., Any]:
    """The rules of ``@app.function``: TypeError on a class, InvalidError for what else does not fit.

    The plain function, under ``@batched`` too.
    """
    if isinstance(raw_f, type):
        raise TypeError(f"@app.function() cannot decorate the class {raw_f.__name__!r}: use @app.cls()")
    plain = _plain(raw_f)
    parameters = inspect.signature(plain).parameters.values()
    if next((p.name for p in parameters), None) == "self":
        raise InvalidError(
            f"@app.function() cannot decorate the method {plain.__qualname__!r}: use @modal_nb.method() on it and "
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
        given["is_generator"] or inspect.isgeneratorfunction(plain) or inspect.isasyncgenfunction(plain)
    )
    if generates and given["retries"]:
        raise InvalidError(f"The generator function {plain.__name__!r} cannot have `retries`: leave it out")
    if isinstance(raw_f, PartialFunction) and len(needed) < len(parameters):
        raise InvalidError(
            f"The batched function {plain.__name__!r} cannot have default arguments: every caller gives every one"
        )
    return plain


def _plain(raw_f: Any) -> Callable[..., Any]:
    """The function itself; ``@batched`` may stand on it, other marks may not."""
    if isinstance(raw_f, PartialFunction):
        if raw_f.max_batch_size is None:
            raise InvalidError(
                f"@app.function() cannot decorate the method {raw_f.raw_f.__name__!r}: decorate its class "
                f"with @app.cls()"
            )
        return raw_f.raw_f
    if isinstance(raw_f, Handle):
        raise TypeError(
            f"@app.function() cannot decorate {raw_f!r}, which containers serve already: put it on a plain function"
        )
    if not callable(raw_f):
        raise InvalidError(f"@app.function() decorates a function, not {raw_f!r} ({checks.kind(raw_f)})")
    plain: Callable[..., Any] = raw_f
    return plain
