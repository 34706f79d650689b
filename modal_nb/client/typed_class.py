"""What type checkers see of a served class besides its own members. Nothing of this module is made at run time.

``@app.cls()`` puts a ``Cls`` where the user's class was, but no checker lets a decorator add members to a class. So:

- to every checker, ``Cls.with_options(Model, ...)`` takes a served class and gives one of the same type;
- to mypy, our plugin (``modal_nb.mypy``) makes ``served_class.ServedClass`` a base of each, so that
  ``Model.with_options(...)`` and ``Model().update_autoscaler(...)`` are known, too.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import (
    TYPE_CHECKING,
    Any,
    Concatenate,
    ParamSpec,
    Protocol,
    TypeVar,
    overload,
)

from modal_nb.client.typed_faces import AutoscalerFace
from modal_nb.spec.scaling import Autoscaler

if TYPE_CHECKING:
    from modal_nb.client.cls import Cls

P = ParamSpec("P")
C = TypeVar("C")


class Unbound(Protocol[P]):
    """``Cls.with_options``: the class comes first, and its type comes back."""

    def __call__(self, served: C, /, *args: P.args, **kwargs: P.kwargs) -> C: ...


class Variant(Protocol[P]):
    """A method of ``Cls`` that gives another class of the same type."""

    @overload
    def __get__(self, instance: None, owner: type[Cls], /) -> Unbound[P]: ...
    @overload
    def __get__(self, instance: Cls, owner: type[Cls], /) -> Callable[P, Cls]: ...


class OfClass(Protocol[P]):
    """The same as a class method of the user's class."""

    def __get__(self, instance: object, owner: C, /) -> Callable[P, C]: ...


def variant(method: Callable[Concatenate[Cls, P], Cls]) -> Variant[P]:
    """Decorates a method of ``Cls``: it stays what it is, and type checkers see a ``Variant``."""
    return method


class WaitFace(Protocol):
    """``.wait_for`` and its ``.aio``."""

    def __call__(
        self,
        *,
        containers: int | None = None,
        state: str | None = None,
        queued: int | None = None,
        running: int | None = None,
        timeout: float | None = 30.0,
    ) -> None: ...
    async def aio(
        self,
        *,
        containers: int | None = None,
        state: str | None = None,
        queued: int | None = None,
        running: int | None = None,
        timeout: float | None = 30.0,  # noqa: ASYNC109 - ours
    ) -> None: ...


class InstanceAutoscalerFace(AutoscalerFace, Protocol):
    """``.update_autoscaler`` of an instance, and its ``.aio``."""

    async def aio(
        self,
        *,
        min_containers: int | None = None,
        max_containers: int | None = None,
        buffer_containers: int | None = None,
        scaledown_window: int | None = None,
    ) -> Autoscaler: ...


class PanelFace(Protocol):
    """``.panel``."""

    def __call__(self) -> Any: ...
