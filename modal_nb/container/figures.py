"""Figures that an input leaves open are shown at its end, as those of a cell are."""

from __future__ import annotations

import os
import sys
import threading
import traceback
from collections.abc import Callable
from types import ModuleType
from typing import Any

from modal_nb.container.audience import audience
from modal_nb.container.output import Output
from modal_nb.runtime.context import process

_BACKEND = "matplotlib_inline.backend_inline"


class Figures:
    """One per container. Where neither ``MPLBACKEND`` nor the user says otherwise, notebooks draw with this backend."""

    def __init__(self, output: Output, ensure: Callable[[], object]) -> None:
        """``ensure`` brings a shell up if the current input is to have one."""
        self._output = output
        self._ensure = ensure
        self._backend: Any = None
        self._configured = False
        #: when pyplot was imported nobody had chosen a backend
        self._left_to_us = False
        #: inputs run one at a time, so that what is open at the end of one is its own
        self.alone = False

    def choose(self, _: ModuleType | None = None) -> None:
        """Called when pyplot is imported, and when a notebook looks for the first time."""
        pyplot: Any = sys.modules.get("matplotlib.pyplot")
        if pyplot is None or "MPLBACKEND" in os.environ:
            return
        settings = pyplot.rcParams
        open_choice = settings._get_backend_or_none() is None  # noqa: SLF001 - to look otherwise is to choose
        self._left_to_us = self._left_to_us or open_choice
        if not self._output.rich or not self._left_to_us:
            return
        if open_choice:
            settings["backend"] = f"module://{_BACKEND}"
        elif (
            settings["backend"].lower() == "agg"
        ):  # calls of nobody who looks have drawn: those are not to be shown
            pyplot.close("all")
            pyplot.switch_backend(f"module://{_BACKEND}")

    def arrived(self, module: ModuleType) -> None:
        """The backend was imported. With a shell it turns itself on, and without one it does at the next input of a
        notebook.
        """
        self._backend = module
        module.matplotlib.interactive(True)
        process.at_end.append(self.flush)

    def look(self) -> None:
        """There is a shell: if the backend was imported before it, have the shell know figures."""
        if self._configured or self._backend is None:
            return
        shell_module = sys.modules.get("IPython.core.interactiveshell")
        if shell_module is None or shell_module.InteractiveShell._instance is None:  # noqa: SLF001 - no other way
            return  # to ask without bringing it up
        self._configured = True
        backend = f"module://{_BACKEND}"
        from IPython.core.pylabtools import activate_matplotlib  # noqa: PLC0415 - loaded with the backend

        activate_matplotlib(backend)  # type: ignore[no-untyped-call]
        self._backend.configure_inline_support(shell_module.InteractiveShell.instance(), backend)

    def flush(self) -> None:
        """At the end of an input."""
        if not self.alone or threading.current_thread() is not threading.main_thread():
            return
        show = self._backend.show
        if not show._draw_called:  # noqa: SLF001 - the backend's own mark
            return
        viewers = audience(self._output)
        if viewers is None:
            return
        try:
            if viewers.rich:
                self._ensure()
                show(True)
            else:
                sys.modules["matplotlib.pyplot"].close("all")
        except Exception:  # noqa: BLE001 - the input has its outcome
            traceback.print_exc()
        finally:
            show._draw_called, show._to_draw = False, []  # noqa: SLF001
