"""Large arguments and results of stored calls: one file each, so that the database stays small."""

from __future__ import annotations

import os
from pathlib import Path

from modal_nb.protocol.codec import Frame
from modal_nb.protocol.connection import private_folder

#: bytes from which on a body has a file of its own
LARGE = 256 * 1024


class Blobs:
    """One folder, 0700. Files are written before the row that names them is committed."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def put(self, name: str, body: Frame) -> str | None:
        """The name of its file; None where the body is small enough for the row. Raises OSError."""
        if len(body) < LARGE:
            return None
        path = private_folder(self._folder) / name
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o600)
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(body)
                file.flush()
                os.fsync(file.fileno())
            _sync(self._folder)
        except OSError:
            path.unlink(missing_ok=True)
            raise
        return name

    def get(self, name: str) -> bytes:
        """Raises OSError when it is gone."""
        return (self._folder / name).read_bytes()

    def remove(self, names: list[str]) -> None:
        for name in names:
            (self._folder / name).unlink(missing_ok=True)

    def keep_only(self, names: set[str]) -> None:
        """Remove what no row names: left by a supervisor that was killed between file and row."""
        if self._folder.is_dir():
            self.remove([path.name for path in self._folder.iterdir() if path.name not in names])


def _sync(folder: Path) -> None:
    """The row that names a file is durable; so must its name be."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
