"""Secrets: where the values of environment variables come from. Only names are ever shown, never values."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from modal_nb.exception import InvalidError
from modal_nb.spec import checks

#: what Modal tells a container of itself; nobody else can set it
RESERVED = frozenset(
    {
        "MODAL_CLOUD_PROVIDER",
        "MODAL_ENVIRONMENT",
        "MODAL_IDENTITY_TOKEN",
        "MODAL_IMAGE_ID",
        "MODAL_IS_REMOTE",
        "MODAL_REGION",
        "MODAL_TASK_ID",
    }
)


@dataclass(frozen=True, slots=True)
class GivenValues:
    """The values stand in the declaration."""

    items: tuple[tuple[str, str], ...] = field(repr=False)

    def __repr__(self) -> str:
        return ", ".join(name for name, _ in self.items)


@dataclass(frozen=True, slots=True)
class LocalEnviron:
    """The values stand in the notebook's environment when the pool is first used."""

    names: tuple[str, ...]

    def __repr__(self) -> str:
        return "local environ: " + ", ".join(self.names)


@dataclass(frozen=True, slots=True)
class DotEnv:
    """The values stand in a file, read when the pool is first used."""

    #: the file, or a folder from which the search for ``filename`` goes up; None: the working directory
    path: str | None
    filename: str

    def __repr__(self) -> str:
        return f"dotenv: {self.path or '.'}/{self.filename}"


@dataclass(frozen=True, slots=True)
class Stored:
    """The values are kept by name by the supervisor."""

    name: str
    environment_name: str | None
    required_keys: tuple[str, ...]

    def __repr__(self) -> str:
        return f"name: {self.name}"


Source = GivenValues | LocalEnviron | DotEnv | Stored


@dataclass(frozen=True, slots=True)
class Secret:
    """Environment variables for containers, resolved at launch only; made by one of the ``from_``
    methods.

    Given to ``secrets=`` of an app or a class. Of several secrets with the same variable the last one
    wins.
    """

    source: Source

    @staticmethod
    def from_dict(env_dict: Mapping[str, str | None]) -> Secret:
        """Values given here; None leaves a variable out.

        InvalidError for what is not a string, and for a name that is reserved.
        """
        return Secret(GivenValues(environment("env_dict", env_dict)))

    @staticmethod
    def from_local_environ(env_keys: list[str]) -> Secret:
        """Variables of the notebook's environment, read when the pool is first used.

        One that is missing then is an InvalidError, and so is a name that is reserved, at once.
        """
        names = checks.texts("env_keys", env_keys)
        check_free("`env_keys`", names)
        return Secret(LocalEnviron(names))

    @staticmethod
    def from_dotenv(path: str | None = None, *, filename: str = ".env") -> Secret:
        """Variables of a ``.env`` file: ``path`` itself, or the nearest ``filename`` from there upwards.

        Read when the pool is first used; without ``path`` the search starts in the working directory.
        """
        return Secret(DotEnv(None if path is None else str(path), checks.text("filename", filename)))

    @staticmethod
    def from_name(
        name: str, *, environment_name: str | None = None, required_keys: list[str] | tuple[str, ...] = ()
    ) -> Secret:
        """A secret that is kept under a name; nothing is looked up before the pool is first used."""
        keys = checks.texts("required_keys", required_keys)
        return Secret(Stored(checks.object_name("Secret", name), environment_name, keys))

    def __repr__(self) -> str:
        return f"<Secret {self.source!r}>"


def environment(option: str, value: Any) -> tuple[tuple[str, str], ...]:
    """Variables of containers as (name, value) pairs without those that are None.

    InvalidError for what no process could hold, and for names that are reserved.
    """
    pairs = variables(option, value)
    check_free(f"`{option}`", (name for name, _ in pairs))
    return pairs


def check_free(where: str, names: Iterable[str]) -> None:
    """InvalidError for a name that is reserved."""
    for name in names:
        if name in RESERVED:
            raise InvalidError(
                f"{where} has the name {name!r}, which is reserved for what containers are told of themselves; "
                "give the variable another name"
            )


def variables(option: str, value: Any) -> tuple[tuple[str, str], ...]:
    """The same where no name is reserved: what a build is told."""
    if not isinstance(value, Mapping):
        raise InvalidError(f"`{option}` must be a dict of str to str, not {value!r} ({checks.kind(value)})")
    pairs: list[tuple[str, str]] = []
    for name, content in value.items():
        if not isinstance(name, str) or not name or "=" in name or "\0" in name:
            raise InvalidError(f"`{option}` has the name {name!r}; names are non-empty strings without '='")
        if content is None:
            continue
        if not isinstance(content, str) or "\0" in content:
            # the value may be a secret: only its type is told
            raise InvalidError(
                f"`{option}` has {checks.an(checks.kind(content))} for {name!r}; values are strings or None"
            )
        pairs.append((name, content))
    return tuple(pairs)
