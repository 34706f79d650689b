"""Methods with two faces: ``f(...)`` blocks, ``await f.aio(...)`` does not."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Concatenate, Generic, ParamSpec, TypeVar, overload

S = TypeVar("S")
P = ParamSpec("P")
R = TypeVar("R")


class Faces(Generic[P, R]):
    """A bound method: call it and it blocks; its ``aio`` gives an awaitable (or an async iterable)."""

    def __init__(self, blocking: Callable[P, R], aio: Callable[P, Any]) -> None:
        self._blocking = blocking
        #: the awaitable face, with the same parameters
        self.aio = aio
        self.__doc__ = blocking.__doc__

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
        __tracebackhide__ = True  # IPython leaves such frames out: users want theirs and the container's
        return self._blocking(*args, **kwargs)

    @property
    def __wrapped__(self) -> Callable[P, R]:
        return self._blocking

    def __repr__(self) -> str:
        return f"<{getattr(self._blocking, '__qualname__', 'method')}, also .aio>"


class dual(Generic[S, P, R]):  # noqa: N801 - a decorator, read as one
    """Decorates the blocking method; ``@name.awaited`` adds its other face."""

    def __init__(self, blocking: Callable[Concatenate[S, P], R]) -> None:
        self._blocking = blocking
        self._awaited: Callable[..., Any] = _missing
        self.__doc__ = blocking.__doc__

    def awaited(self, method: Callable[..., Any]) -> Callable[..., Any]:
        """Decorates the method behind ``.aio``, which has a name of its own."""
        self._awaited = method
        return method

    @overload
    def __get__(self, instance: None, owner: type) -> dual[S, P, R]: ...

    @overload
    def __get__(self, instance: S, owner: type) -> Faces[P, R]: ...

    def __get__(self, instance: S | None, owner: type) -> dual[S, P, R] | Faces[P, R]:
        if instance is None:
            return self
        blocking: Callable[P, R] = self._blocking.__get__(instance, owner)
        return Faces(blocking, self._awaited.__get__(instance, owner))


def _missing(*_args: Any, **_kwargs: Any) -> None:
    raise NotImplementedError("the awaitable face was never given")
