"""Whether code of an input finds a shell of IPython: called from a notebook it does, and the kernel comes up for it.

``display()``, ``get_ipython()``, figures and widgets all ask IPython whether there is a shell. Called from a notebook,
there is one: that of this container's own kernel. Where no notebook has called, code behaves as it does in a script.
Once there is a shell it is there for all, because libraries remember whether there was one.
"""

from __future__ import annotations

import builtins
import sys
import threading
from types import ModuleType
from typing import Any

from modal_nb.container.arrivals import Act, Arrivals
from modal_nb.container.attach import Attachment
from modal_nb.container.audience import audience
from modal_nb.container.bars import Bars
from modal_nb.container.figures import Figures
from modal_nb.container.output import Output
from modal_nb.runtime.context import process

#: seconds that a thread waits for the main thread to bring the kernel up
_PATIENCE = 10.0


class Presence:
    """One per container."""

    def __init__(self, output: Output) -> None:
        self._output = output
        self.figures = Figures(output, self.ensure)
        output.on_rich = self._expect_notebook
        #: set once the kernel may come up: not before the enter hooks, which may fork
        self.attachment: Attachment | None = None

    def install(self) -> None:
        """Before any code of the user is loaded."""
        builtins.display = _display  # type: ignore[attr-defined]
        acts: dict[str, Act] = {
            "IPython.core.interactiveshell": self._patch_shell,
            "comm": self._patch_comm,
            "tqdm.auto": Bars(self.has_widgets).arrived,
            "matplotlib.pyplot": self.figures.choose,
            "matplotlib_inline.backend_inline": self.figures.arrived,
        }
        Arrivals(acts).install()

    def ensure(self) -> bool:
        """Whether code of this input has a shell; brings it up if it is to have one."""
        viewers = audience(self._output)
        if viewers is None or not viewers.rich:
            return False
        if self.attachment is not None and not self.attachment.attached:
            self._bring_up(self.attachment)
        self.figures.look()
        return True

    def has_widgets(self) -> bool:
        """Whether widgets of this input reach a notebook; those of enter hooks do not."""
        return self.attachment is not None and self.ensure()

    def get_ipython(self) -> Any:
        """IPython's shell; None where the current code has none."""
        if not self.ensure() and "IPython" not in sys.modules:
            return None
        from IPython import get_ipython  # noqa: PLC0415 - as in _display

        return get_ipython()

    def _expect_notebook(self) -> None:
        """Before the first input of a notebook. Libraries take the mere name for a sign of one, so others have none."""
        builtins.get_ipython = self.get_ipython  # type: ignore[attr-defined]
        self.figures.choose()

    def _bring_up(self, attachment: Attachment) -> None:
        if threading.current_thread() is threading.main_thread():
            attachment.attach()
        else:
            attachment.ring()
            attachment.up.wait(_PATIENCE)

    def _patch_shell(self, module: ModuleType) -> None:
        shell_class = module.InteractiveShell
        stock = shell_class.initialized.__func__

        def initialized(cls: Any) -> bool:
            if process.container_id is None:  # a forked child: the channels are its parent's
                return False
            self.ensure()
            return bool(stock(cls))

        shell_class.initialized = classmethod(initialized)

    def _patch_comm(self, module: ModuleType) -> None:
        """What the module gives until a kernel puts its own there: a comm that leads nowhere, unless there is to be a
        kernel.
        """
        stock = module.create_comm

        def create_comm(*args: Any, **kwargs: Any) -> Any:
            self.ensure()
            make = module.create_comm
            return (stock if make is create_comm else make)(*args, **kwargs)

        module.create_comm = create_comm  # type: ignore[attr-defined]


def _display(*objects: Any, **options: Any) -> Any:
    """IPython's ``display``, which code of notebooks uses without an import."""
    try:
        from IPython.display import display  # noqa: PLC0415 - containers that show nothing do not load it
    except ImportError:
        for one in objects:
            sys.stdout.write(f"{one!r}\n")
        return None
    return display(*objects, **options)  # type: ignore[no-untyped-call]
