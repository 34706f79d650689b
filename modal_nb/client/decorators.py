"""The decorators of a class body and of a class: they mark, and check what one mark alone can break."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Literal, ParamSpec, TypeVar, cast, overload

from modal_nb.client.handle import Handle
from modal_nb.exception import InvalidError, UsageError
from modal_nb.runtime.partial_function import Mark, PartialFunction
from modal_nb.spec import checks
from modal_nb.spec.scaling import Batching, Concurrency

if TYPE_CHECKING:
    from modal_nb.client.typed_marks import BatchedMark, GeneratorMark, MethodMark

C = TypeVar("C")
P = ParamSpec("P")
R = TypeVar("R")

#: where ``concurrent`` leaves its mark in a class's own namespace
CONCURRENCY = "_modal_concurrency"

Decorator = Callable[[Callable[..., Any]], PartialFunction]


def _keywords_only(arguments: str = "") -> Callable[[Callable[P, R]], Callable[P, R]]:
    """A decorator maker whose use without parentheses is told with the fix, before what else it lacks."""

    def wrap(make: Callable[P, R]) -> Callable[P, R]:
        @functools.wraps(make)
        def checked(*args: P.args, **kwargs: P.kwargs) -> R:
            if args:
                name = make.__name__
                raise UsageError(
                    f"Positional arguments are not allowed in @{name}. Did you forget parentheses? "
                    f"Write @modal_nb.{name}({arguments})."
                )
            return make(*args, **kwargs)

        return checked

    return wrap


@overload
def method(*, is_generator: Literal[True]) -> GeneratorMark: ...  # type: ignore[overload-overlap]


@overload
def method(*, is_generator: bool | None = None) -> MethodMark: ...


@_keywords_only()
def method(*, is_generator: bool | None = None) -> Any:
    """A method that containers serve: ``obj.name.remote(...)``, ``.local``, ``.map`` and so on.

    ``is_generator``: only where it cannot be seen from the function, such as behind another decorator.
    """
    if is_generator is not None:
        checks.boolean("is_generator", is_generator)

    def mark(function: Callable[..., Any]) -> PartialFunction:
        raw_f = _interface("method", function)
        return PartialFunction(raw_f, Mark.METHOD, is_generator=is_generator)

    return mark


@_keywords_only()
def enter(*, snap: bool = False) -> Decorator:
    """A hook that every container runs once before its first input, sync or async.

    ``snap=True`` hooks run first; with ``enable_memory_snapshot`` what they made may be kept for later
    containers.
    """
    checks.boolean("snap", snap)
    return lambda function: PartialFunction(_lifecycle("enter", function), Mark.ENTER, snap=snap)


@_keywords_only()
def exit() -> Decorator:
    """A hook that a container runs once when it is stopped, sync or async.

    Not after a crash or a hard timeout.
    """
    return lambda function: PartialFunction(_lifecycle("exit", function), Mark.EXIT)


@_keywords_only("max_batch_size=..., wait_ms=...")
def batched(*, max_batch_size: int, wait_ms: int) -> BatchedMark:
    """A method that gets lists: callers pass single values, which are handed over together.

    ``max_batch_size``: the most at once, 1 to 1000. ``wait_ms``: milliseconds that a batch waits for more
    once it has begun, 0 to 600000. Replaces ``method``.
    """
    batching = Batching.declared(max_batch_size=max_batch_size, wait_ms=wait_ms)

    def mark(function: Callable[..., Any]) -> PartialFunction:
        raw_f = _interface("batched", function)
        size, wait = batching.max_batch_size, batching.wait_ms
        return PartialFunction(raw_f, Mark.METHOD, max_batch_size=size, wait_ms=wait)

    return cast("BatchedMark", mark)


@_keywords_only("max_inputs=...")
def concurrent(*, max_inputs: int, target_inputs: int | None = None) -> Callable[[C], C]:
    """A class whose containers run up to ``max_inputs`` inputs at a time; stands below ``@app.cls``.

    ``target_inputs``: what the autoscaler aims at per container, so that bursts find room; default
    ``max_inputs``.
    """
    concurrency = Concurrency.declared(max_inputs=max_inputs, target_inputs=target_inputs)

    def mark(target: C) -> C:
        if isinstance(target, PartialFunction):
            raise InvalidError(
                f"@concurrent cannot stand on the method {target.raw_f.__name__!r}: decorate the "
                f"class with it, "
                "below @app.cls"
            )
        if not isinstance(target, type) and not inspect.isfunction(target):
            raise InvalidError(
                f"@concurrent cannot decorate {target!r}: it stands on a class or function, below "
                f"@app.cls or "
                "@app.function. If it is above, swap the order."
            )
        setattr(target, CONCURRENCY, concurrency)
        return target

    return mark


def concurrency_of(target: Any) -> Concurrency | None:
    """What ``concurrent`` marked on this very class or function; a base class's mark does not count."""
    found: Concurrency | None = vars(target).get(CONCURRENCY)
    return found


# ---- methods that are served over HTTP: declared and checked, refused by name at first use


