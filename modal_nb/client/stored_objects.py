"""``Dict.objects`` and ``Queue.objects``: to make, find and remove them by name."""

from __future__ import annotations

import builtins
from collections.abc import Callable
from datetime import datetime
from typing import Any, Generic, TypeVar

from modal_nb.client.client import session_of
from modal_nb.client.dual import dual
from modal_nb.client.environments import environment_name as environment_of
from modal_nb.client.plans import Plan, do, do_async
from modal_nb.client.stored_object import StoredObject
from modal_nb.exception import InvalidError
from modal_nb.protocol import messages as ms
from modal_nb.protocol import objects as ob
from modal_nb.spec import checks

T = TypeVar("T", bound=StoredObject)


class Objects(Generic[T]):
    """``Dict.objects`` and ``Queue.objects``: the named ones of an environment."""

    def __init__(self, made: Callable[[], type[T]]) -> None:
        self._made = made

    @dual
    def create(
        self,
        name: str,
        *,
        allow_existing: bool = False,
        environment_name: str | None = None,
        client: Any = None,
    ) -> None:
        """Make one. AlreadyExistsError if there is one, unless ``allow_existing``."""
        __tracebackhide__ = True
        do(session_of(client), self._creating(name, environment_name, allow_existing=allow_existing))

    @create.awaited
    async def _create_aio(
        self,
        name: str,
        *,
        allow_existing: bool = False,
        environment_name: str | None = None,
        client: Any = None,
    ) -> None:
        await do_async(
            session_of(client), self._creating(name, environment_name, allow_existing=allow_existing)
        )

    @dual
    def delete(
        self,
        name: str,
        *,
        allow_missing: bool = False,
        environment_name: str | None = None,
        client: Any = None,
    ) -> None:
        """Remove one and all that is in it, for everybody. NotFoundError if there is none, unless ``allow_missing``."""
        __tracebackhide__ = True
        do(session_of(client), self._deleting(name, environment_name, allow_missing=allow_missing))

    @delete.awaited
    async def _delete_aio(
        self,
        name: str,
        *,
        allow_missing: bool = False,
        environment_name: str | None = None,
        client: Any = None,
    ) -> None:
        await do_async(
            session_of(client), self._deleting(name, environment_name, allow_missing=allow_missing)
        )

    @dual
    def list(
        self,
        *,
        max_objects: int | None = None,
        created_before: datetime | str | None = None,
        environment_name: str | None = None,
        client: Any = None,
    ) -> builtins.list[T]:
        """Handles of all that have a name, the newest first.

        ``created_before``: a datetime, or a date as in "2026-01-31"; without a zone it is local time.
        """
        __tracebackhide__ = True
        return do(session_of(client), self._listing(max_objects, created_before, environment_name, client))

    @list.awaited
    async def _list_aio(
        self,
        *,
        max_objects: int | None = None,
        created_before: datetime | str | None = None,
        environment_name: str | None = None,
        client: Any = None,
    ) -> builtins.list[T]:
        plan = self._listing(max_objects, created_before, environment_name, client)
        return await do_async(session_of(client), plan)

    def _creating(self, name: str, environment: str | None, *, allow_existing: bool) -> Plan[None]:
        asked = ob.ObjectCreate(
            kind=self._made().KIND, allow_existing=allow_existing, **self._place(name, environment)
        )
        return Plan(lambda _: asked, ms.Done, lambda _, __: None)

    def _deleting(self, name: str, environment: str | None, *, allow_missing: bool) -> Plan[None]:
        asked = ob.ObjectDelete(
            kind=self._made().KIND, allow_missing=allow_missing, **self._place(name, environment)
        )
        return Plan(lambda _: asked, ms.Done, lambda _, __: None)

    def _listing(
        self, most: int | None, before: datetime | str | None, environment: str | None, client: Any
    ) -> Plan[builtins.list[T]]:
        if most is not None:
            checks.integer("max_objects", most, 0)
        cls, where = self._made(), environment_of(environment or None)
        asked = ob.ObjectsAsk(kind=cls.KIND, environment=where, limit=most, created_before=_seconds(before))
        return Plan(
            lambda _: asked,
            ob.Objects,
            lambda found, _: [cls._made(name, where, client=client) for name in found.names],
        )

    def _place(self, name: str, environment: str | None) -> dict[str, Any]:
        checks.object_name(self._made().__name__, name)
        return {"environment": environment_of(environment or None), "name": name}


def _seconds(when: datetime | str | None) -> float | None:
    if when is None:
        return None
    try:
        return (datetime.fromisoformat(when) if isinstance(when, str) else when).timestamp()
    except (ValueError, AttributeError):
        raise InvalidError(f"`created_before` must be a datetime or an ISO date, not {when!r}") from None
