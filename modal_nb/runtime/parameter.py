"""The mark that ``modal_nb.parameter()`` leaves in a class body."""

from __future__ import annotations

from enum import Enum
from typing import Any


class Unset(Enum):
    """An Enum, so that the one value stays itself when a class travels."""

    UNSET = "unset"

    def __repr__(self) -> str:
        return "<no default>"


UNSET = Unset.UNSET


class Parameter:
    """One parameter of a class: reads as its default until an instance has a value of its own."""

    def __init__(self, *, default: Any = UNSET, init: bool = True) -> None:
        self.default = default
        #: False: no constructor argument; the attribute is there once somebody sets it
        self.init = init
        self.name = ""

    @property
    def has_default(self) -> bool:
        return self.default is not UNSET

    def __set_name__(self, owner: type, name: str) -> None:
        self.name = name

    def __get__(self, instance: Any, owner: type | None = None) -> Any:
        if instance is None:
            return self
        if self.has_default:
            return self.default
        raise AttributeError(f"The parameter {self.name!r} of {type(instance).__name__} has no value yet.")

    def __repr__(self) -> str:
        return f"<parameter {self.name} default={self.default!r} init={self.init}>"
