"""``Function``: one method of an instance, with every way to call it."""

from __future__ import annotations

import asyncio
import inspect
import warnings
from collections.abc import AsyncIterable, Awaitable, Coroutine, Iterable, Mapping
from types import GenericAlias
from typing import TYPE_CHECKING, Any, Never

from modal_nb.client import binding, cards, single
from modal_nb.client.dual import dual
from modal_nb.client.fanout import Fanout
from modal_nb.client.handle import Handle
from modal_nb.client.inputs import Inputs
from modal_nb.client.method_checks import Checked
from modal_nb.client.removed import Renamed
from modal_nb.client.showing import card_of
from modal_nb.client.spawning import SpawnFaces
from modal_nb.client.streams import AsyncItems, Items
from modal_nb.exception import InvalidError
from modal_nb.protocol.messages import PoolStats
from modal_nb.spec.cls_spec import MethodSpec

if TYPE_CHECKING:
    from modal_nb.client.obj import Obj


class Function(Checked, SpawnFaces, Handle):
    """A method of an instance; ``obj.name`` gives one.

    Call it by ``.remote(...)``, ``.local(...)``, ``.map(...)``, ``.spawn(...)``.
    """

    lookup = Renamed(
        "Function.lookup is gone: use Function.from_name(app_name, name), or Cls.from_name for a class"
    )

    def __class_getitem__(
        cls, types: Any
    ) -> GenericAlias:  # so that ``Function[[int], str, str]`` is an annotation
        return GenericAlias(cls, types)

    def __init__(self, obj: Obj, spec: MethodSpec) -> None:
        self._obj = obj
        self._spec = spec
        self.__name__ = spec.name
        user_cls = obj.__modal__.declaration.user_cls
        raw = getattr(inspect.getattr_static(user_cls, spec.name, None), "raw_f", None) if user_cls else None
        self.__doc__ = getattr(raw, "__doc__", None)
        if raw is not None:
            self.__signature__ = _without_self(raw)
            self.__wrapped__ = raw  # so that `??` shows the user's code

    # -- one input ------------------------------------------------------------------------------------------------

    @dual
    def remote(self, *args: Any, **kwargs: Any) -> Any:
        """Run the method in a container and return its result; what it raises is raised here.

        Interrupting it cancels the input. ``await f.remote.aio(...)`` does not block.
        """
        __tracebackhide__ = True
        self._check_plain("remote")
        return single.call(binding.bind(self._obj), self._spec.name, args, kwargs)

    @remote.awaited
    async def _remote_aio(self, *args: Any, **kwargs: Any) -> Any:
        __tracebackhide__ = True
        return await single.call_async(await self._bind_async("remote"), self._spec.name, args, kwargs)

    @dual
    def remote_gen(self, *args: Any, **kwargs: Any) -> Items:
        """Run a generator in a container and iterate its items as they come; what it raises is raised here.

        The generator is at most 64 items or 4 MiB ahead of the loop. It begins with the first step of the iteration;
        leaving the loop early closes it in its container. If its container dies it runs again and goes on behind the
        items that were read. ``async for x in f.remote_gen.aio(...)`` does not block.
        """
        return Items(self._bound(self._check_generator), self._label, self._spec.name, args, kwargs)

    @remote_gen.awaited
    def _remote_gen_aio(self, *args: Any, **kwargs: Any) -> AsyncItems:
        return AsyncItems(self._bound(self._check_generator), self._label, self._spec.name, args, kwargs)

    def local(self, *args: Any, **kwargs: Any) -> Any:
        """Run the method in this process, on an instance of its own whose enter hooks run once; exit hooks do not run.

        An async method gives a coroutine, a generator its iterator.
        """
        service = self._obj.__modal__.service()
        method = service.method(self._spec.name)
        if self._spec.is_async and not self._spec.is_generator:
            return _enter_then(service, method.call(*args, **kwargs))
        service.start_here()
        return method.call(*args, **kwargs)

    # -- many inputs ----------------------------------------------------------------------------------------------

    @dual
    def map(
        self,
        *input_iterators: Iterable[Any] | AsyncIterable[Any],
        kwargs: Mapping[str, Any] | None = None,
        order_outputs: bool = True,
        return_exceptions: bool = False,
        wrap_returned_exceptions: Any = None,
    ) -> Fanout:
        """Call the method for each input, on as many containers as the autoscaler gives; iterate the results.

        Several iterables are read side by side, the shortest ends it. ``kwargs`` go to every call. Results come in the
        order of the inputs, or as they are ready with ``order_outputs=False``. The first exception ends it, unless
        ``return_exceptions=True`` puts exceptions in the place of results. Inputs are read in the background, at most
        1,000 ahead of the results taken (4,096 where they are a list, tuple or range, and small). Nothing is sent
        before the iteration begins.
        """
        if wrap_returned_exceptions is not None:
            _warn_no_effect("wrap_returned_exceptions")
        if not input_iterators:
            raise TypeError(f"{self._spec.name}.map() needs at least one iterable of inputs")
        return self._fan_out(
            input_iterators, kwargs, order_outputs, return_exceptions, star=False, face="map"
        )

    @map.awaited
    def _map_aio(self, *input_iterators: Any, **options: Any) -> Fanout:
        results: Fanout = self.map(*input_iterators, **options)
        return results

    @dual
    def starmap(
        self,
        input_iterator: Iterable[Any] | AsyncIterable[Any],
        *,
        kwargs: Mapping[str, Any] | None = None,
        order_outputs: bool = True,
        return_exceptions: bool = False,
        wrap_returned_exceptions: Any = None,
    ) -> Fanout:
        """``map`` over one iterable whose items are tuples of arguments."""
        if wrap_returned_exceptions is not None:
            _warn_no_effect("wrap_returned_exceptions")
        return self._fan_out(
            (input_iterator,), kwargs, order_outputs, return_exceptions, star=True, face="starmap"
        )

    @starmap.awaited
    def _starmap_aio(self, input_iterator: Any, **options: Any) -> Fanout:
        results: Fanout = self.starmap(input_iterator, **options)
        return results

    @dual
    def for_each(
        self,
        *input_iterators: Iterable[Any] | AsyncIterable[Any],
        kwargs: Mapping[str, Any] | None = None,
        ignore_exceptions: bool = False,
    ) -> None:
        """Call the method for each input and wait until all are done; results are thrown away.

        The first exception is raised, unless ``ignore_exceptions=True``.
        """
        __tracebackhide__ = True
        for _ in self._each(input_iterators, kwargs, ignore_exceptions):
            pass

    @for_each.awaited
    async def _for_each_aio(
        self, *input_iterators: Any, kwargs: Any = None, ignore_exceptions: bool = False
    ) -> None:
        __tracebackhide__ = True
        async for _ in self._each(input_iterators, kwargs, ignore_exceptions):
            pass

    def _each(self, iterators: tuple[Any, ...], kwargs: Any, ignore_exceptions: bool) -> Fanout:
        if not iterators:
            raise TypeError(f"{self._spec.name}.for_each() needs at least one iterable of inputs")
        return self._fan_out(iterators, kwargs, False, ignore_exceptions, star=False, face="for_each")

    def _fan_out(
        self,
        iterators: tuple[Any, ...],
        kwargs: Mapping[str, Any] | None,
        ordered: bool,
        return_exceptions: bool,
        *,
        star: bool,
        face: str,
    ) -> Fanout:
        return Fanout(
            self._bound(lambda: self._check_plain(face)),
            self._spec.name,
            Inputs(iterators, kwargs or {}, star=star),
            order_outputs=ordered,
            return_exceptions=return_exceptions,
        )

    # -- looking and steering ---------------------------------------------------------------------------------------

    @dual
    def get_current_stats(self) -> PoolStats:
        """Backlog (inputs that wait), num_total_runners (containers), num_running_inputs and input_headroom (free
        slots) of the pool, now. ``start_backoff``, which Modal does not have: seconds until starts of containers are
        tried again, because they failed; 0.0: now.
        """
        return binding.bind(self._obj).stats()

    @get_current_stats.awaited
    async def _get_current_stats_aio(self) -> PoolStats:
        return await asyncio.to_thread(lambda: binding.bind(self._obj).stats())

    def update_autoscaler(self, **_settings: Any) -> Never:
        """Methods share the pool of their instance: use ``obj.update_autoscaler(...)``."""
        raise self._no_autoscaler("update_autoscaler")

    def keep_warm(self, *_args: Any, **_kwargs: Any) -> Never:
        """Gone: use ``obj.update_autoscaler(min_containers=...)``."""
        raise InvalidError(
            f"{self._label}.keep_warm is gone: call update_autoscaler(min_containers=...) on the instance"
        )

    def __getattr__(self, name: str) -> Never:
        if name == "autoscaler":
            raise self._no_autoscaler(name)
        raise AttributeError(f"'Function' object has no attribute {name!r}", name=name, obj=self)

    def __dir__(self) -> list[str]:
        return [name for name in super().__dir__() if name != "lookup"]

    def __call__(self, *args: Any, **kwargs: Any) -> Never:
        raise TypeError(
            f"{self._label} is not callable: write .{self._spec.name}.remote(...) to run it in a container, or "
            f".{self._spec.name}.local(...) to run it here"
        )

    def __reduce__(self) -> Any:
        return getattr, (self._obj, self._spec.name)

    def __repr__(self) -> str:
        return f"<Function {self._label}>"

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> Any:
        """A card, as the last expression of a cell. Starts nothing."""
        return card_of(lambda: cards.of_function(self._obj, self._spec, self), repr(self))

    # -- inside -----------------------------------------------------------------------------------------------------

    def _no_autoscaler(self, face: str) -> InvalidError:
        return InvalidError(
            f"{self._label}.{face} cannot be used on a method, because all methods share the containers of "
            "their instance: call update_autoscaler on the instance"
        )


async def _enter_then(service: Any, result: Awaitable[Any]) -> Any:
    if isinstance(result, Coroutine):
        try:
            await service.start()
        except BaseException:
            result.close()
            raise
    return await result


def _without_self(raw: Any) -> inspect.Signature:
    signature = inspect.signature(raw)
    return signature.replace(parameters=list(signature.parameters.values())[1:])


def _warn_no_effect(option: str) -> None:
    warnings.warn(f"`{option}` has no effect: exceptions are returned as they are", UserWarning, stacklevel=4)
