"""What containers mount: volumes, buckets and legacy network file systems, and where they may be mounted."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import PurePath, PurePosixPath
from typing import Any

from modal_nb.exception import InvalidError
from modal_nb.spec import checks
from modal_nb.spec.secret import Secret

_ephemeral_numbers = itertools.count(1)


@dataclass(frozen=True, slots=True)
class Volume:
    """A shared folder that is kept by name.

    Made by ``from_name`` or ``ephemeral``, mounted by ``volumes=``.
    """

    name: str
    environment_name: str | None = None
    create_if_missing: bool = False
    #: not 0: has no name that others know, and ends with its ``with`` block
    ephemeral_number: int = 0
    is_read_only: bool = False
    sub_path: str | None = None

    @staticmethod
    def from_name(
        name: str, *, environment_name: str | None = None, create_if_missing: bool = False
    ) -> Volume:
        """A volume by name; nothing is looked up before a pool that mounts it is first used."""
        checks.boolean("create_if_missing", create_if_missing)
        return Volume(checks.object_name("Volume", name), environment_name, create_if_missing)

    @staticmethod
    @contextmanager
    def ephemeral() -> Iterator[Volume]:
        """A nameless volume for the length of a ``with`` block."""
        number = next(_ephemeral_numbers)
        yield Volume(f"ephemeral-{number}", ephemeral_number=number)

    def read_only(self) -> Volume:
        """The same volume; containers that mount it so cannot write."""
        return replace(self, is_read_only=True)

    def with_mount_options(self, *, read_only: bool | None = None, sub_path: str | None = None) -> Volume:
        """The same volume mounted otherwise: without writing, or only a folder of it."""
        if sub_path is not None:
            checks.text("sub_path", sub_path)
        return replace(
            self,
            is_read_only=self.is_read_only if read_only is None else checks.boolean("read_only", read_only),
            sub_path=self.sub_path if sub_path is None else sub_path,
        )

    @property
    def identity(self) -> tuple[str, str | None, int]:
        """Equal for two declarations of one volume, however it is mounted."""
        return (self.name, self.environment_name, self.ephemeral_number)

    def __repr__(self) -> str:
        return f"<Volume {self.name}>"


@dataclass(frozen=True, slots=True)
class NetworkFileSystem:
    """Modal's legacy shared folder; kept for old code, ``Volume`` is what to use."""

    name: str
    environment_name: str | None = None
    create_if_missing: bool = False

    @staticmethod
    def from_name(
        name: str, *, environment_name: str | None = None, create_if_missing: bool = False
    ) -> NetworkFileSystem:
        """A network file system by name; nothing is looked up before a pool that mounts it is first used."""
        checks.boolean("create_if_missing", create_if_missing)
        return NetworkFileSystem(
            checks.object_name("NetworkFileSystem", name), environment_name, create_if_missing
        )

    def __repr__(self) -> str:
        return f"<NetworkFileSystem {self.name}>"


@dataclass(frozen=True, slots=True)
class CloudBucketMount:
    """A bucket of an S3-like store, mounted as a folder by ``volumes=``."""

    bucket_name: str
    bucket_endpoint_url: str | None = None
    key_prefix: str | None = None
    secret: Secret | None = None
    oidc_auth_role_arn: str | None = None
    read_only: bool = False
    requester_pays: bool = False
    force_path_style: bool = False

    def __post_init__(self) -> None:
        checks.text("bucket_name", self.bucket_name)
        if self.key_prefix is not None and not self.key_prefix.endswith("/"):
            raise InvalidError(f"`key_prefix` must end with '/', not {self.key_prefix!r}")
        if self.secret is not None:
            checks.instance("secret", self.secret, Secret)
        if self.requester_pays and self.secret is None:
            raise InvalidError("`requester_pays` needs `secret`: the credentials of who pays")
        for option in ("read_only", "requester_pays", "force_path_style"):
            checks.boolean(option, getattr(self, option))


Mounted = Volume | CloudBucketMount

#: what no mount may cover, because the container itself lives there
_RESERVED = ("/", "/root", "/tmp")  # noqa: S108 - names of places, nothing is written


def volumes(value: Any) -> tuple[tuple[str, Mounted], ...]:
    """``volumes=`` as users write it, as (path, volume or bucket) pairs sorted by path."""
    pairs = _mounts("volumes", value)
    for path, mounted in pairs:
        if not isinstance(mounted, Volume | CloudBucketMount):
            raise InvalidError(
                f"`volumes` has {mounted!r} ({checks.kind(mounted)}) at {path!r}; "
                "give a modal_nb.Volume or a modal_nb.CloudBucketMount"
            )
    check_once(pairs)
    return pairs


def check_once(pairs: tuple[tuple[str, Mounted], ...]) -> None:
    """InvalidError if one volume is mounted at two paths."""
    paths: dict[Any, str] = {}
    for path, mounted in pairs:
        if not isinstance(mounted, Volume):
            continue
        first = paths.setdefault(mounted.identity, path)
        if first != path:
            raise InvalidError(
                f"The same Volume {mounted.name!r} cannot be mounted at two paths ({first!r} and {path!r}); "
                "mount it once and use folders inside it"
            )


def network_file_systems(value: Any) -> tuple[tuple[str, NetworkFileSystem], ...]:
    """``network_file_systems=`` as users write it, as (path, file system) pairs sorted by path."""
    pairs = _mounts("network_file_systems", value)
    for path, mounted in pairs:
        if not isinstance(mounted, NetworkFileSystem):
            raise InvalidError(
                f"`network_file_systems` has {mounted!r} ({checks.kind(mounted)}) at {path!r}; "
                "give a modal_nb.NetworkFileSystem"
            )
    return pairs


def _mounts(option: str, value: Any) -> tuple[tuple[str, Any], ...]:
    if value is None:
        return ()
    if not isinstance(value, Mapping):
        raise InvalidError(f"`{option}` must be a dict of paths, not {value!r} ({checks.kind(value)})")
    pairs = [(_path(option, path), mounted) for path, mounted in value.items()]
    return tuple(sorted(pairs, key=lambda pair: pair[0]))


def _path(option: str, value: Any) -> str:
    if not isinstance(value, str | PurePath) or not str(value):
        raise InvalidError(f"`{option}` has the path {value!r} ({checks.kind(value)}); paths are strings")
    path = PurePosixPath(str(value))
    if not path.is_absolute() or ".." in path.parts:
        raise InvalidError(f"`{option}` has the path {str(value)!r}; it must be a canonical absolute path")
    text = str(path).replace("//", "/")
    if text in _RESERVED:
        raise InvalidError(
            f"`{option}` cannot be mounted at {text!r}; choose a folder of its own, such as '/data'"
        )
    return text
