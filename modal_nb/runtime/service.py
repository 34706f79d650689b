"""One instance of the user's class that serves: built without ``__init__``, hooks run once, in order."""

from __future__ import annotations

import asyncio
import inspect
import threading
from collections.abc import Callable, Coroutine, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from modal_nb.exception import ExecutionError, InvalidError, NotFoundError
from modal_nb.runtime import loops
from modal_nb.runtime.context import load_faces, process
from modal_nb.runtime.parameter import UNSET
from modal_nb.runtime.shape import MethodShape, Shape, describe
from modal_nb.spec.cls_spec import label_of

__all__ = ["BoundMethod", "MethodHandle", "Service", "Shape", "describe"]


@dataclass(frozen=True, slots=True)
class BoundMethod:
    """A method with the instance that it runs on."""

    shape: MethodShape
    call: Callable[..., Any]
    #: for messages, such as "Model.predict"
    label: str


#: what a method answers besides ``local``
FACES = frozenset({"remote", "remote_gen", "map", "starmap", "for_each", "spawn", "spawn_map"})


class MethodHandle:
    """What ``self.other`` is in serving code: ``.local()`` runs it here on the same object, the other faces
    are calls.
    """

    def __init__(self, service: Service, name: str) -> None:
        self._service = service
        self._name = name
        self.__name__ = name

    def local(self, *args: Any, **kwargs: Any) -> Any:
        return self._service.method(self._name).call(*args, **kwargs)

    def __call__(self, *_args: Any, **_kwargs: Any) -> Any:
        name = self._name
        raise TypeError(
            f"self.{name} is not called directly: write self.{name}.local(...) to run it here on the same "
            f"object, or self.{name}.remote(...) for a call of its own."
        )

    def __getattr__(self, face: str) -> Any:
        if face.startswith("_"):
            raise AttributeError(face)
        if face not in FACES:
            raise AttributeError(f"A method has no {face!r}; it has local, {', '.join(sorted(FACES))}.")
        load_faces()
        if process.face_from_inside is None:
            raise ExecutionError(
                f"self.{self._name}.{face} cannot be used inside a container yet; "
                f"use self.{self._name}.local(...) to run the method here on the same object."
            )
        return process.face_from_inside(self._service, self._name, face)

    def __repr__(self) -> str:
        return f"<method {self._service.shape.name}.{self._name} of the serving instance>"


class Handles(dict[str, Any]):
    """The handles in the ``__dict__`` of a serving instance; a copy that travels has none, so it is a plain
    object.
    """

    def __reduce__(self) -> Any:
        return Handles, ()

    def __copy__(self) -> Handles:
        return self

    def __deepcopy__(self, memo: Any) -> Handles:
        return self


class _Life:
    """How far an instance has come."""

    def __init__(self) -> None:
        self.snapped = self.entered = self.stopped = False
        #: one caller runs the hooks, others wait for it
        self.sync_gate = threading.RLock()
        self.async_gate = asyncio.Lock()


