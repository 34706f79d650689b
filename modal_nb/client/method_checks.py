"""What a ``Function`` must know before it is called: its kind of method; of a looked-up one that is found out first."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from modal_nb.client import binding, lookups
from modal_nb.exception import InvalidError, NotFoundAttributeError

if TYPE_CHECKING:
    from modal_nb.client.function import AppFunction
    from modal_nb.client.obj import Obj
    from modal_nb.client.pool import Pool
    from modal_nb.spec.cls_spec import MethodSpec


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
        if instance.declaration.lookup is not None and not self._hydrated:
            await asyncio.to_thread(self._hydrate)
        self._check_plain(face)
        if instance.pool is not None:
            return binding.bind(self._obj)
        return await asyncio.to_thread(binding.bind, self._obj)

    def _hydrate(self) -> None:
        """Find the method of a looked-up class. NotFoundError, also where the class has no such method."""
        declaration = self._obj.__modal__.declaration
        if declaration.lookup is None or self._hydrated:
            return
        spec = lookups.find(declaration).record.spec
        method = spec.method(self._spec.name)
        if method is None:
            names = ", ".join(one.name for one in spec.methods)
            raise NotFoundAttributeError(
                f"{declaration.name} of {declaration.home} has no method {self._spec.name!r}; its methods: {names}"
            )
        self._spec, self._hydrated = method, True

    def _check_generator(self) -> None:
        """InvalidError where the method is known not to give items."""
        self._hydrate()
        self._check_no_endpoint("remote_gen")
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
            remedy = (
                "iterate .remote_gen(...) instead" if face == "remote" else "call .remote_gen for each input"
            )
            raise InvalidError(f"{self._label} is a generator, which cannot be called with .{face}: {remedy}")

    def _check_no_endpoint(self, face: str) -> None:
        if self._spec.web:
            raise InvalidError(
                f"{self._label} is a web endpoint ({self._spec.web}), which cannot be called with .{face}"
            )
