"""``parameter()``: the constructor arguments of a class."""

from __future__ import annotations

from typing import Any, Never

from modal_nb.exception import InvalidError, UsageError
from modal_nb.runtime.parameter import UNSET, Parameter
from modal_nb.spec import checks


def parameter(*positional: Never, default: Any = UNSET, init: bool = True) -> Any:
    """A constructor argument of a class, declared as a class attribute with its type.

    >>> class Model:
    ...     size: int = modal_nb.parameter()
    ...     name: str = modal_nb.parameter(default="small")

    The annotation is one of int, str, bytes, bool (any, with ``init=False``). Instances with other values
    have a
    pool of their own. ``init=False``: no constructor argument and no value; reading it before it is set is an
    AttributeError. Values are visible in reports: pass no secrets.
    """
    if positional:
        raise UsageError("parameter() takes keyword arguments only; write parameter(default=...)")
    if not checks.boolean("init", init) and default is not UNSET:
        raise InvalidError(
            "parameter(init=False) has no value from the constructor, so `default` has no effect: drop it"
        )
    return Parameter(default=default, init=init)
