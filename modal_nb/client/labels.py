"""How a set of parameters and a variant of a class are called, for people: one line of text each.

Two sets of parameters of one class never have the same label, so views also find pools by it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from typing import TYPE_CHECKING, Any

from modal_nb.spec.fingerprint import fingerprint

if TYPE_CHECKING:
    from modal_nb.client.declaration import Declaration
    from modal_nb.spec.overrides import Overrides

#: letters of a label
_LONGEST = 200
_MARK = 8
#: changes of which only the fact is told: values of variables and secrets are not shown
_CLOSED = {"environment", "volumes", "buckets"}


def parameters_label(declaration: Declaration, parameters: Mapping[str, Any]) -> str:
    """Those that differ from their defaults: ``trees=200, deep=True``."""
    spec = declaration.spec
    defaults = {} if spec is None else {p.name: p.default for p in spec.parameters if p.has_default}
    given = {
        name: value
        for name, value in parameters.items()
        if name not in defaults or value != defaults[name] or type(value) is not type(defaults[name])
    }
    return _bounded(", ".join(f"{name}={value!r}" for name, value in given.items()))


def variant_label(overrides: Overrides) -> str:
    """What with_options, with_concurrency and with_batching changed: ``max_containers=2, cpu=1.0``."""
    parts: list[str] = []
    for field in fields(overrides):
        value = getattr(overrides, field.name)
        if value is None or value == ():
            continue
        if field.name == "cleared":
            parts += [f"{name}=UNSET" for name in value]
        elif field.name in _CLOSED:
            parts.append(f"{field.name} #{fingerprint(value)[:_MARK]}")
        elif isinstance(value, tuple):
            parts += [f"{name}={setting!r}" for name, setting in value if setting is not None]
        elif isinstance(value, int | float):
            parts.append(f"{field.name}={value!r}")
        else:
            settings = {part.name: getattr(value, part.name) for part in fields(value)}
            parts += [f"{name}={setting!r}" for name, setting in settings.items() if setting is not None]
    return _bounded(", ".join(parts))


def _bounded(text: str) -> str:
    """Cut where it gets too long; a mark keeps it different from all others."""
    if len(text) <= _LONGEST:
        return text
    mark = fingerprint(text)[:_MARK]
    return f"{text[: _LONGEST - _MARK - 3]}… #{mark}"
