"""What a Dict and a Queue have in common: a name in an environment, a life of its own, and handles that are names."""

from __future__ import annotations

import asyncio
import contextlib
import secrets
from types import TracebackType
from typing import Any, ClassVar, Generic, Self, TypeVar

from modal_nb.client.client import session_of
from modal_nb.client.dual import dual
from modal_nb.client.environments import environment_name as environment_of
from modal_nb.client.plans import Plan, do, do_async
from modal_nb.client.session import Session
from modal_nb.exception import ConnectionError, InvalidError
from modal_nb.protocol import messages as ms
from modal_nb.protocol import objects as ob
from modal_nb.spec import checks

T = TypeVar("T", bound="StoredObject")


class StoredObject:
    """A handle: the name of something that the supervisor keeps. Copies and pickles mean the same thing."""

    KIND: ClassVar[ob.Kind]
    _name: str
    _environment: str
    _create: bool
    #: a modal_nb.Client, None: of this process; stays here when the handle travels
    _client: Any

    def __init__(self) -> None:
        noun = type(self).__name__
        raise InvalidError(
            f"{noun}() is not how one is made: use {noun}.from_name(...) or {noun}.ephemeral()"
        )

    @classmethod
    def _made(cls, name: str, environment: str, create: bool = False, client: Any = None) -> Self:
        self = cls.__new__(cls)
        self._name, self._environment, self._create, self._client = name, environment, create, client
        return self

    @classmethod
    def from_name(
        cls,
        name: str,
        *,
        environment_name: str | None = None,
        create_if_missing: bool = False,
        client: Any = None,
    ) -> Self:
        """The one of this name. Nothing is looked up before its first use: NotFoundError then, if there is none.

        ``environment_name``: default MODAL_NB_ENVIRONMENT, else "main". ``create_if_missing``: a use makes it where
        there is none. ``client``: a ``modal_nb.Client`` of another home. InvalidError for a name of other signs than
        letters, digits, dots, dashes and underscores.
        """
        checks.object_name(cls.__name__, name)
        checks.boolean("create_if_missing", create_if_missing)
        session_of(client)
        return cls._made(name, environment_of(environment_name), create_if_missing, client)

    @classmethod
    def ephemeral(cls, *, client: Any = None, environment_name: str | None = None) -> Ephemeral[Self]:
        """``with`` or ``async with``: a new one without a name, removed at the end of the block.

        It can be used in containers meanwhile. When this process ends, in whatever way, it goes, too.
        """
        session_of(client)
        return Ephemeral(
            cls._made(
                f"{ob.EPHEMERAL}{secrets.token_hex(8)}", environment_of(environment_name), client=client
            )
        )

    @property
    def name(self) -> str | None:
        """Its name; None for an ephemeral one."""
        return None if self._name.startswith(ob.EPHEMERAL) else self._name

    @dual
    def hydrate(self) -> Self:
        """Look it up now instead of at its first use. NotFoundError if there is none."""
        __tracebackhide__ = True
        return do(self._session, self._finding())

    @hydrate.awaited
    async def _hydrate_aio(self) -> Self:
        return await do_async(self._session, self._finding())

    def _finding(self) -> Plan[Self]:
        asked = ob.ObjectFind(kind=self.KIND, **self._named)
        return Plan(lambda _: asked, ms.Done, lambda _, __: self)

    @property
    def _session(self) -> Session:
        return session_of(self._client)

    @property
    def _named(self) -> dict[str, Any]:
        return {"environment": self._environment, "name": self._name, "create": self._create}

    def __reduce__(self) -> Any:
        return _handle, (type(self), self._name, self._environment, self._create)

    def __eq__(self, other: object) -> bool:
        return type(self) is type(other) and self.__reduce__() == other.__reduce__()

    def __hash__(self) -> int:
        return hash((self._name, self._environment))

    def __repr__(self) -> str:
        if self.name is None:
            return f"<ephemeral {type(self).__name__}>"
        where = "" if self._environment == "main" else f" of {self._environment}"
        return f"<{type(self).__name__} {self._name!r}{where}>"


def _handle(cls: type[T], name: str, environment: str, create: bool) -> T:
    return cls._made(name, environment, create)


class Ephemeral(Generic[T]):
    """The block in which an ephemeral object lives."""

    def __init__(self, handle: T) -> None:
        self._handle = handle
        self._entered = False

    def __enter__(self) -> T:
        if self._entered:
            raise InvalidError(
                f"This {type(self._handle).__name__}.ephemeral() was entered before: write it again"
            )
        self._entered = True
        session = self._handle._session  # noqa: SLF001 - our own class
        session.ask(
            ob.ObjectCreate(kind=self._handle.KIND, ephemeral=True, allow_existing=True, **self._named),
            ms.Done,
        )
        session.ephemerals += 1
        return self._handle

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        session = self._handle._session  # noqa: SLF001 - our own class
        session.ephemerals -= 1
        if not session.linked():
            return  # the supervisor has ended; the next one finds that nobody owns it
        with contextlib.suppress(ConnectionError):  # the same
            session.ask(ob.ObjectDelete(kind=self._handle.KIND, allow_missing=True, **self._named), ms.Done)

    async def __aenter__(self) -> T:
        starting = asyncio.ensure_future(asyncio.to_thread(self.__enter__))
        try:
            return await asyncio.shield(starting)
        except asyncio.CancelledError:
            # the thread goes on: what it makes must not be left behind
            starting.add_done_callback(lambda _: self.__exit__(None, None, None))
            raise

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await asyncio.shield(asyncio.to_thread(self.__exit__, kind, error, traceback))

    @property
    def _named(self) -> dict[str, Any]:
        return self._handle._named  # noqa: SLF001 - our own class
