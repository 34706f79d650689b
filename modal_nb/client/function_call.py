"""``FunctionCall``: what ``.spawn`` gives, to ask for the result later."""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncIterator, Iterator, Sequence
from types import GenericAlias
from typing import Any, ClassVar

from modal_nb.client import call_state, stored, waiting
from modal_nb.client import session as sessions
from modal_nb.client.call_graph import InputInfo, graph
from modal_nb.client.call_logs import CallLogs
from modal_nb.client.client import Client, session_of
from modal_nb.client.dual import Faces, dual
from modal_nb.client.showing import card_of
from modal_nb.client.waiting import AnyCall
from modal_nb.exception import InvalidError
from modal_nb.runtime.context import process


def _gather(*function_calls: FunctionCall) -> list[Any]:
    """The results of many calls, in their order, when all are there.

    The first failure is raised at once; the other calls go on. Interrupting it cancels all that it waits for, but for
    calls of deployed apps: of those it only ends the wait.
    ``await FunctionCall.gather.aio(...)`` does not block.
    """
    __tracebackhide__ = True
    return waiting.gather(_found(function_calls))


async def _gather_aio(*function_calls: FunctionCall) -> list[Any]:
    __tracebackhide__ = True
    return await waiting.gather_async(await asyncio.to_thread(_found, function_calls))


