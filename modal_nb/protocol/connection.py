"""Where a supervisor is found: its folders, its socket and its connection file.

Everything lies under one home folder (``MODAL_NB_HOME``, else the user's data folder), readable by its owner alone.
"""

from __future__ import annotations

import hashlib
import os
import stat
import tempfile
from dataclasses import dataclass
from pathlib import Path

import msgspec
import platformdirs

#: a Unix socket path holds 107 bytes; below the run folder we need some 30 of them
_LONGEST_RUN_DIR = 70


class Connection(msgspec.Struct, frozen=True, kw_only=True):
    """The content of ``supervisor.json``: how to reach a running supervisor. Holding it means access."""

    socket: str
    #: hex
    key: str
    pid: int
    version: str
    protocol: int


class UnsafeFolder(OSError):
    """A folder that somebody else owns or can read must not hold sockets and keys."""


@dataclass(frozen=True, slots=True)
class Places:
    """The paths of one home."""

    home: Path
    run: Path

    @property
    def connection_file(self) -> Path:
        return self.run / "supervisor.json"

    @property
    def lock_file(self) -> Path:
        return self.run / "supervisor.lock"

    @property
    def socket(self) -> Path:
        return self.run / "s"

    @property
    def store(self) -> Path:
        return self.home / "store.db"

    @property
    def logs(self) -> Path:
        return self.home / "logs"

    @property
    def supervisor_log(self) -> Path:
        return self.logs / "supervisor.log"

    def make(self) -> None:
        """Make the folders, 0700; raises UnsafeFolder when one of them is not ours alone."""
        for folder in (self.home, self.run, self.logs):
            private_folder(folder)


def places(home: str | os.PathLike[str] | None = None) -> Places:
    """The paths for ``home``; by default of MODAL_NB_HOME, else of the user's data folder."""
    chosen = home or os.environ.get("MODAL_NB_HOME") or platformdirs.user_data_dir("modal_nb")
    root = Path(chosen).expanduser().absolute()
    run = root / "run"
    if len(os.fsencode(run)) > _LONGEST_RUN_DIR:
        name = hashlib.blake2b(os.fsencode(root), digest_size=6).hexdigest()
        run = Path(tempfile.gettempdir(), f"modal_nb-{os.getuid()}-{name}")
    return Places(root, run)


def private_folder(folder: Path) -> Path:
    """Make ``folder`` with mode 0700, or check that it is ours, real and closed to others."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    found = folder.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid():
        raise UnsafeFolder(f"{folder} is not a folder of our own: remove it or set MODAL_NB_HOME")
    if found.st_mode & 0o077:
        folder.chmod(0o700)
    return folder


def write_private(path: Path, data: bytes) -> None:
    """Write a 0600 file in one step: a reader sees the whole of it or none."""
    scratch = path.with_name(f".{path.name}.{os.getpid()}")
    descriptor = os.open(scratch, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(data)
    scratch.replace(path)


def write_connection(path: Path, connection: Connection) -> None:
    write_private(path, msgspec.json.encode(connection))


def read_connection(path: Path) -> Connection | None:
    """The connection that the file tells of; None when there is none or it makes no sense."""
    try:
        return msgspec.json.decode(path.read_bytes(), type=Connection)
    except (FileNotFoundError, msgspec.DecodeError):
        return None
