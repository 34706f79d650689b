"""The faces of what containers serve, as type checkers and editors see them: ``f(...)`` and ``f.aio(...)``.

Nothing of this module is made at run time; ``client.dual`` and ``client.method`` are what is there.
"""

from __future__ import annotations

from collections.abc import AsyncIterable, AsyncIterator, Iterable, Iterator, Mapping
from typing import Any, Literal, ParamSpec, Protocol, TypeVar, overload

from modal_nb.spec.scaling import Autoscaler

P = ParamSpec("P")
Item_co = TypeVar("Item_co", covariant=True)

Inputs = Iterable[Any] | AsyncIterable[Any]


class Face(Protocol[P, Item_co]):
    """A call with two faces: ``f(...)`` blocks, ``await f.aio(...)`` does not."""

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> Item_co: ...
    async def aio(self, *args: P.args, **kwargs: P.kwargs) -> Item_co: ...


class Results(Protocol[Item_co]):
    """What a ``.map`` gives: iterate it with ``for`` or ``async for``."""

    def __iter__(self) -> Iterator[Item_co]: ...
    def __aiter__(self) -> AsyncIterator[Item_co]: ...


class MapFace(Protocol[Item_co]):
    """``.map`` and its ``.aio``. Returned exceptions are items, too."""

    @overload
    def __call__(
        self,
        *input_iterators: Inputs,
        kwargs: Mapping[str, Any] | None = None,
        order_outputs: bool = True,
        return_exceptions: Literal[False] = False,
        wrap_returned_exceptions: Any = None,
    ) -> Results[Item_co]: ...
    @overload
    def __call__(
        self,
        *input_iterators: Inputs,
        kwargs: Mapping[str, Any] | None = None,
        order_outputs: bool = True,
        return_exceptions: bool,
        wrap_returned_exceptions: Any = None,
    ) -> Results[Item_co | Exception]: ...
    @property
    def aio(self) -> MapFace[Item_co]: ...


class StarmapFace(Protocol[Item_co]):
    """``.starmap`` and its ``.aio``."""

    @overload
    def __call__(
        self,
        input_iterator: Inputs,
        *,
        kwargs: Mapping[str, Any] | None = None,
        order_outputs: bool = True,
        return_exceptions: Literal[False] = False,
        wrap_returned_exceptions: Any = None,
    ) -> Results[Item_co]: ...
    @overload
    def __call__(
        self,
        input_iterator: Inputs,
        *,
        kwargs: Mapping[str, Any] | None = None,
        order_outputs: bool = True,
        return_exceptions: bool,
        wrap_returned_exceptions: Any = None,
    ) -> Results[Item_co | Exception]: ...
    @property
    def aio(self) -> StarmapFace[Item_co]: ...


class ForEachFace(Protocol):
    """``.for_each`` and its ``.aio``."""

    def __call__(
        self,
        *input_iterators: Inputs,
        kwargs: Mapping[str, Any] | None = None,
        ignore_exceptions: bool = False,
    ) -> None: ...
    async def aio(
        self,
        *input_iterators: Inputs,
        kwargs: Mapping[str, Any] | None = None,
        ignore_exceptions: bool = False,
    ) -> None: ...


class SpawnMapFace(Protocol[Item_co]):
    """``.spawn_map``, whose results are thrown away, and ``.experimental_spawn_map``, which keeps them."""

    def __call__(self, *input_iterators: Inputs, kwargs: Mapping[str, Any] | None = None) -> Item_co: ...
    async def aio(self, *input_iterators: Inputs, kwargs: Mapping[str, Any] | None = None) -> Item_co: ...


class ItemsFace(Protocol[P, Item_co]):
    """``.remote_gen`` and its ``.aio``."""

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> Iterator[Item_co]: ...
    def aio(self, *args: P.args, **kwargs: P.kwargs) -> AsyncIterator[Item_co]: ...


class AutoscalerFace(Protocol):
    """``.update_autoscaler`` of a function; methods share the one of their instance."""

    def __call__(
        self,
        *,
        min_containers: int | None = None,
        max_containers: int | None = None,
        buffer_containers: int | None = None,
        scaledown_window: int | None = None,
    ) -> Autoscaler: ...
