"""What people name where a container is wanted: an instance, a class, or the id of a container."""

from __future__ import annotations

from typing import Any

from modal_nb.client import visits
from modal_nb.client.cls import Cls
from modal_nb.client.obj import Obj
from modal_nb.client.visits import Place
from modal_nb.exception import InvalidError


def places(target: Any, container: str = "", *, everywhere: bool = False) -> list[Place]:
    """The containers meant, as ``visits.places``. InvalidError for what has no containers."""
    if isinstance(target, str):
        return [visits.by_id(target)]
    if isinstance(target, Cls):
        target = target()
    if not isinstance(target, Obj):
        raise InvalidError(
            f"{target!r} has no containers: name an instance such as `model`, a class without parameters, or the id of "
            "a container, ct-..."
        )
    return visits.places(target, container, everywhere=everywhere)
