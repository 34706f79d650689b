"""How numbers of the supervisor read for people: a prefix that names the kind, then the number."""

from __future__ import annotations

from enum import StrEnum

from modal_nb.exception import InvalidError


class Kind(StrEnum):
    """What an id names; the value is its prefix. Modal's prefixes where Modal has one."""

    APP = "ap"
    CLIENT = "cl"
    CONTAINER = "ct"
    FUNCTION_CALL = "fc"
    INPUT = "in"
    POOL = "fu"


def render(kind: Kind, number: int) -> str:
    """``render(Kind.CONTAINER, 7)`` is ``"ct-7"``."""
    return f"{kind.value}-{number}"


def parse(text: str) -> tuple[Kind, int]:
    """The kind and the number of an id; InvalidError if it is none."""
    prefix, dash, digits = text.partition("-")
    if not dash or prefix not in set(Kind) or not (digits.isascii() and digits.isdigit()):
        known = ", ".join(f"{kind.value}-" for kind in Kind)
        raise InvalidError(f"{text!r} is not an id; ids are a prefix ({known}) and a number, such as 'ct-7'")
    return Kind(prefix), int(digits)