class FunctionCall:
    """A call that runs, or ran, on its own. Made by ``.spawn`` and ``FunctionCall.from_id``.

    Holds the id only, and can be pickled. Of a deployed app the supervisor keeps the call: any process of the home
    finds its result, for 7 days and within a bound (settings ``results_keep_days`` and ``results_bound``). Else the
    process that spawned it does, until the app ends; beyond 10,000 results or 256 MiB the oldest go.
    OutputExpiredError for what has gone.
    """

    #: a function of the class, with two faces
    gather: ClassVar[Faces[..., list[Any]]] = Faces(_gather, _gather_aio)

    def __class_getitem__(cls, types: Any) -> GenericAlias:  # so that ``FunctionCall[str]`` is an annotation
        return GenericAlias(cls, types)

    def __init__(self, object_id: str, session: sessions.Session | None = None) -> None:
        self._id = object_id
        #: where to ask; None: where this process asks
        self._session = session

    @staticmethod
    def from_id(function_call_id: str, client: Any = None) -> FunctionCall:
        """The call of this id. Nothing is looked up before it is used: NotFoundError then, if there is none.

        Calls of deployed apps are known to every process of their home (``client``: a ``modal_nb.Client(home=...)``),
        others to the process that spawned them only.
        """
        if not isinstance(function_call_id, str):
            raise InvalidError(
                f"a function call id is a string such as 'fc-1a2b3c4d-1', not {function_call_id!r}"
            )
        return FunctionCall(function_call_id, None if client is None else session_of(client))

    @property
    def object_id(self) -> str:
        """The id, "fc-...", as ``current_function_call_id()`` gives it in the container."""
        return self._id

    # -- results ----------------------------------------------------------------------------------------------------

    @dual
    def get(self, timeout: float | None = None, *, index: int = 0) -> Any:
        """The result, or the method's exception raised; may be asked for again and again.

        ``timeout`` in seconds: None waits as long as it takes, 0 does not wait. Python's TimeoutError when there is no
        result by then; the call goes on. ``index``: which input, for a call of many. Interrupting it cancels the
        input; of a deployed app, whose call others may wait for, it only ends the wait. ``await call.get.aio(...)``
        does not block; cancelling that only ends the wait.
        """
        __tracebackhide__ = True
        seconds = _seconds(timeout)
        call = self._found()
        return call.value(waiting.wait(call, index, seconds))

    @get.awaited
    async def _get_aio(self, timeout: float | None = None, *, index: int = 0) -> Any:  # noqa: ASYNC109 - Modal's
        __tracebackhide__ = True
        seconds = _seconds(timeout)
        call = await asyncio.to_thread(self._found)
        return call.value(await waiting.wait_async(call, index, seconds))

    @dual
    def iter(self, *, start: int = 0, end: int | None = None) -> Iterator[Any]:
        """The results of the inputs ``start`` to ``end`` (not included; None: all) in order, each when it is there.

        The first failure ends it. Interrupting it cancels the inputs that it still waits for, but not those of a
        deployed app.
        """
        call = self._found()
        return waiting.iterate(call, _range(call, start, end))

    @iter.awaited
    async def _iter_aio(self, *, start: int = 0, end: int | None = None) -> AsyncIterator[Any]:
        call = await asyncio.to_thread(self._found)
        async for value in waiting.aiterate(call, _range(call, start, end)):
            yield value

    @dual
    def num_inputs(self) -> int:
        """How many inputs the call has."""
        return len(self._found().places)

    @num_inputs.awaited
    async def _num_inputs_aio(self) -> int:
        return len((await asyncio.to_thread(self._found)).places)

    @property
    def logs(self) -> CallLogs:
        """What its inputs printed: ``call.logs()`` gives the lines, ``call.logs(follow=True)`` also those to come.

        ``call.logs.fetch``, ``tail`` and ``stream`` give entries with their times, as Modal's do.
        """
        where = None if self._session is None else self._session.where
        return CallLogs(self._id, self._found, where)

    # -- steering and looking ---------------------------------------------------------------------------------------

    @dual
    def cancel(self, terminate_containers: bool = False) -> None:
        """End it: inputs that have no result get InputCancelledError as theirs. Results that are there stay.

        ``terminate_containers=True`` also kills the containers that run its inputs; what else they run starts again
        in others.
        """
        self._found().cancel(terminate=bool(terminate_containers))

    @cancel.awaited
    async def _cancel_aio(self, terminate_containers: bool = False) -> None:
        await asyncio.to_thread(lambda: self._found().cancel(terminate=bool(terminate_containers)))

    @dual
    def get_call_graph(self) -> list[InputInfo]:
        """The inputs of the call, each with its container and its status."""
        return graph(self._found())

    @get_call_graph.awaited
    async def _get_call_graph_aio(self) -> list[InputInfo]:
        return await asyncio.to_thread(lambda: graph(self._found()))

    def _found(self) -> AnyCall:
        """What this process, else the supervisor keeps of it. NotFoundError, OutputExpiredError."""
        session = self._session or sessions.current()
        return session.kept.of_id(self._id) or stored.find(session, self._id)

    def __reduce__(self) -> Any:
        # code in a container has no home of its own
        if self._session is None or process.link is not None:
            return FunctionCall.from_id, (self._id,)
        return FunctionCall.from_id, (self._id, Client(self._session.where.home))

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> Any:
        """A card with how far it is, as the last expression of a cell. Starts nothing and waits for nothing."""
        return card_of(lambda: call_state.card(self._id, self._session or sessions.current()), repr(self))

    def __repr__(self) -> str:
        return f"<FunctionCall {self._id}>"


def _found(function_calls: Sequence[FunctionCall]) -> list[AnyCall]:
    for call in function_calls:
        if not isinstance(call, FunctionCall):
            raise InvalidError(f"FunctionCall.gather takes what .spawn returns, not {call!r}")
    return [call._found() for call in function_calls]  # noqa: SLF001 - our own class


def _seconds(timeout: Any) -> float | None:
    if timeout is None:
        return None
    if isinstance(timeout, bool) or not isinstance(timeout, int | float) or not timeout >= 0:
        raise InvalidError(
            f"`timeout` must be a number of seconds from 0 on, or None to wait as long as it takes, not {timeout!r}"
        )
    return None if math.isinf(timeout) else float(timeout)


def _range(call: AnyCall, start: Any, end: Any) -> range:
    count = len(call.places)
    stop = count if end is None else end
    for name, value in (("start", start), ("end", stop)):
        if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= count:
            raise InvalidError(
                f"`{name}` must be a whole number from 0 to {count}, the inputs of the call, not {value!r}"
            )
    return range(start, stop)
