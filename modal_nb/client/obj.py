"""``Obj``: one instance of a served class, as its caller holds it."""

from __future__ import annotations

import asyncio
import pickle
import reprlib
import threading
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from modal_nb.client import lookups
from modal_nb.client.binding import bind
from modal_nb.client.declaration import Declaration, served_names
from modal_nb.client.dual import dual
from modal_nb.client.handle import Handle
from modal_nb.client.method import Function
from modal_nb.client.showing import EitherFace, ObjFaces, mimebundle_of
from modal_nb.exception import ExecutionError
from modal_nb.runtime.service import Service
from modal_nb.spec.cls_spec import MethodSpec
from modal_nb.spec.scaling import Autoscaler, autoscaler_changes

if TYPE_CHECKING:
    from modal_nb.client.cls import Cls


class Instance:
    """What an ``Obj`` stands for; the rest of the client reads it as ``obj.__modal__``."""

    __slots__ = ("_lock", "_parameters", "_service", "args", "cls", "functions", "kwargs", "pool")

    def __init__(self, cls: Cls, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        self.cls = cls
        #: positional arguments, which no class accepts; kept because that is only said at first use
        self.args = args
        self.kwargs = kwargs
        #: the handles that attribute access gave out, by method name
        self.functions: dict[str, Function] = {}
        #: a place for ``binding`` to keep what it found for this instance
        self.pool: Any = None
        self._parameters: dict[str, int | str | bytes | bool] | None = None
        self._service: Service | None = None
        self._lock = threading.Lock()

    @property
    def declaration(self) -> Declaration:
        return self.cls.__modal__

    def parameters(self) -> dict[str, int | str | bytes | bool]:
        """Constructor arguments as the pool key sees them: schema order, after defaults, checked.

        Asked when a method is first used. InvalidError for missing, unknown or positional ones, TypeError
        for a wrong type.
        """
        if self._parameters is None:
            spec = self.declaration.spec
            self._parameters = dict(self.kwargs) if spec is None else spec.bind(self.args, self.kwargs)
        return self._parameters

    def service(self) -> Service:
        """The instance of the user's class in this process, built at first use and without enter hooks.

        Arguments are bound as Python binds them: TypeError for missing and unknown ones, types are not
        checked. ExecutionError for a class that was not defined here.
        """
        declaration = self.declaration
        if declaration.user_cls is None:
            raise ExecutionError(
                f"{declaration.name} was not defined here, so there is no local instance: use "
                f".remote() on its methods"
            )
        with self._lock:
            if self._service is None:
                bound = self.cls.__signature__.bind(*self.args, **self.kwargs)
                self._service = Service(declaration.user_cls, bound.arguments)
            return self._service

    def may_have(self, name: str) -> bool:
        """Whether building the local instance could bring up the attribute.

        Display and completion must not build it.
        """
        user_cls = self.declaration.user_cls
        if user_cls is None:
            return False
        if self._service is not None or hasattr(user_cls, name) or hasattr(user_cls, "__getattr__"):
            return True
        # a class that makes its own instances may give them anything
        return "__new__" in {name for base in user_cls.__mro__[:-1] for name in vars(base)}


class Obj(Handle):
    """An instance of a served class; its methods are called by ``obj.name.remote(...)``.

    Made by calling the ``Cls``. Making one does nothing: no container starts and no argument is checked
    before a method is first used. Every set of parameters has its own pool of containers, which all
    methods share. Attributes that are not methods are read from an instance in this process, built at
    first need without hooks.
    """

    __slots__ = ("__modal__", "__weakref__")

    __modal__: Instance

    def __init__(self, cls: Cls, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        _check_travels(cls, args, kwargs)
        object.__setattr__(self, "__modal__", Instance(cls, args, kwargs))

    @dual
    def update_autoscaler(
        self,
        *,
        min_containers: int | None = None,
        max_containers: int | None = None,
        buffer_containers: int | None = None,
        scaledown_window: int | None = None,
    ) -> Autoscaler:
        """Change the autoscaler of this instance's pool now and return all its settings.

        Containers are not restarted. What is left out stays as it is. ``scaledown_window`` in seconds, 2
        to 3600. InvalidError for values that do not fit, ExecutionError if the app is not running.
        ``await obj.update_autoscaler.aio(...)`` does the same.
        """
        changes = autoscaler_changes(
            min_containers=min_containers,
            max_containers=max_containers,
            buffer_containers=buffer_containers,
            scaledown_window=scaledown_window,
        )
        return bind(self).update_autoscaler(**changes)

    @update_autoscaler.awaited
    async def _update_autoscaler(self, **settings: int | None) -> Autoscaler:
        blocking: Callable[..., Autoscaler] = self.update_autoscaler
        return await asyncio.to_thread(blocking, **settings)

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> Any:
        """The live panel, as the last expression of a cell. Starts nothing."""
        return mimebundle_of(self)

    def __getattr__(self, name: str) -> Any:
        # IPython and others probe for private names; that must never build anything
        if name.startswith("_"):
            raise AttributeError(f"{self!r} has no attribute {name!r}")
        instance = self.__modal__
        function = instance.functions.get(name)
        if function is not None:
            return function
        spec = instance.declaration.spec
        if name in ObjFaces.NAMES and spec is None:
            return EitherFace(getattr(ObjFaces(self), name), Function(self, MethodSpec(name)))
        # of a looked-up class every name may be a method: its first use tells
        method = MethodSpec(name) if spec is None else spec.method(name)
        if method is not None:
            return instance.functions.setdefault(name, Function(self, method))
        # names of the user's class come first
        if name in ObjFaces.NAMES and not instance.may_have(name):
            return getattr(ObjFaces(self), name)
        return self._local_attribute(name)

    def _local_attribute(self, name: str) -> Any:
        instance = self.__modal__
        if not instance.may_have(name):
            declaration = instance.declaration
            if hasattr(type(instance.cls), name):
                hint = (
                    f"{name!r} belongs to the class, not to an instance: write {declaration.name}.{name}(...)"
                )
                raise AttributeError(hint, name=name, obj=self)
            spec = declaration.spec
            methods = ", ".join(method.name for method in spec.methods) if spec else ""
            what = f"{declaration.name} has no method or attribute {name!r}"
            raise AttributeError(f"{what}; its methods: {methods or 'none'}", name=name, obj=self)
        return getattr(instance.service().instance, name)

    def __setattr__(self, name: str, value: Any) -> None:
        raise AttributeError(
            f"{name!r} cannot be set on {self!r}, because containers would not see it: set it in an "
            f"@enter hook or "
            "pass it as a parameter"
        )

    def __dir__(self) -> list[str]:
        declaration = self.__modal__.declaration
        # of a looked-up class what is known by now; nobody is asked
        found = lookups.known(declaration) if declaration.lookup is not None else None
        if found is not None:
            declaration = replace(declaration, spec=found.record.spec)
        parameters = () if declaration.spec is None else declaration.spec.parameters
        names = {
            "update_autoscaler",
            *ObjFaces.NAMES,
            *served_names(declaration),
            *(p.name for p in parameters),
        }
        return sorted(name for name in names if not name.startswith("_"))

    def __reduce__(self) -> Any:
        instance = self.__modal__
        return Obj, (instance.cls, instance.args, instance.kwargs)

    def __copy__(self) -> Obj:
        return self

    def __deepcopy__(self, memo: Any) -> Obj:
        return self

    def __repr__(self) -> str:
        instance = self.__modal__
        given = [*map(reprlib.repr, instance.args)]
        given += [f"{name}={reprlib.repr(value)}" for name, value in instance.kwargs.items()]
        return f"<Obj {instance.declaration.name}({', '.join(given)}) of {instance.declaration.home}>"


def _check_travels(cls: Cls, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
    """The one check that is made at once: arguments are part of a pool's identity and must be plain."""
    named = {f"number {place}": value for place, value in enumerate(args, 1)} | {
        repr(name): value for name, value in kwargs.items()
    }
    for which, value in named.items():
        try:
            pickle.dumps(value)
        except Exception as error:
            raise ValueError(
                f"The argument {which} of {cls.__modal__.name}() cannot be pickled ({error}): "
                f"parameters are plain values "
                "of type int, str, bytes or bool. Pass other values to a method."
            ) from error
