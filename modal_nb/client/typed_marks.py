"""What type checkers see of the decorators: which user code becomes which class of ``client.typed``.

Of overloads the first that fits counts: coroutines and iterators come before what returns anything else.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Coroutine, Iterable, Iterator
from typing import Any, Concatenate, ParamSpec, Protocol, TypeVar, overload

from modal_nb.client.typed import BatchedFunction, Function, GeneratorFunction

P = ParamSpec("P")
L = ParamSpec("L")
R = TypeVar("R")
O = TypeVar("O")  # noqa: E741 - as in client.typed
T = TypeVar("T", bound=type)
A = TypeVar("A")
B = TypeVar("B")
C = TypeVar("C")

Awaited = Coroutine[Any, Any, R]


class ClsMark(Protocol):
    """``@app.cls()``: to a type checker the class stays the user's own, with a constructor of its parameters."""

    def __call__(self, user_cls: T, /) -> T: ...


class MethodMark(Protocol):
    """``@method()``."""

    @overload
    def __call__(self, f: Callable[Concatenate[Any, P], Awaited[R]], /) -> Function[P, R, Awaited[R]]: ...
    @overload
    def __call__(  # type: ignore[overload-overlap]
        self, f: Callable[Concatenate[Any, P], AsyncIterator[R]], /
    ) -> GeneratorFunction[P, R, AsyncIterator[R]]: ...
    @overload
    def __call__(  # type: ignore[overload-overlap]
        self, f: Callable[Concatenate[Any, P], Iterator[R]], /
    ) -> GeneratorFunction[P, R, Iterator[R]]: ...
    @overload
    def __call__(self, f: Callable[Concatenate[Any, P], R], /) -> Function[P, R, R]: ...


class GeneratorMark(Protocol):
    """``@method(is_generator=True)``."""

    @overload
    def __call__(
        self, f: Callable[Concatenate[Any, P], AsyncIterator[R]], /
    ) -> GeneratorFunction[P, R, AsyncIterator[R]]: ...
    @overload
    def __call__(
        self, f: Callable[Concatenate[Any, P], Iterable[R]], /
    ) -> GeneratorFunction[P, R, Iterable[R]]: ...


class FunctionMark(Protocol):
    """``@app.function()``."""

    @overload
    def __call__(self, f: BatchedFunction[P, R, L, O], /) -> BatchedFunction[P, R, L, O]: ...
    @overload
    def __call__(self, f: Callable[P, Awaited[R]], /) -> Function[P, R, Awaited[R]]: ...
    @overload
    def __call__(self, f: Callable[P, AsyncIterator[R]], /) -> GeneratorFunction[P, R, AsyncIterator[R]]: ...  # type: ignore[overload-overlap]
    @overload
    def __call__(self, f: Callable[P, Iterator[R]], /) -> GeneratorFunction[P, R, Iterator[R]]: ...  # type: ignore[overload-overlap]
    @overload
    def __call__(self, f: Callable[P, R], /) -> Function[P, R, R]: ...


class BatchedMark(Protocol):
    """``@batched(...)``, on functions and on methods of up to three lists; a longer one takes anything."""

    @overload
    def __call__(
        self, f: Callable[[list[A]], Awaited[list[R]]], /
    ) -> BatchedFunction[[A], R, [list[A]], Awaited[list[R]]]: ...
    @overload
    def __call__(self, f: Callable[[list[A]], list[R]], /) -> BatchedFunction[[A], R, [list[A]], list[R]]: ...
    @overload
    def __call__(
        self, f: Callable[[list[A], list[B]], Awaited[list[R]]], /
    ) -> BatchedFunction[[A, B], R, [list[A], list[B]], Awaited[list[R]]]: ...
    @overload
    def __call__(
        self, f: Callable[[list[A], list[B]], list[R]], /
    ) -> BatchedFunction[[A, B], R, [list[A], list[B]], list[R]]: ...
    @overload
    def __call__(
        self, f: Callable[[list[A], list[B], list[C]], Awaited[list[R]]], /
    ) -> BatchedFunction[[A, B, C], R, [list[A], list[B], list[C]], Awaited[list[R]]]: ...
    @overload
    def __call__(
        self, f: Callable[[list[A], list[B], list[C]], list[R]], /
    ) -> BatchedFunction[[A, B, C], R, [list[A], list[B], list[C]], list[R]]: ...
    @overload
    def __call__(
        self, f: Callable[[Any, list[A]], Awaited[list[R]]], /
    ) -> BatchedFunction[[A], R, [list[A]], Awaited[list[R]]]: ...
    @overload
    def __call__(
        self, f: Callable[[Any, list[A]], list[R]], /
    ) -> BatchedFunction[[A], R, [list[A]], list[R]]: ...
    @overload
    def __call__(
        self, f: Callable[[Any, list[A], list[B]], Awaited[list[R]]], /
    ) -> BatchedFunction[[A, B], R, [list[A], list[B]], Awaited[list[R]]]: ...
    @overload
    def __call__(
        self, f: Callable[[Any, list[A], list[B]], list[R]], /
    ) -> BatchedFunction[[A, B], R, [list[A], list[B]], list[R]]: ...
    @overload
    def __call__(
        self, f: Callable[[Any, list[A], list[B], list[C]], Awaited[list[R]]], /
    ) -> BatchedFunction[[A, B, C], R, [list[A], list[B], list[C]], Awaited[list[R]]]: ...
    @overload
    def __call__(
        self, f: Callable[[Any, list[A], list[B], list[C]], list[R]], /
    ) -> BatchedFunction[[A, B, C], R, [list[A], list[B], list[C]], list[R]]: ...
    @overload
    def __call__(self, f: Callable[..., Any], /) -> BatchedFunction[..., Any, ..., Any]: ...
