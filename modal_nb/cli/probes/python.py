"""Interpreters, and the packages that modal_nb stands on or works with."""

from __future__ import annotations

import platform
import sys
from importlib.metadata import PackageNotFoundError, requires, version

from modal_nb.cli.probes.finding import Finding, command, missing, ok, problem

_OLDEST = (3, 11)
_INTERPRETERS = tuple(f"python3.{minor}" for minor in range(_OLDEST[1], _OLDEST[1] + 6))

#: package, what is missing without it, what brings it
_OPTIONAL = (
    ("jupyterlab", "notebooks in a browser", "jupyterlab"),
    ("ipywidgets", "live panels", "'modal_nb[widgets]'"),
    ("anywidget", "live panels", "'modal_nb[widgets]'"),
    ("jupyter-console", "modal-nb shell", "jupyter-console"),
    ("ray", "containers on a Ray cluster", "'ray[default]'"),
)


def interpreters() -> list[Finding]:
    """The one that runs this, and others that notebooks may run on."""
    here = f"{platform.python_version()} ({sys.executable})"
    if sys.version_info < _OLDEST:
        remedy = f"install Python {_OLDEST[0]}.{_OLDEST[1]} or newer"
        found = [problem("python", here, remedy, needed=True)]
    else:
        found = [ok("python", here)]
    asked = [command(name, "--version") for name in _INTERPRETERS]
    others = [ran.line for ran in asked if ran is not None and ran.code == 0]
    if others:
        found.append(ok("python on PATH", ", ".join(one.removeprefix("Python ") for one in others)))
    return found


def needed_packages() -> list[Finding]:
    """modal_nb and what it cannot do without."""
    return [ok("modal_nb", version("modal_nb")), *map(_needed, ("ipykernel", "jupyter-client"))]


def other_packages() -> list[Finding]:
    return [_other(*one) for one in _OPTIONAL]


def _needed(name: str) -> Finding:
    wanted = next((one for one in requires("modal_nb") or () if one.startswith(name)), name)
    install = f"{sys.executable} -m pip install '{wanted}'"
    try:
        there = version(name)
    except PackageNotFoundError:
        return missing(name, "not installed", install, needed=True)
    if not _fits(there, wanted):
        return problem(name, f"{there}, but {wanted} is needed", install, needed=True)
    return ok(name, there)


def _fits(there: str, wanted: str) -> bool:
    try:
        # comes with ipykernel, which may be what is broken
        from packaging.requirements import Requirement  # noqa: PLC0415 - without it nothing can be compared
    except ImportError:
        return True
    return Requirement(wanted).specifier.contains(there, prereleases=True)


def _other(name: str, what: str, package: str) -> Finding:
    try:
        return ok(name, version(name))
    except PackageNotFoundError:
        return missing(name, f"for {what}", f"{sys.executable} -m pip install {package}")
