"""What a ``Function`` must know before it is called: its kind of method; of a looked-up one that is found out first."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from modal_nb.client import binding, lookups
from modal_nb.exception import InvalidError, NotFoundAttributeError

if TYPE_CHECKING:
    from modal_nb.client.declaration import Declaration
    from modal_nb.client.function import AppFunction
    from modal_nb.client.obj import Obj
    from modal_nb.client.pool import Pool
    from modal_nb.spec.cls_spec import ClsSpec, MethodSpec


class Checked:
    """A part of ``Function``."""

    _obj: Obj
    _spec: MethodSpec
    #: a looked-up method has been found
    _hydrated = False

    @staticmethod
    def from_name(
        app_name: str,
        name: str,
        *,
        version: int | None = None,
        environment_name: str | None = None,
        client: Any = None,
    ) -> AppFunction:
        """A function of a deployed app by name; nothing is looked up before it is used.

        NotFoundError then, if there is none. ``version``: this one, as long as it is kept, else always the newest.
        ``environment_name``: "main" by default. ``client``: a ``modal_nb.Client(home=...)``.
        """
        from modal_nb.client.function import named  # noqa: PLC0415 - made of this class

        return named(app_name, name, version, environment_name, client)

    @property
    def _label(self) -> str:
        return f"{self._obj.__modal__.declaration.name}.{self._spec.name}"

    async def _bind_async(self, face: str) -> Pool:
        """Check and bind, off the loop where that may have to wait for the supervisor."""
        instance = self._obj.__modal__
        if instance.declaration.lookup is not None and (not self._hydrated or self._spec.is_generator):
            await asyncio.to_thread(self._check_plain, face)
        else:
            self._check_plain(face)
        if instance.pool is not None:
            return binding.bind(self._obj)
        return await asyncio.to_thread(binding.bind, self._obj)

    def _bound(self, check: Callable[[], None]) -> Callable[[], Pool]:
        """What checks and binds; checked at once unless it must be looked up first, which an event loop leaves to a
        thread.
        """
        if self._obj.__modal__.declaration.lookup is None or self._hydrated:
            check()
            return lambda: binding.bind(self._obj)

        def found() -> Pool:
            check()
            return binding.bind(self._obj)

        return found

    def _hydrate(self, *, anew: bool = False) -> None:
        """Find the method of a looked-up class. NotFoundError, also where the class has no such method.

        ``anew``: ask what it is by now, for a newer version may have been deployed.
        """
        declaration = self._obj.__modal__.declaration
        if declaration.lookup is None or (self._hydrated and not anew):
            return
        spec = (lookups.again if anew else lookups.find)(declaration).record.spec
        method = spec.method(self._spec.name)
        if method is None:
            raise NotFoundAttributeError(_lacks(declaration, spec, self._spec.name))
        self._spec, self._hydrated = method, True

    def _check_generator(self) -> None:
        """InvalidError where the method is known not to give items."""
        self._hydrate()
        self._check_no_endpoint("remote_gen")
        if not self._spec.is_generator:
            self._hydrate(anew=True)
        if not self._spec.is_generator:
            raise InvalidError(
                f"{self._label} is not a generator, so it cannot be called with .remote_gen: use .remote(...) for its "
                "one result"
            )

    def _check_plain(self, face: str) -> None:
        """InvalidError where this face cannot call this kind of method."""
        self._hydrate()
        self._check_no_endpoint(face)
        if self._spec.is_generator:
            self._hydrate(anew=True)
        if self._spec.is_generator:
            remedy = (
                "iterate .remote_gen(...) instead" if face == "remote" else "call .remote_gen for each input"
            )
            raise InvalidError(f"{self._label} is a generator, which cannot be called with .{face}: {remedy}")

    def _check_no_endpoint(self, face: str) -> None:
        if self._spec.web:
            raise InvalidError(
                f"{self._label} is a web endpoint ({self._spec.web}), which cannot be called with .{face}"
            )


def _lacks(declaration: Declaration, spec: ClsSpec, method: str) -> str:
    """What is deployed under the name has no such method: perhaps it is of the other kind."""
    name, lookup = declaration.name, declaration.lookup
    assert lookup is not None
    what = f"{name} of {declaration.home}"
    if lookup.what == "Function":
        return f"{what} is a class, not a function: use Cls.from_name({lookup.app_name!r}, {name!r})"
    names = [one.name for one in spec.methods]
    if names == [name]:
        return f"{what} is a function, not a class: use Function.from_name({lookup.app_name!r}, {name!r})"
    return f"{what} has no method {method!r}; its methods: {', '.join(names)}"
