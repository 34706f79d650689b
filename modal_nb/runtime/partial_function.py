"""The marks that decorators leave on the functions of a class body.

They live in ``runtime`` because a class travels with its marks: the container reads them to find methods and
hooks.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from enum import StrEnum
from typing import Any


class Mark(StrEnum):
    """What a function of a class body is for."""

    METHOD = "method"
    ENTER = "enter"
    EXIT = "exit"


class PartialFunction:
    """A function of a class body with its mark; on an undecorated class it behaves like the plain function.

    In an instance that serves (``_modal_methods`` in its ``__dict__``) a method attribute is that mapping's
    entry, so that ``self.other.local()`` and ``self.other.remote()`` work inside a container as they do
    outside.
    """

    def __init__(
        self,
        raw_f: Callable[..., Any],
        mark: Mark,
        *,
        snap: bool = False,
        is_generator: bool | None = None,
        max_batch_size: int | None = None,
        wait_ms: int | None = None,
    ) -> None:
        self.raw_f = raw_f
        self.mark = mark
        #: enter hooks that run before a memory snapshot is taken
        self.snap = snap
        self.is_generator = is_generator
        self.max_batch_size = max_batch_size
        self.wait_ms = wait_ms
        #: the web decorator that made it, such as "asgi_app"
        self.web: str | None = None
        #: of ``@app.function``: it takes no self
        self.free = False
        self.name: str = getattr(raw_f, "__name__", "")
        functools.update_wrapper(self, raw_f)

    def __set_name__(self, owner: type, name: str) -> None:
        self.name = name

    def __get__(self, instance: Any, owner: type | None = None) -> Any:
        if instance is None:
            return self
        methods = getattr(instance, "__dict__", {}).get("_modal_methods")
        if methods and self.mark is Mark.METHOD and self._is_current_in(type(instance)):
            return methods[self.name]
        return self.raw_f.__get__(instance, owner)

    def _is_current_in(self, cls: type) -> bool:
        """False when overridden: then ``super().method(...)`` asked and means the base's function."""
        return getattr(cls, self.name, None) is self

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self.raw_f(*args, **kwargs)