class Service:
    """The instance and its life: ``start`` once, methods, ``stop`` once.

    The container's main builds it on the main thread; ``Obj`` builds one in the notebook for ``.local()``.
    ``handle`` makes what ``self.method`` gives; without it, a MethodHandle.
    Errors of building: InvalidError for unknown or missing parameters, and whatever ``__new__`` of the class
    raises.
    """

    def __init__(
        self,
        cls: type,
        parameters: Mapping[str, Any] | None = None,
        *,
        handle: Callable[[Service, str], Any] = MethodHandle,
    ) -> None:
        self.cls = cls
        self.shape = describe(cls)
        self.instance: Any = cls.__new__(cls)  # type: ignore[call-overload]
        for name, value in self._values(parameters or {}).items():
            object.__setattr__(self.instance, name, value)
        if hasattr(self.instance, "__dict__"):
            handles = Handles({name: handle(self, name) for name in self.shape.methods})
            self.instance.__dict__["_modal_methods"] = handles
        self._methods = {name: self._bind(shape) for name, shape in self.shape.methods.items()}
        self._life = _Life()

    def _values(self, given: Mapping[str, Any]) -> dict[str, Any]:
        taken = [p.name for p in self.shape.parameters if p.init]
        if unknown := sorted(set(given) - set(taken)):
            has = f"its parameters are {', '.join(taken)}" if taken else "it has none"
            raise InvalidError(f"{self.shape.name} has no parameter {', '.join(map(repr, unknown))}; {has}.")
        values = {p.name: p.default for p in self.shape.parameters if p.default is not UNSET} | dict(given)
        if missing := [name for name in taken if name not in values]:
            raise InvalidError(f"{self.shape.name} is missing the parameter {', '.join(map(repr, missing))}.")
        return values

    def _bind(self, shape: MethodShape) -> BoundMethod:
        call = shape.function if shape.free else shape.function.__get__(self.instance, self.cls)
        return BoundMethod(shape, call, label_of(self.shape.name, shape.name))

    def method(self, name: str) -> BoundMethod:
        """Raises NotFoundError that lists the methods there are."""
        try:
            return self._methods[name]
        except KeyError:
            there_are = ", ".join(self._methods) or "none"
            raise NotFoundError(
                f"{self.shape.name} has no method {name!r}; its methods: {there_are}."
            ) from None

    def also(self, name: str, function: Callable[..., Any]) -> None:
        """Serve this beside the methods of the class, under a name that none of them can have."""
        shape = MethodShape(
            name, function, is_generator=False, is_async=inspect.iscoroutinefunction(function), free=True
        )
        self._methods[name] = self._bind(shape)

    def is_async(self, name: str) -> bool:
        """False also for a method that does not exist."""
        return name in self._methods and self._methods[name].shape.is_async

    async def enter_snap(self) -> None:
        """Run the hooks that belong before a memory snapshot, unless they have run."""
        if not self._life.snapped:
            for hook in self.shape.enter_snap:
                await self._enter(hook)
            self._life.snapped = True

    async def start(self) -> None:
        """Run the enter hooks (snap first) once: plain ones on this thread, async ones on this loop.

        Raises what a hook raised, and then counts as not started: another call begins anew. ``sys.exit`` in a
        hook is an ExecutionError, so that it fails the start and does not end the loop.
        """
        async with self._life.async_gate:
            if not self._life.entered:
                await self.enter_snap()
                for hook in self.shape.enter:
                    await self._enter(hook)
                self._life.entered = True

    def start_here(self) -> None:
        """``start`` for a caller without a loop (``.local()`` of a plain method); each async hook gets a loop
        of its own.
        """
        with self._life.sync_gate:
            if not self._life.entered:
                for hook in (*(() if self._life.snapped else self.shape.enter_snap), *self.shape.enter):
                    result = self._call_hook(hook)
                    if inspect.iscoroutine(result):
                        _run_to_end(result)
                self._life.snapped = self._life.entered = True

    async def _enter(self, hook: Callable[..., Any]) -> None:
        result = self._call_hook(hook)
        if inspect.isawaitable(result):
            await result

    def _call_hook(self, hook: Callable[..., Any]) -> Any:
        try:
            with loops.out_of_sight():
                return hook.__get__(self.instance, self.cls)()
        except SystemExit as error:
            raise ExecutionError(
                f"{self.shape.name}.{hook.__name__} called sys.exit({error.code!r})"
            ) from error

    async def stop(self) -> list[BaseException]:
        """Run the exit hooks once, base class first, all of them even if one raises; returns what they
        raised.

        None runs if the instance was never started. Nobody but the log sees the errors.
        """
        errors: list[BaseException] = []
        if not self._life.entered or self._life.stopped:
            return errors
        self._life.stopped = True
        for hook in self.shape.exit:
            try:
                with loops.out_of_sight():
                    result = hook.__get__(self.instance, self.cls)(*_exit_arguments(hook))
                if inspect.isawaitable(result):
                    await result
            except BaseException as error:  # noqa: BLE001 - the next hook runs in any case
                errors.append(error)
        return errors


def _exit_arguments(hook: Callable[..., Any]) -> tuple[None, ...]:
    """Hooks written like ``__exit__`` take exception type, value and traceback: three Nones."""
    wanted = [
        p
        for p in inspect.signature(hook).parameters.values()
        if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD) and p.default is p.empty
    ]
    return (None, None, None) if len(wanted) >= 4 else ()


def _run_to_end(coroutine: Coroutine[Any, Any, Any]) -> None:
    """Also where a loop runs already on this thread, as in every notebook."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        asyncio.run(coroutine)
        return
    with ThreadPoolExecutor(1) as thread:
        thread.submit(asyncio.run, coroutine).result()
