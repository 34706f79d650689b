"""Calls from inside a container: what ``self.other.remote(...)`` is. Loaded when code there first asks for it."""

from __future__ import annotations

from typing import Any

from modal_nb.client import running
from modal_nb.client.binding import Bound
from modal_nb.client.cls import handle
from modal_nb.client.declaration import Declaration
from modal_nb.client.obj import Obj
from modal_nb.client.pool import Pool
from modal_nb.client.schema import declare
from modal_nb.runtime.context import process
from modal_nb.runtime.service import Service

_objects: dict[int, Obj] = {}


def face(service: Service, method: str, name: str) -> Any:
    """``self.<method>.<name>``: a real call, to any container of the pool that this one belongs to."""
    obj = _objects.get(id(service))
    if obj is None:
        obj = _objects[id(service)] = _own_object(service)
    return getattr(getattr(obj, method), name)


def _own_object(service: Service) -> Obj:
    run, found = running.inside()
    declaration = Declaration(service.shape.name, None, service.cls, declare(service.cls))
    obj = Obj(handle(declaration), (), {})
    obj.__modal__.pool = Bound(run, 0, Pool.own(run, found), own=True)
    return obj


process.face_from_inside = face
