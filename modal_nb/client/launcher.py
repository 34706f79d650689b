"""Finds the supervisor of a home, or starts one: detached, so that no notebook takes it down."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from pathlib import Path

from modal_nb.exception import ConnectionError, VersionError
from modal_nb.protocol.connection import Connection, Places, read_connection
from modal_nb.protocol.messages import PROTOCOL

#: seconds a supervisor may take to start
_START_TIMEOUT = 30.0
#: seconds until we look again, while somebody else starts one
_POLL = 0.02
#: its exit code when it finds another one running
_ALREADY_RUNNING = 3


def find(where: Places) -> Connection | None:
    """The connection of a supervisor that runs, as far as its file and the process table tell."""
    connection = read_connection(where.connection_file)
    if connection is None or not _alive(connection.pid):
        return None
    if connection.protocol != PROTOCOL:
        raise VersionError(
            f"the running supervisor (modal_nb {connection.version}) speaks protocol {connection.protocol}, "
            f"this modal_nb speaks {PROTOCOL}: end it with `modal-nb stop`, or use the same version here"
        )
    return connection


def find_or_start(where: Places) -> Connection:
    """The connection of this home's supervisor; starts it if none runs. Raises ConnectionError."""
    where.make()
    limit = time.monotonic() + _START_TIMEOUT
    while time.monotonic() < limit:
        connection = find(where)
        if connection is not None:
            return connection
        _start(where)
    raise ConnectionError(
        f"the supervisor did not start within {_START_TIMEOUT:.0f} s; its log is {where.supervisor_log}"
    )


def discard(where: Places, connection: Connection) -> None:
    """Nobody listens where this connection points to: remove the file, if it still says the same."""
    if read_connection(where.connection_file) == connection:
        where.connection_file.unlink(missing_ok=True)


def _start(where: Places) -> None:
    """Start a supervisor and wait until it serves, or until it found that another one does."""
    ready, told = os.pipe()
    with os.fdopen(ready, "rb", buffering=0) as reader:
        try:
            with where.supervisor_log.open("ab") as output:
                process = subprocess.Popen(
                    [
                        sys.executable,
                        "-m",
                        "modal_nb.supervisor",
                        "--home",
                        str(where.home),
                        "--ready",
                        str(told),
                    ],
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.DEVNULL,
                    stderr=output,
                    env=_environment(),
                    cwd="/",
                    pass_fds=(told,),
                    start_new_session=True,
                )
        finally:
            os.close(told)
        if reader.read(1):
            # reaped when it ends: a zombie would look alive to `find`
            threading.Thread(target=process.wait, name="modal_nb-reaper", daemon=True).start()
            return
    _explain(process, where)


def _explain(process: subprocess.Popen[bytes], where: Places) -> None:
    """It ended without serving: fine if another one runs, else an error with its last words."""
    code = process.wait(timeout=10)
    if code == _ALREADY_RUNNING:
        time.sleep(_POLL)
        return
    lines = where.supervisor_log.read_text(errors="replace").splitlines()[-5:]
    raise ConnectionError(
        f"the supervisor ended with code {code} while it started; its log {where.supervisor_log} ends with:\n"
        + "\n".join(lines)
    )


def _environment() -> dict[str, str]:
    """Ours without what ties a process to this notebook kernel; modal_nb itself stays importable."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("JPY_")}
    here = [path for path in sys.path if path and Path(path, "modal_nb").is_dir()]
    kept["PYTHONPATH"] = os.pathsep.join([*here, *filter(None, [os.environ.get("PYTHONPATH")])])
    return kept


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
