"""Which cell made which panel: when a cell is run again, the panels of its last run close."""

from __future__ import annotations

from typing import Any, Protocol

from modal_nb.client.introspect import shell_here


class Closable(Protocol):
    """A panel."""

    def close(self) -> None: ...


class Cells:
    """Registered once with the IPython shell of this process."""

    def __init__(self) -> None:
        self._shell: Any = None
        #: cell id -> the run that made them, and what it made
        self._made: dict[str, tuple[str, list[Closable]]] = {}

    def own(self, panel: Closable) -> None:
        """The cell that runs now has made this panel. Without cells, or from front ends without cell ids: nothing."""
        shell = shell_here()
        cell, run = _current(shell)
        if not cell:
            return
        if shell is not self._shell:
            self._shell = shell
            shell.events.register("pre_run_cell", self._begins)
        self._close_older(cell, run)
        self._made.setdefault(cell, (run, []))[1].append(panel)

    def _begins(self, info: Any = None) -> None:
        self._close_older(*_current(self._shell))

    def _close_older(self, cell: str, run: str) -> None:
        made = self._made.get(cell)
        if made is not None and made[0] != run:
            del self._made[cell]
            for panel in made[1]:
                panel.close()


def in_kernel() -> bool:
    """Whether this process is a Jupyter kernel, so that something may show widgets."""
    return getattr(shell_here(), "kernel", None) is not None


def _current(shell: Any) -> tuple[str, str]:
    """The id of the cell that runs now, and of this run; empty where there are none."""
    kernel = getattr(shell, "kernel", None)
    parent = kernel.get_parent() if kernel is not None else {}
    cell = parent.get("metadata", {}).get("cellId") or ""
    return str(cell), str(parent.get("header", {}).get("msg_id", ""))


#: of this process
cells = Cells()
