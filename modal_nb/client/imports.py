"""``%modal from app import Model``: classes and functions of deployed apps, by one line."""

from __future__ import annotations

import re

from modal_nb.client import lookups
from modal_nb.client.cls import Cls
from modal_nb.client.method import Function
from modal_nb.exception import InvalidError

_LINE = re.compile(r"from\s+(?:(?P<environment>\S+)/)?(?P<app>[^\s/]+)\s+import\s+(?P<names>.+)")
_NAME = re.compile(r"(?P<name>[A-Za-z_]\w*)(?:\s+as\s+(?P<own>[A-Za-z_]\w*))?")


def named(line: str) -> dict[str, object]:
    """Name -> the handle. InvalidError for a line of another form, NotFoundError for what is not deployed."""
    form = _LINE.fullmatch(line.strip())
    if form is None:
        raise InvalidError(
            f"%modal {line.strip()!r} is not understood: write `%modal from app import Model`, with "
            "`environment/app` for another environment and `Model as M` for another name"
        )
    found: dict[str, object] = {}
    for part in form["names"].split(","):
        name = _NAME.fullmatch(part.strip())
        if name is None:
            raise InvalidError(f"%modal cannot import {part.strip()!r}: write a name, or `name as other`")
        found[name["own"] or name["name"]] = _handle(form["app"], name["name"], form["environment"])
    return found


def _handle(app: str, name: str, environment: str | None) -> object:
    """A class, or a function: what the name means is asked now, so that a wrong one is told here."""
    cls = Cls.from_name(app, name, environment_name=environment)
    record = lookups.find(cls.__modal__).record
    if [method.name for method in record.spec.methods] == [name]:
        return Function.from_name(app, name, environment_name=environment)
    return cls
