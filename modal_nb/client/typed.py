"""What type checkers and editors see of functions, methods and their calls. Nothing of this module is made at run time.

For a type checker ``@method``, ``@batched`` and ``@app.function`` give the classes below, which know the parameters and
the result of the user's code. What is really there is ``client.method.Function``; a test compares the two.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any, ClassVar, Generic, ParamSpec, Protocol, TypeVar

from modal_nb.client.call_graph import InputInfo
from modal_nb.client.call_logs import CallLogs
from modal_nb.client.client import Client
from modal_nb.client.typed_faces import (
    AutoscalerFace,
    Face,
    ForEachFace,
    ItemsFace,
    MapFace,
    SpawnMapFace,
    StarmapFace,
)
from modal_nb.protocol.messages import PoolStats
from modal_nb.spec.scaling import Autoscaler

P = ParamSpec("P")
#: the parameters of ``.local`` where they are others than those of a call
L = ParamSpec("L")
#: the result of one input, or one item of a generator
R = TypeVar("R")
#: what the user's own code returns: a coroutine if it is async, an iterator if it is a generator
O = TypeVar("O")  # noqa: E741 - Modal's Function has P, R and O, too
A = TypeVar("A")
R_co = TypeVar("R_co", covariant=True)


class Served(Generic[P, O]):
    """What every kind of function has."""

    #: run it here
    local: Callable[P, O]
    get_current_stats: Face[[], PoolStats]
    #: of a function; methods share the autoscaler of their instance
    update_autoscaler: AutoscalerFace
    keep_warm: Callable[[int], Autoscaler]


class Function(Served[P, O], Generic[P, R, O]):
    """A method or a function that containers serve."""

    #: a function of a deployed app
    from_name: ClassVar[FromNameFace]
    #: run one input in a container and wait for its result
    remote: Face[P, R]
    #: run many inputs; iterate the results
    map: MapFace[R]
    #: ``map`` over tuples of arguments
    starmap: StarmapFace[R]
    #: run many inputs and wait until all are done
    for_each: ForEachFace
    #: start one input and go on; the FunctionCall gives the result
    spawn: Face[P, FunctionCall[R]]
    spawn_map: SpawnMapFace[None]
    experimental_spawn_map: SpawnMapFace[FunctionCall[R]]


class NamedFunction(Function[..., Any, Any]):
    """A function found by its name: what it takes and gives is not known, and it may be a generator."""

    remote_gen: ItemsFace[..., Any]


class FromNameFace(Protocol):
    """``Function.from_name``."""

    def __call__(
        self,
        app_name: str,
        name: str,
        *,
        version: int | None = None,
        environment_name: str | None = None,
        client: Client | None = None,
    ) -> NamedFunction: ...


class GeneratorFunction(Served[P, O], Generic[P, R, O]):
    """A generator that containers serve."""

    #: run it in a container and iterate its items
    remote_gen: ItemsFace[P, R]


class BatchedFunction(Function[P, R, O], Generic[P, R, L, O]):
    """What takes lists and is called with single values; ``local`` is the plain code and takes lists."""

    local: Callable[L, O]  # type: ignore[assignment]


class GetFace(Protocol[R_co]):
    """``.get`` and its ``.aio``."""

    def __call__(self, timeout: float | None = None, *, index: int = 0) -> R_co: ...
    async def aio(self, timeout: float | None = None, *, index: int = 0) -> R_co: ...  # noqa: ASYNC109 - Modal's


class IterFace(Protocol[R_co]):
    """``.iter`` and its ``.aio``."""

    def __call__(self, *, start: int = 0, end: int | None = None) -> Iterator[R_co]: ...
    def aio(self, *, start: int = 0, end: int | None = None) -> AsyncIterator[R_co]: ...


class CancelFace(Protocol):
    """``.cancel`` and its ``.aio``."""

    def __call__(self, terminate_containers: bool = False) -> None: ...
    async def aio(self, terminate_containers: bool = False) -> None: ...


class GatherFace(Protocol):
    """``FunctionCall.gather`` and its ``.aio``."""

    def __call__(self, *function_calls: FunctionCall[A]) -> list[A]: ...
    async def aio(self, *function_calls: FunctionCall[A]) -> list[A]: ...


class FromIdFace(Protocol):
    """``FunctionCall.from_id``."""

    def __call__(self, function_call_id: str, client: Client | None = None) -> FunctionCall[Any]: ...


class FunctionCall(Generic[R_co]):
    """A call that runs, or ran, on its own. Made by ``.spawn`` and ``FunctionCall.from_id``."""

    #: the results of many calls, in their order, when all are there
    gather: ClassVar[GatherFace]
    from_id: ClassVar[FromIdFace]
    object_id: str
    #: the result, or the exception raised
    get: GetFace[R_co]
    iter: IterFace[R_co]
    num_inputs: Face[[], int]
    #: end it
    cancel: CancelFace
    get_call_graph: Face[[], list[InputInfo]]
    #: what its inputs printed
    logs: CallLogs
