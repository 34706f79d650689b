"""Which notebook this process is the kernel of, and how long its containers outlive it."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from modal_nb.client.introspect import shell_here
from modal_nb.protocol.config import config

if TYPE_CHECKING:
    from modal_nb.client.app import App
    from modal_nb.client.session import Session


def path() -> str:
    """The notebook's path as Jupyter, or VS Code, tells it to its kernel; "" in scripts, terminals and without one."""
    shell = shell_here()
    if getattr(shell, "kernel", None) is None:
        return ""
    told = shell.user_ns.get("__vsc_ipynb_file__") or os.environ.get("JPY_SESSION_NAME")
    return str(Path.cwd() / told) if isinstance(told, str) and told else ""


def lingering(app: App, session: Session) -> tuple[str, float]:
    """Whose the app is when this kernel goes, and for how many seconds; nobody's without a path.

    InvalidError for a setting that does not fit.
    """
    notebook = path()
    if not notebook:
        return "", 0.0
    said = app._linger  # noqa: SLF001 - said once, when the app was made
    seconds = float(config(session.where.home, os.environ)["linger"].value or 0) if said is None else said
    return (notebook, float(seconds)) if seconds else ("", 0.0)
