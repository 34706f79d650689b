"""The build steps of images: packages and commands."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Self

from modal_nb.exception import InvalidError
from modal_nb.spec import checks
from modal_nb.spec.image_layer import Paths, build_options, local_path, packages
from modal_nb.spec.secret import Secret

Names = str | list[str]

#: keywords of the steps that read a file of requirements
_PIP = ("find_links", "index_url", "extra_index_url", "pre", "extra_options")
_FUNCTION = (
    "volumes",
    "network_file_systems",
    "cpu",
    "memory",
    "timeout",
    "cloud",
    "region",
    "include_source",
)
_POETRY = ("ignore_lockfile", "with_", "without", "only", "poetry_version", "old_installer")


class BuildSteps:
    """What ``Image`` can install and run. ``**build`` is the same everywhere: ``force_build`` (bool),
    ``env`` (dict), ``secrets`` (list of Secret) and ``gpu`` for that step alone.
    """

    __slots__ = ()

    @abstractmethod
    def _then(self, kind: str, **arguments: Any) -> Self:
        """The image with one more layer."""

    # ---- packages

    def apt_install(self, *packages_: Names, force_build: bool = False) -> Self:
        """Debian packages."""
        return self._then("apt_install", packages=packages("packages", packages_), force_build=force_build)

    def pip_install(
        self,
        *packages_: Names,
        find_links: str | None = None,
        index_url: str | None = None,
        extra_index_url: str | None = None,
        pre: bool = False,
        extra_options: str = "",
        **build: Any,
    ) -> Self:
        """Python packages by pip. ``build``: ``force_build``, ``env``, ``secrets``, ``gpu``."""
        given = {
            "find_links": find_links,
            "index_url": index_url,
            "extra_index_url": extra_index_url,
            "pre": pre,
        }
        names = packages("packages", packages_)
        return self._then(
            "pip_install",
            packages=names,
            extra_options=extra_options,
            **given,
            **build_options("pip_install", build),
        )

    def uv_pip_install(
        self,
        *packages_: Names,
        requirements: Sequence[str] | None = None,
        find_links: str | None = None,
        index_url: str | None = None,
        extra_index_url: str | None = None,
        pre: bool = False,
        extra_options: str = "",
        uv_version: str | None = None,
        **build: Any,
    ) -> Self:
        """Python packages by uv. ``build`` as in ``pip_install``."""
        given: dict[str, Any] = {
            "find_links": find_links,
            "index_url": index_url,
            "extra_index_url": extra_index_url,
            "pre": pre,
        }
        given |= {"requirements": requirements, "extra_options": extra_options, "uv_version": uv_version}
        return self._then(
            "uv_pip_install",
            packages=packages("packages", packages_),
            **given,
            **build_options("uv_pip_install", build),
        )

    def pip_install_private_repos(
        self, *repositories: str, git_user: str, secrets: Sequence[Secret], **build: Any
    ) -> Self:
        """Python packages from private git repositories; ``secrets`` hold the token."""
        given = {
            "repositories": packages("repositories", repositories),
            "git_user": checks.text("git_user", git_user),
        }
        return self._then(
            "pip_install_private_repos",
            **given,
            **build_options("pip_install_private_repos", {**build, "secrets": secrets}),
        )

    def pip_install_from_requirements(self, requirements_txt: str, **options: Any) -> Self:
        """What a requirements file lists. ``options`` as in ``pip_install``."""
        return self._then(
            "pip_install_from_requirements",
            file=local_path("requirements_txt", requirements_txt),
            **build_options("pip_install_from_requirements", options, *_PIP),
        )

    def pip_install_from_pyproject(
        self, pyproject_toml: str, optional_dependencies: Sequence[str] = (), **options: Any
    ) -> Self:
        """The dependencies of a pyproject file. ``options`` as in ``pip_install``."""
        groups = checks.texts("optional_dependencies", optional_dependencies)
        file = local_path("pyproject_toml", pyproject_toml)
        return self._then(
            "pip_install_from_pyproject",
            file=file,
            optional_dependencies=groups,
            **build_options("pip_install_from_pyproject", options, *_PIP),
        )

    def uv_sync(
        self,
        uv_project_dir: str = "./",
        *,
        groups: Sequence[str] | None = None,
        extras: Sequence[str] | None = None,
        frozen: bool = True,
        extra_options: str = "",
        uv_version: str | None = None,
        **build: Any,
    ) -> Self:
        """The locked environment of a uv project."""
        given = {"groups": groups, "extras": extras, "frozen": frozen, "uv_version": uv_version}
        folder = local_path("uv_project_dir", uv_project_dir)
        return self._then(
            "uv_sync", folder=folder, extra_options=extra_options, **given, **build_options("uv_sync", build)
        )

    def poetry_install_from_file(
        self, poetry_pyproject_toml: str, poetry_lockfile: str | None = None, **options: Any
    ) -> Self:
        """The locked environment of a poetry project."""
        file = local_path("poetry_pyproject_toml", poetry_pyproject_toml)
        return self._then(
            "poetry_install_from_file",
            file=file,
            lockfile=poetry_lockfile,
            **build_options("poetry_install_from_file", options, *_POETRY),
        )

    def micromamba_install(
        self, *packages_: Names, spec_file: str | None = None, channels: Sequence[str] = (), **build: Any
    ) -> Self:
        """Conda packages by micromamba."""
        given = {"spec_file": spec_file, "channels": checks.texts("channels", channels)}
        return self._then(
            "micromamba_install",
            packages=packages("packages", packages_),
            **given,
            **build_options("micromamba_install", build),
        )

    # ---- commands

    def run_commands(
        self, *commands: Names, env: Mapping[str, str | None] | None = None, **build: Any
    ) -> Self:
        """Shell commands. ``build`` as in ``pip_install``."""
        return self._then(
            "run_commands",
            commands=packages("commands", commands),
            **build_options("run_commands", {**build, "env": env}),
        )

    def dockerfile_commands(
        self, *commands: Names, context_dir: str | None = None, ignore: Paths = (), **build: Any
    ) -> Self:
        """Lines of a Dockerfile."""
        lines = packages("dockerfile_commands", commands)
        return self._then(
            "dockerfile_commands",
            commands=lines,
            context_dir=context_dir,
            ignore=ignore,
            **build_options("dockerfile_commands", build),
        )

    def run_function(
        self,
        raw_f: Callable[..., Any],
        *,
        args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
        **build: Any,
    ) -> Self:
        """Run a function as a build step; ``build``: options of ``@app.function``."""
        function: Any = raw_f
        if not callable(function) or isinstance(function, type):
            raise InvalidError(f"`run_function` needs a plain function, not {raw_f!r} ({checks.kind(raw_f)})")
        return self._then(
            "run_function",
            function=function,
            args=tuple(args),
            kwargs=kwargs or {},
            **build_options("run_function", build, *_FUNCTION),
        )
