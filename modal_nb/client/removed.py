"""Names that Modal had once; each use says the new word."""

from __future__ import annotations

from typing import Any, Never

from modal_nb.exception import DeprecationError


class Renamed:
    """An attribute that Modal had once: reading it is an AttributeError with the new word."""

    def __init__(self, hint: str) -> None:
        self._hint = hint

    def __get__(self, instance: Any, owner: type | None = None) -> Never:
        raise AttributeError(self._hint)


def Stub(*_: Any, **__: Any) -> Never:  # noqa: N802 - it was a class
    raise DeprecationError("Stub was renamed: use modal_nb.App instead")


def build(*_: Any, **__: Any) -> Never:
    raise DeprecationError(
        "@build is gone: put set-up code into Image.run_function or @modal_nb.enter(snap=True)"
    )


def web_endpoint(*_: Any, **__: Any) -> Never:
    raise DeprecationError("web_endpoint was renamed: use @modal_nb.fastapi_endpoint() instead")
