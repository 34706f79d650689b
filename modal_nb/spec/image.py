"""Images: immutable, lazy chains of layers. Nothing is looked at or built before a pool is first used."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, ClassVar

from modal_nb.exception import InvalidError
from modal_nb.spec import checks
from modal_nb.spec.image_layer import Layer, Paths, absolute_path, check_order, layer, packages
from modal_nb.spec.image_layer import local_path as path_here
from modal_nb.spec.image_steps import BuildSteps
from modal_nb.spec.secret import Secret, environment, variables


@dataclass(frozen=True, slots=True)
class Image(BuildSteps):
    """What a container's file system holds.

    Start with one of the static methods, add by chaining; each call gives a new Image and leaves the old
    one as it was. Wrong arguments are InvalidError at once, building happens later.
    """

    layers: tuple[Layer, ...]

    #: set by a container at its start, so that ``imports()`` lets errors through there
    inside_container: ClassVar[bool] = False

    def __post_init__(self) -> None:
        if not self.layers or not all(isinstance(step, Layer) for step in self.layers):
            raise InvalidError(
                "Image has no public constructor; start with Image.debian_slim() or Image.from_registry()"
            )

    # ---- where an image starts

    @staticmethod
    def debian_slim(python_version: str | None = None, force_build: bool = False) -> Image:
        """Debian with Python; by default the notebook's version."""
        return _start("debian_slim", python_version=_version(python_version), force_build=force_build)

    @staticmethod
    def from_registry(
        tag: str,
        secret: Secret | None = None,
        *,
        setup_dockerfile_commands: Sequence[str] = (),
        force_build: bool = False,
        add_python: str | None = None,
    ) -> Image:
        """A public or private image by its tag; ``add_python`` installs that version of Python into it."""
        given = {"setup_dockerfile_commands": list(setup_dockerfile_commands), "force_build": force_build}
        python = _version(add_python, "add_python")
        return _start(
            "from_registry", tag=checks.text("tag", tag), secret=_secret(secret), add_python=python, **given
        )

    @staticmethod
    def from_aws_ecr(tag: str, secret: Secret | None = None, *, add_python: str | None = None) -> Image:
        """An image of AWS's registry; ``secret`` holds the credentials."""
        python = _version(add_python, "add_python")
        return _start("from_aws_ecr", tag=checks.text("tag", tag), secret=_secret(secret), add_python=python)

    @staticmethod
    def from_gcp_artifact_registry(
        tag: str, secret: Secret | None = None, *, add_python: str | None = None
    ) -> Image:
        """An image of Google's registry; ``secret`` holds the service account."""
        given = {"secret": _secret(secret), "add_python": _version(add_python, "add_python")}
        return _start("from_gcp_artifact_registry", tag=checks.text("tag", tag), **given)

    @staticmethod
    def from_dockerfile(
        path: str,
        *,
        context_dir: str | None = None,
        ignore: Paths = (),
        build_args: Mapping[str, str] | None = None,
        add_python: str | None = None,
        force_build: bool = False,
    ) -> Image:
        """What a Dockerfile of the notebook's machine says."""
        given = {
            "context_dir": context_dir,
            "ignore": ignore,
            "build_args": variables("build_args", build_args or {}),
        }
        python = _version(add_python, "add_python")
        file = path_here("path", path)
        return _start("from_dockerfile", path=file, add_python=python, force_build=force_build, **given)

    @staticmethod
    def micromamba(python_version: str | None = None, force_build: bool = False) -> Image:
        """Debian with micromamba and Python, for conda packages."""
        return _start("micromamba", python_version=_version(python_version), force_build=force_build)

    @staticmethod
    def from_scratch() -> Image:
        """An empty file system."""
        return _start("from_scratch")

    @staticmethod
    def from_name(name: str, *, environment_name: str | None = None) -> Image:
        """An image that was published under a name."""
        return _start("from_name", name=checks.text("name", name), environment_name=environment_name)

    @staticmethod
    def from_id(image_id: str) -> Image:
        """An image that was built before, by its id."""
        return _start("from_id", image_id=checks.text("image_id", image_id))

    # ---- settings

    def env(self, vars: Mapping[str, str]) -> Image:  # noqa: A002 - Modal's name
        """Environment variables for build steps and containers."""
        return self._then("env", vars=environment("vars", vars))

    def workdir(self, path: str) -> Image:
        """The working directory of what follows and of containers."""
        return self._then("workdir", path=absolute_path("path", path))

    def entrypoint(self, entrypoint_commands: list[str]) -> Image:
        """The command that starts every process of a container."""
        return self._then("entrypoint", commands=checks.texts("entrypoint_commands", entrypoint_commands))

    def cmd(self, cmd: list[str]) -> Image:
        """The default command."""
        return self._then("cmd", commands=checks.texts("cmd", cmd))

    def shell(self, shell_commands: list[str]) -> Image:
        """The shell that runs the commands that follow."""
        return self._then("shell", commands=checks.texts("shell_commands", shell_commands))

    # ---- files of the notebook's machine

    def add_local_file(self, local_path: str, remote_path: str, *, copy: bool = False) -> Image:
        """A file; added when a container starts, or baked in with ``copy=True``."""
        return self._then(
            "add_local_file",
            local=path_here("local_path", local_path),
            remote=absolute_path("remote_path", remote_path),
            copy=copy,
        )

    def add_local_dir(
        self, local_path: str, remote_path: str, *, copy: bool = False, ignore: Paths = ()
    ) -> Image:
        """A folder; added when a container starts, or baked in with ``copy=True``."""
        remote = absolute_path("remote_path", remote_path)
        return self._then(
            "add_local_dir",
            local=path_here("local_path", local_path),
            remote=remote,
            copy=copy,
            ignore=ignore,
        )

    def add_local_python_source(self, *modules: str, copy: bool = False, ignore: Paths = ()) -> Image:
        """Python modules by name; added when a container starts, or baked in with ``copy=True``."""
        names = packages("modules", modules)
        return self._then(
            "add_local_python_source", modules=names, copy=checks.boolean("copy", copy), ignore=ignore
        )

    # ---- use

    @contextmanager
    def imports(self) -> Iterator[None]:
        """Imports that only containers can do: an ImportError is swallowed here and real there."""
        try:
            yield
        except ImportError:
            if Image.inside_container:
                raise

    def pipe(self, func: Callable[..., Image], *args: Any, **kwargs: Any) -> Image:
        """``func(self, *args, **kwargs)``, so that own steps can stand in a chain."""
        return func(self, *args, **kwargs)

    def build(self, app: object = None) -> Image:
        """Build now instead of at first use; no back end of this version builds images, so InvalidError."""
        raise InvalidError(f"{self!r} cannot be built{_for(app)}: no back end of this version builds images")

    def publish(self, name: str, *, environment_name: str | None = None) -> Image:
        """Keep the built image under a name; no back end of this version builds images, so InvalidError."""
        checks.text("name", name)
        raise InvalidError(
            f"{self!r} cannot be published as {name!r}{_for(environment_name)}: no back end of this "
            f"version builds images"
        )

    def _then(self, kind: str, **arguments: Any) -> Image:
        step = layer(kind, **arguments)
        check_order(self.layers, step)
        return Image((*self.layers, step))

    def __repr__(self) -> str:
        return f"<Image {'.'.join(step.kind for step in self.layers)}>"


def _start(kind: str, **arguments: Any) -> Image:
    return Image((layer(kind, **arguments),))


def _for(whom: object) -> str:
    return "" if whom is None else f" for {whom!r}"


def _version(value: Any, option: str = "python_version") -> str | None:
    if value is None:
        return None
    if isinstance(value, float):
        raise InvalidError(
            f"`{option}` must be a string such as '3.12', not the number {value}, which drops zeros"
        )
    if not re.fullmatch(r"3\.\d{1,2}(\.\d{1,3})?t?", checks.text(option, value)):
        raise InvalidError(f"`{option}` must be a Python version such as '3.12', not {value!r}")
    return str(value)


def _secret(value: Secret | None) -> Secret | None:
    return None if value is None else checks.instance("secret", value, Secret)
