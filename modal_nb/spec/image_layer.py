"""One step of an image, and the rules by which steps follow each other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePath, PurePosixPath
from typing import Any

from modal_nb.exception import InvalidError
from modal_nb.spec import checks
from modal_nb.spec.resources import gpus
from modal_nb.spec.secret import Secret, environment

#: one pattern or path, or several
Paths = str | Sequence[str]


@dataclass(frozen=True, slots=True)
class Layer:
    """What one method of ``Image`` asks for: the method's name and its arguments, sorted by name."""

    kind: str
    arguments: tuple[tuple[str, Any], ...] = ()

    def __repr__(self) -> str:
        # values may hold credentials of package indexes: only the names of what was given are shown
        return f"{self.kind}({', '.join(name for name, _ in self.arguments)})"


#: files that are laid over the finished image when a container starts, not baked into it
_LAID_OVER = ("add_local_file", "add_local_dir", "add_local_python_source")


def layer(kind: str, **arguments: Any) -> Layer:
    """A layer of what is given; arguments that are None, False or empty are as good as left out."""
    given = {
        name: _frozen(value) for name, value in arguments.items() if value not in (None, False, "", (), [])
    }
    return Layer(kind, tuple(sorted(given.items())))


def is_laid_over(step: Layer) -> bool:
    return step.kind in _LAID_OVER and not dict(step.arguments).get("copy", False)


def check_order(layers: tuple[Layer, ...], step: Layer) -> None:
    """InvalidError if ``step`` builds on files that are only there once a container runs."""
    if not layers or is_laid_over(step) or not is_laid_over(layers[-1]):
        return
    raise InvalidError(
        f"Image.{step.kind} cannot follow Image.{layers[-1].kind}: local files are added when a "
        f"container starts, "
        f"after all build steps. Put {layers[-1].kind} last, or give it copy=True to bake the files in."
    )


def packages(option: str, values: tuple[Any, ...]) -> tuple[str, ...]:
    """``*packages`` of strings and lists of strings, flat."""
    flat: list[str] = []
    for value in values:
        if isinstance(value, list | tuple):
            flat.extend(checks.texts(option, value))
        else:
            flat.append(checks.text(option, value))
    return tuple(flat)


def absolute_path(option: str, value: Any) -> str:
    """A path inside the container."""
    if not isinstance(value, str | PurePath) or not PurePosixPath(str(value)).is_absolute():
        raise InvalidError(f"`{option}` must be an absolute path inside the container, not {value!r}")
    return str(PurePosixPath(str(value)))


def local_path(option: str, value: Any) -> str:
    """A path on the notebook's machine; whether it exists shows when the image is built."""
    if not isinstance(value, str | PurePath) or not str(value):
        raise InvalidError(f"`{option}` must be a path, not {value!r} ({checks.kind(value)})")
    return str(value)


def _frozen(value: Any) -> Any:
    if isinstance(value, list | tuple):
        return tuple(_frozen(item) for item in value)
    if isinstance(value, Mapping):
        return tuple(sorted((str(name), _frozen(item)) for name, item in value.items()))
    return str(value) if isinstance(value, PurePath) else value


def build_options(step: str, given: Mapping[str, Any], *more: str) -> dict[str, Any]:
    """The keywords that build steps share, and ``more`` of this step's own; TypeError for others."""
    known = {"force_build", "env", "secrets", "gpu", *more}
    if unknown := sorted(set(given) - known):
        takes = ", ".join(sorted(known))
        raise TypeError(f"Image.{step}() got an unexpected keyword argument {unknown[0]!r}; it takes {takes}")
    options = {name: value for name, value in given.items() if value is not None}
    if "env" in options:
        options["env"] = environment("env", options["env"])
    if "secrets" in options:
        options["secrets"] = checks.instances("secrets", options["secrets"], Secret)
    if "gpu" in options:
        options["gpu"] = gpus(options["gpu"])
    return options
