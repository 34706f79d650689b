"""The home folder: whose it is, where it lies, and what is in it."""

from __future__ import annotations

import os
import sqlite3
import stat
from contextlib import closing
from pathlib import Path

import psutil

from modal_nb.cli.probes.finding import Finding, ok, problem
from modal_nb.client import launcher
from modal_nb.exception import Error
from modal_nb.protocol.config import FILE, config
from modal_nb.protocol.connection import places

_NETWORK = {
    "9p", "afs", "beegfs", "ceph", "cifs", "fuse.sshfs", "glusterfs", "gpfs", "lustre", "nfs", "nfs4", "smb3", "smbfs",
}  # fmt: skip
_FREE = 1 << 30


def folder() -> list[Finding]:
    """Ours, and closed to others."""
    where = places().home
    try:
        found = where.lstat()
    except FileNotFoundError:
        above = _existing(where)
        if not os.access(above, os.W_OK | os.X_OK):
            what = f"{where} cannot be made in {above}"
            return [problem("home", what, f"chmod u+rwx {above}, or set MODAL_NB_HOME", needed=True)]
        return [ok("home", f"{where}, made at the first use")]
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid():
        remedy = f"remove {where}, or set MODAL_NB_HOME"
        return [problem("home", f"{where} is not a folder of our own", remedy, needed=True)]
    mode = stat.S_IMODE(found.st_mode)
    if mode & 0o077:
        return [problem("home", f"{where} is open to others ({mode:o})", f"chmod 700 {where}")]
    if not os.access(where, os.W_OK | os.X_OK):
        return [problem("home", f"{where} cannot be written", f"chmod 700 {where}", needed=True)]
    return [ok("home", f"{where}, closed to others ({mode:o})")]


def disk() -> list[Finding]:
    """A network's file system has no reliable locks, and no sockets."""
    where = _existing(places().home)
    kind = _file_system(where)
    free = psutil.disk_usage(str(where)).free
    text = f"{free / 2**30:.1f} GiB free"
    found = [
        problem("free disk", text, "make room, or set MODAL_NB_HOME to another disk")
        if free < _FREE
        else ok("free disk", text)
    ]
    if kind in _NETWORK:
        remedy = "set MODAL_NB_HOME to a folder on a disk of this machine"
        return [problem("file system", f"{kind}, of the network", remedy), *found]
    return [ok("file system", f"{kind}, local"), *found]


def settings() -> list[Finding]:
    file = places().home / FILE
    try:
        config(file.parent, os.environ)
    except Error as error:
        return [problem("settings", str(error), "modal-nb config show", needed=True)]
    return [ok("settings", f"{file}" if file.exists() else "no file: defaults and environment")]


def supervisor() -> list[Finding]:
    try:
        found = launcher.find(places())
    except Error as error:
        return [problem("supervisor", str(error), "modal-nb stop", needed=True)]
    if found is None:
        return [ok("supervisor", "none runs; one starts with the first call")]
    return [ok("supervisor", f"runs: pid {found.pid}, modal_nb {found.version}")]


def store() -> list[Finding]:
    """Deployed apps and kept results."""
    file = places().store
    if not file.exists():
        return [ok("store", "none yet")]
    size = f"{file.stat().st_size / 2**20:.1f} MiB"
    try:
        with closing(sqlite3.connect(f"{file.as_uri()}?mode=ro", uri=True, timeout=2.0)) as connection:
            (schema,) = connection.execute("PRAGMA user_version").fetchone()
            connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
    except sqlite3.Error as error:
        remedy = f"modal-nb stop; then: sqlite3 {file} '.recover' | sqlite3 {file}.new"
        return [problem("store", f"{file} cannot be read: {error}", remedy, needed=True)]
    return [ok("store", f"{file}, {size}, schema {schema}")]


def _existing(path: Path) -> Path:
    return next(one for one in (path, *path.parents) if one.exists())


def _file_system(path: Path) -> str:
    """The type of the file system with the longest mount point above the path."""
    real = path.resolve()
    mounted = {Path(one.mountpoint): one.fstype for one in psutil.disk_partitions(all=True)}
    return next((mounted[one] for one in (real, *real.parents) if one in mounted), "unknown")
