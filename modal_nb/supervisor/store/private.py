"""What containers of deployed apps are launched with, environment variables and values of secrets among it: files that
only their owner can read, named by their content. The database holds the names, never the values.
"""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import msgspec

from modal_nb.protocol.connection import private_folder, write_private
from modal_nb.protocol.messages import Launch


class PrivateFiles:
    """One folder, 0700."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def put(self, launch: Launch) -> str:
        """Write it if it is not there; its name."""
        data = msgspec.json.encode(launch)
        name = hashlib.blake2b(data, digest_size=16).hexdigest()
        path = private_folder(self._folder) / name
        if not path.exists():
            write_private(path, data)
            _sync(path)
        return name

    def get(self, name: str) -> Launch:
        """Raises OSError when it is gone."""
        return msgspec.json.decode((self._folder / name).read_bytes(), type=Launch)

    def keep_only(self, names: set[str]) -> None:
        """Remove what nothing refers to any more."""
        if self._folder.is_dir():
            for path in self._folder.iterdir():
                if path.name not in names:
                    path.unlink(missing_ok=True)


def _sync(path: Path) -> None:
    """The row that names it is durable; so must it be."""
    for one in (path, path.parent):
        descriptor = os.open(one, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
