"""Where an app comes from, in words: the same in the live panel and in the table."""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import Any

from modal_nb.client.subscription import Listed
from modal_nb.views.cells import in_kernel


def described(apps: Iterable[Listed]) -> list[dict[str, Any]]:
    """The apps with their ``origin``, for people."""
    return [{**app, "origin": _origin(app)} for app in apps]


def _origin(app: Listed) -> str:
    if app["version"]:
        return f"deployed in {app['environment']}, version {app['version']}"
    if app.get("gone"):
        return f"of a notebook that is gone (process {app['pid']})"
    if app["pid"] == os.getpid():
        return "of this notebook" if in_kernel() else "of this process"
    return f"of process {app['pid']}"