@_keywords_only()
def fastapi_endpoint(
    *,
    method: str = "GET",
    label: str | None = None,
    custom_domains: Sequence[str] | None = None,
    docs: bool = False,
    requires_proxy_auth: bool = False,
) -> Decorator:
    """A method as an HTTP endpoint. No back end of this version serves HTTP: refused by name at first use."""
    checks.text("method", method)
    checks.boolean("docs", docs)
    _check_web(label, custom_domains, requires_proxy_auth)
    return lambda function: _web("fastapi_endpoint", _interface("fastapi_endpoint", function))


@_keywords_only()
def asgi_app(
    *,
    label: str | None = None,
    custom_domains: Sequence[str] | None = None,
    requires_proxy_auth: bool = False,
) -> Decorator:
    """A method that returns an ASGI app. No back end of this version serves HTTP: refused at first use."""
    _check_web(label, custom_domains, requires_proxy_auth)
    return lambda function: _web("asgi_app", _nullary("asgi_app", function))


@_keywords_only()
def wsgi_app(
    *,
    label: str | None = None,
    custom_domains: Sequence[str] | None = None,
    requires_proxy_auth: bool = False,
) -> Decorator:
    """A method that returns a WSGI app. No back end of this version serves HTTP: refused at first use."""
    _check_web(label, custom_domains, requires_proxy_auth)
    return lambda function: _web("wsgi_app", _nullary("wsgi_app", function))


def web_server(
    port: int,
    *,
    startup_timeout: float = 5.0,
    label: str | None = None,
    custom_domains: Sequence[str] | None = None,
    requires_proxy_auth: bool = False,
) -> Decorator:
    """A method that starts a server on ``port``. No back end serves HTTP yet: refused at first use."""
    if callable(port):
        raise UsageError("@web_server needs a port. Did you forget it? Write @modal_nb.web_server(8000).")
    checks.integer("port", port, 1, 65535)
    checks.number("startup_timeout", startup_timeout, 0)
    _check_web(label, custom_domains, requires_proxy_auth)
    return lambda function: _web("web_server", _nullary("web_server", function))


def _check_web(label: Any, custom_domains: Any, requires_proxy_auth: Any) -> None:
    if label is not None:
        checks.text("label", label)
    if custom_domains is not None:
        checks.texts("custom_domains", custom_domains)
    checks.boolean("requires_proxy_auth", requires_proxy_auth)


def _web(name: str, raw_f: Callable[..., Any]) -> PartialFunction:
    part = PartialFunction(raw_f, Mark.METHOD)
    part.web = name
    return part


def _nullary(name: str, function: Any) -> Callable[..., Any]:
    """The plain function; InvalidError unless it is sync and takes nothing besides self."""
    raw_f = _interface(name, function)
    if inspect.iscoroutinefunction(raw_f) or inspect.isasyncgenfunction(raw_f):
        raise InvalidError(f"@{name} cannot decorate the async function {raw_f.__name__!r}: make it sync")
    own = list(inspect.signature(raw_f).parameters.values())[1:]
    if any(p.default is p.empty and p.kind not in {p.VAR_POSITIONAL, p.VAR_KEYWORD} for p in own):
        raise InvalidError(
            f"@{name} cannot decorate {raw_f.__name__!r}: it must take no arguments besides self"
        )
    return raw_f


# ---- the rules that marks share


def _interface(name: str, function: Any) -> Callable[..., Any]:
    """The plain function under a mark that makes a method callable from outside."""
    if isinstance(function, PartialFunction):
        if function.mark is not Mark.METHOD:
            raise _mixed()
        raise InvalidError(
            f"Interface decorators cannot be set twice: {function.raw_f.__name__!r} has one already; "
            f"keep one of them"
        )
    return _plain(name, function)


def _lifecycle(name: str, function: Any) -> Callable[..., Any]:
    """The plain function under a mark that makes a hook."""
    if isinstance(function, PartialFunction):
        if function.mark is Mark.METHOD:
            raise _mixed()
        raise InvalidError(
            f"Lifecycle decorators cannot be set twice: {function.raw_f.__name__!r} has one already; "
            "write one function for each"
        )
    return _plain(name, function)


def _mixed() -> InvalidError:
    return InvalidError(
        "Interface decorators (@method, @batched, web) cannot be combined with lifecycle decorators "
        "(@enter, @exit): "
        "write one function for each"
    )


def _plain(name: str, function: Any) -> Callable[..., Any]:
    if isinstance(function, Handle):
        on_functions = "; on a function it stands below @app.function()" if name == "batched" else ""
        raise InvalidError(
            f"@{name} cannot decorate {function!r}, which containers serve already: put it on a plain method in "
            f"the body of a class, and only @app.cls() on the class{on_functions}"
        )
    if isinstance(function, type):
        raise InvalidError(
            f"@{name} cannot decorate the class {function.__name__!r}: decorate its methods, and the "
            f"class with @app.cls()"
        )
    if isinstance(function, staticmethod | classmethod | property):
        raise InvalidError(
            f"@{name} cannot decorate a {type(function).__name__}: it needs a plain method with self"
        )
    if not callable(function):
        raise InvalidError(f"@{name} cannot decorate {function!r}: it needs a function")
    if CONCURRENCY in getattr(function, "__dict__", {}):
        raise InvalidError(
            f"@concurrent cannot stand on the method {function.__name__!r}: decorate the class with it"
        )
    return function  # type: ignore[no-any-return]
