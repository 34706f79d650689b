"""Bars of ``tqdm.auto``: who looks is asked when a bar begins, for the module may have been loaded with the class."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import Any


class Bars:
    """One per container. The module itself chooses when it is imported: widgets if there is a shell, else text."""

    def __init__(self, widgets: Callable[[], bool]) -> None:
        """``widgets``: whether those of the current input reach a notebook."""
        self._widgets = widgets
        self._drawn: type | None = None

    def arrived(self, module: Any) -> None:
        """``tqdm.auto`` was imported."""
        plain = module.tqdm
        if any(base.__module__ == "tqdm.notebook" for base in plain.__mro__):
            return  # there was a shell

        def new(cls: type, *_: Any, **__: Any) -> Any:
            # subclasses of libraries know text only; one of ours is initialized by Python, as it is a subclass, too
            return plain.__new__(self._class_of(text) if cls is text and self._widgets() else cls)

        names = {"__new__": new, "__module__": module.__name__, "__doc__": plain.__doc__}
        module.tqdm = text = type("tqdm", (plain,), names)

    def _class_of(self, text: type) -> type:
        """The bar with widgets; that of text where they are not installed."""
        if self._drawn is None:
            notebook = importlib.import_module("tqdm.notebook")
            bases = (text,) if notebook.IProgress is None else (notebook.tqdm_notebook, text)
            self._drawn = type("tqdm", bases, {"__module__": text.__module__})
        return self._drawn
