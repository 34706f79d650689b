"""The magics of ``%load_ext modal_nb``: cells in living containers, deployed classes by name, a remote ``%debug``."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any, TypeVar

from IPython.core.error import UsageError
from IPython.core.magic import Magics, cell_magic, line_magic, magics_class
from IPython.core.magic_arguments import argument, magic_arguments, parse_argstring

from modal_nb.client import imports, targets, visits
from modal_nb.exception import Error
from modal_nb.runtime import whereabouts
from modal_nb.views.remote_completion import RemoteCompletion

T = TypeVar("T")


@magics_class
class ContainerMagics(Magics):
    """Registered by ``%load_ext modal_nb``, and by the first use of an app in IPython."""

    def __init__(self, shell: Any) -> None:
        super().__init__(shell)
        self._shell = shell
        self._stock_debug: Callable[..., Any] = shell.find_line_magic("debug")

    @magic_arguments()
    @argument(
        "target", help="an instance such as model, a class without parameters, or a container's id, ct-..."
    )
    @argument("--all", action="store_true", help="run it in every container of the instance")
    @argument("--container", "-c", default="", metavar="ID", help="run it in this one; default: an idle one")
    @cell_magic
    def container(self, line: str, cell: str) -> None:
        """Run the cell in a living container of an instance, beside the object that serves: it is ``self`` there.

        The cell gets the container for itself: it waits for what runs there, and no input comes before it is
        through. Names that it defines stay in the container.
        """
        __tracebackhide__ = True
        said = parse_argstring(self.container, line)
        target = said.target if said.target.startswith("ct-") else self._shell.ev(said.target)
        is_async = self._shell.should_run_async(cell, transformed_cell=self._shell.transform_cell(cell))
        for place in _usage(lambda: targets.places(target, said.container, everywhere=said.all)):
            place.run_cell(cell, is_async=is_async)

    @line_magic
    def modal(self, line: str) -> None:
        """``%modal from app import Model, f as g``: classes and functions of a deployed app, by name.

        ``%modal from environment/app import ...`` names the environment.
        """
        self._shell.push(_usage(lambda: imports.named(line)))

    @line_magic
    def debug(self, line: str) -> Any:
        """``%debug``, after an exception of a container: there, on the live frames. Else IPython's own.

        The container leaves its pool until the debugger is left by ``q``, or for half an hour without a command.
        ``%debug --here`` is IPython's own in any case.
        """
        __tracebackhide__ = True
        error = getattr(sys, "last_value", None)
        hops = whereabouts.of(error) if error is not None and not line.strip() else ()
        place = visits.where_failed(hops[0]) if hops and hops[0].number and hops[0].input else None
        if place is None:
            return self._stock_debug(line.replace("--here", ""))
        try:
            return place.debug(hops[0].input)
        except Error as problem:
            raise UsageError(f"{problem} (`%debug --here` shows the frames of this process)") from None


def load(shell: Any) -> None:
    """Register them with this shell; again it does nothing."""
    if "container" not in shell.magics_manager.magics["cell"]:
        shell.register_magics(ContainerMagics(shell))
        RemoteCompletion(shell).install()


def _usage(act: Callable[[], T]) -> T:
    """A sentence and no traceback for what was typed wrong."""
    try:
        return act()
    except Error as error:
        raise UsageError(str(error)) from None
