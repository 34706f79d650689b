"""What the database says when it cannot go on, as an error that names the file and the remedy."""

from __future__ import annotations

import errno
import sqlite3
from pathlib import Path

from modal_nb import exception

#: the low byte of an extended code is the code
_CODE = 0xFF


def trouble(error: BaseException, file: Path) -> exception.Error:
    """The error that a caller gets."""
    original, code = _told(error)
    match code:
        case sqlite3.SQLITE_FULL | sqlite3.SQLITE_IOERR:
            return exception.ResourceExhaustedError(
                f"the store {file} cannot be written ({original}): free some disk space; "
                "nothing that was accepted is lost"
            )
        case sqlite3.SQLITE_BUSY | sqlite3.SQLITE_LOCKED:
            return exception.ServiceError(
                f"the store {file} is locked by another process: end that process, then try again"
            )
        case sqlite3.SQLITE_CORRUPT | sqlite3.SQLITE_NOTADB:
            return exception.DataLossError(
                f"the store {file} is damaged ({original}): move it away, or put a copy of it back, then try again; "
                "it was not changed"
            )
        case sqlite3.SQLITE_CANTOPEN | sqlite3.SQLITE_READONLY | sqlite3.SQLITE_PERM:
            return exception.ServiceError(
                f"the store {file} cannot be opened for writing ({original}): check its folder, its permissions and "
                "the limit of open files, then try again"
            )
    if isinstance(error, OSError):
        return exception.ServiceError(f"the store {file} cannot be used ({error}): mend that, then try again")
    return exception.InternalFailure(f"the store {file} failed: {error!r}")


def is_full(error: BaseException) -> bool:
    """The disk has no room: the connection is as good as before."""
    return _told(error)[1] == sqlite3.SQLITE_FULL


def _told(error: BaseException) -> tuple[BaseException, int]:
    """What the driver said first, and its code: undoing what the database has undone already fails, too.

    A file beside the database that finds no room is told by the same code.
    """
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
        return error, sqlite3.SQLITE_FULL
    original, found = error, 0
    each: BaseException | None = error
    while each is not None:
        if code := getattr(each, "sqlite_errorcode", 0):
            original, found = each, code & _CODE
        each = each.__context__
    return original, found
