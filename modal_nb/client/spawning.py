"""The faces of a ``Function`` that start work and do not wait for its results."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import AsyncIterable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol

from modal_nb.client import binding, classes, references
from modal_nb.client.dual import dual
from modal_nb.client.function_call import FunctionCall
from modal_nb.client.gather import Gatherer
from modal_nb.client.inputs import Inputs
from modal_nb.client.interrupts import or_undo
from modal_nb.client.kept import KeptCall
from modal_nb.client.stored import SpawnedCall
from modal_nb.protocol.codec import Frame
from modal_nb.protocol.stream import Packet, Result
from modal_nb.runtime.payload import dumps_arguments
from modal_nb.spec.cls_spec import label_of

if TYPE_CHECKING:
    from modal_nb.client.obj import Obj
    from modal_nb.client.pool import Pool
    from modal_nb.spec.cls_spec import MethodSpec

log = logging.getLogger("modal_nb.client")

#: inputs of one ``spawn_map`` without an outcome; a tenth of what a pool's queue takes
MOST_OUTSTANDING = 10_000


class SpawnFaces:
    """``spawn``, ``spawn_map`` and ``experimental_spawn_map``; a part of ``Function``."""

    _obj: Obj
    _spec: MethodSpec

    @dual
    def spawn(self, *args: Any, **kwargs: Any) -> FunctionCall:
        """Start the method in a container and return at once; ``.get()`` of what it returns waits for the result.

        The result is kept until the app ends; of a deployed app the call outlives this process, and its result is
        kept for 7 days (setting ``results_keep_days``). ``await f.spawn.aio(...)`` does not block.
        """
        self._check_plain("spawn")
        return self._spawn(binding.bind(self._obj), args, kwargs)

    @spawn.awaited
    async def _spawn_aio(self, *args: Any, **kwargs: Any) -> FunctionCall:
        pool = await self._bind_async("spawn")
        if pool.app.deployed:
            return await asyncio.to_thread(self._spawn, pool, args, kwargs)
        frames = dumps_arguments(args, kwargs, method=self._spec.name)
        if references.any_untold():
            await asyncio.to_thread(classes.tell, pool.app)
        return self._send(pool, frames)

    @dual
    def spawn_map(
        self,
        *input_iterators: Iterable[Any] | AsyncIterable[Any],
        kwargs: Mapping[str, Any] | None = None,
    ) -> None:
        """Start the method for each input and return when all are handed over; results are thrown away.

        Inputs are read as by ``map``. All of them run as long as the app runs; at most 10,000 wait or run at a time,
        so that a longer one returns when the last ones fit; it also waits where the queue is full. Interrupting it
        stops the reading.
        """
        inputs = self._inputs(input_iterators, kwargs, "spawn_map")
        pool = binding.bind(self._obj)
        if pool.app.deployed:
            self._collect(inputs, pool)
        else:
            scattered = _Scattered(pool, self._spec.name)
            _pour(inputs, scattered)
            scattered.await_room()

    @spawn_map.awaited
    async def _spawn_map_aio(
        self, *input_iterators: Iterable[Any] | AsyncIterable[Any], kwargs: Mapping[str, Any] | None = None
    ) -> None:
        pool = await self._bind_async("spawn_map")
        inputs = self._inputs(input_iterators, kwargs, "spawn_map")
        if pool.app.deployed:
            await self._collect_async(inputs, pool)
        else:
            scattered = _Scattered(pool, self._spec.name)
            await _pour_async(inputs, scattered)
            await asyncio.to_thread(scattered.await_room)

    @dual
    def experimental_spawn_map(
        self,
        *input_iterators: Iterable[Any] | AsyncIterable[Any],
        kwargs: Mapping[str, Any] | None = None,
    ) -> FunctionCall:
        """``spawn_map`` that keeps results: one call of many inputs, ``.get(index=...)`` and ``.iter()`` give them."""
        inputs = self._inputs(input_iterators, kwargs, "experimental_spawn_map")
        return self._collect(inputs, binding.bind(self._obj))

    @experimental_spawn_map.awaited
    async def _experimental_spawn_map_aio(
        self, *input_iterators: Iterable[Any] | AsyncIterable[Any], kwargs: Mapping[str, Any] | None = None
    ) -> FunctionCall:
        pool = await self._bind_async("experimental_spawn_map")
        inputs = self._inputs(input_iterators, kwargs, "experimental_spawn_map")
        return await self._collect_async(inputs, pool)

    # -- inside -----------------------------------------------------------------------------------------------------

    def _check_plain(self, face: str) -> None:
        raise NotImplementedError

    async def _bind_async(self, face: str) -> Pool:
        raise NotImplementedError

    def _inputs(self, iterators: tuple[Any, ...], kwargs: Mapping[str, Any] | None, face: str) -> Inputs:
        self._check_plain(face)
        if not iterators:
            raise TypeError(f"{self._spec.name}.{face}() needs at least one iterable of inputs")
        return Inputs(iterators, kwargs or {}, star=False, face=face)

    def _collect(self, inputs: Inputs, pool: Pool) -> FunctionCall:
        call = self._begin(pool, patient=True)
        try:
            _pour(inputs, _Collected(call))
            call.close()
        except BaseException:
            call.drop()  # nobody could ask for it
            raise
        return FunctionCall(call.id, pool.app.session)

    async def _collect_async(self, inputs: Inputs, pool: Pool) -> FunctionCall:
        call = self._begin(pool, patient=True)
        try:
            await _pour_async(inputs, _Collected(call))
            await asyncio.to_thread(call.close)
        except BaseException:
            call.drop()
            raise
        return FunctionCall(call.id, pool.app.session)

    def _begin(self, pool: Pool, *, patient: bool = False) -> KeptCall | SpawnedCall:
        """A call without inputs: of a deployed app the supervisor keeps it, else this process."""
        if pool.app.deployed:
            return SpawnedCall(pool, self._spec.name, patient=patient)
        user_cls = self._obj.__modal__.declaration.user_cls
        return pool.app.session.kept.begin(
            pool, self._spec.name, "" if user_cls is None else user_cls.__module__, patient=patient
        )

    def _spawn(self, pool: Pool, args: tuple[Any, ...], kwargs: dict[str, Any]) -> FunctionCall:
        frames = dumps_arguments(args, kwargs, method=self._spec.name)
        if references.any_untold():
            classes.tell(pool.app)
        return self._send(pool, frames)

    def _send(self, pool: Pool, frames: Sequence[Frame]) -> FunctionCall:
        call = self._begin(pool)

        def send() -> None:
            call.send(frames)
            call.close()

        or_undo(send, call.drop)
        return FunctionCall(call.id, pool.app.session)


class _Taker(Protocol):
    """Takes inputs one by one; ``permits`` says how many more."""

    permits: threading.Semaphore

    def add(self, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> None: ...

    def flush(self) -> None: ...


class _Scattered:
    """Inputs whose results nobody asks for: they travel in chunks, like those of a ``.map``."""

    def __init__(self, pool: Pool, method: str) -> None:
        self.permits = threading.Semaphore(MOST_OUTSTANDING)
        self._label = label_of(pool.spec.service, method)
        self._gatherer = Gatherer(pool, method, self._over, parent=0)
        self._errors: list[BaseException] = []
        self._warned = False

    def add(self, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> None:
        self._gatherer.add(args, kwargs)
        self._check()

    def flush(self) -> None:
        self._gatherer.finish()

    def await_room(self) -> None:
        """Returns when all have been taken on: the queue may be full."""
        self._gatherer.await_room()

    def _over(self, first: int, count: int, result: Packet | BaseException) -> None:
        """Perhaps on the reading thread."""
        self.permits.release(count)
        if isinstance(result, BaseException):
            self._errors.append(result)
        elif result.flags != Result.REPLY and not self._warned:
            self._warned = True
            log.warning(
                "an input of %s.spawn_map ended without running to its end; `modal-nb status` names the log",
                self._label,
            )

    def _check(self) -> None:
        """Raise what kept an input from being sent."""
        if self._errors:
            raise self._errors[0]


class _Collected:
    """Inputs whose results are kept: a message for each, so that each can be cancelled and forgotten by itself."""

    def __init__(self, call: KeptCall | SpawnedCall) -> None:
        self.permits = threading.Semaphore(MOST_OUTSTANDING)
        self._call = call

    def add(self, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> None:
        frames = dumps_arguments(args, kwargs, method=self._call.method)
        if references.any_untold():
            classes.tell(self._call.pool.app)
        index = self._call.send(frames)
        self._call.watch_end(index, self.permits.release)

    def flush(self) -> None:
        """Nothing is held back."""


def _pour(inputs: Inputs, taker: _Taker) -> None:
    """Read the inputs here and hand them over."""
    if inputs.is_async:
        _on_a_loop_of_its_own(inputs, taker)
        return
    try:
        for args in inputs.read():
            taker.permits.acquire()
            taker.add(args, inputs.kwargs)
    finally:
        taker.flush()


async def _pour_async(inputs: Inputs, taker: _Taker) -> None:
    """The same on an event loop; plain iterables are read on a thread, because they may block."""
    if not inputs.is_async:
        await asyncio.to_thread(_pour, inputs, taker)
        return
    try:
        async for args in inputs.aread():
            while not taker.permits.acquire(blocking=False):
                taker.flush()
                await asyncio.sleep(0.005)
            taker.add(args, inputs.kwargs)
    finally:
        taker.flush()


def _on_a_loop_of_its_own(inputs: Inputs, taker: _Taker) -> None:
    """For the blocking face, which may be called where a loop runs already (a notebook)."""
    errors: list[BaseException] = []

    def run() -> None:
        try:
            asyncio.run(_pour_async(inputs, taker))
        except BaseException as error:  # noqa: BLE001 - raised below, in the caller's thread
            errors.append(error)

    thread = threading.Thread(target=run, name="modal_nb-spawn", daemon=True)
    thread.start()
    thread.join()
    if errors:
        raise errors[0]
