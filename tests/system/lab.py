"""A real JupyterLab on loopback, with settings and a supervisor of its own; it serves Notebook 7, too."""

from __future__ import annotations

import json
import os
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.house.tree import ROOT

APPUTILS = "@jupyterlab/apputils-extension/"
#: every cell stays in the page (so that all can be checked), and nothing is fetched from outside
LAB_SETTINGS = {
    "@jupyterlab/notebook-extension/tracker": {"windowingMode": "none"},
    f"{APPUTILS}notification": {"fetchNews": "false", "checkForUpdates": False},
}
OPTIONS = (
    "--no-browser",
    "--allow-root",
    "--ServerApp.ip=127.0.0.1",
    "--ServerApp.port=0",
    # containers that were attached to
    "--ServerApp.allow_external_kernels=True",
)
START_S = 60


@dataclass(frozen=True, slots=True)
class Lab:
    """A running server: where its notebooks lie and how a page of it is reached."""

    folder: Path
    url: str
    token: str

    def page_of(self, notebook: str) -> str:
        # a workspace of its own: else the page opens what an earlier test had open, too
        return f"{self.url}lab/workspaces/{Path(notebook).stem}/tree/{notebook}?token={self.token}"

    def choose(self, plugin: str, **settings: object) -> None:
        """Settings of the front end, in every page that is loaded from now on; none: as it comes."""
        write_settings(self.folder.parent / "settings", {f"{APPUTILS}{plugin}": settings})


def chromium() -> dict[str, object]:
    """How Playwright starts Debian's browser."""
    path = shutil.which("chromium") or shutil.which("chromium-browser")
    assert path, "there is no Chromium here: run `make setup-system` (or apt-get install chromium)"
    # a browser that root starts has no sandbox of its own; it opens pages of our own server only
    return {"executable_path": path, "args": ["--no-sandbox"] if os.geteuid() == 0 else []}


@contextmanager
def running_lab(**environment: str) -> Iterator[Lab]:
    """``environment``: of the server, so of its kernels and of the supervisor that they start."""
    # a short folder: the path of a Unix socket holds 107 bytes
    with tempfile.TemporaryDirectory(prefix="mnb", ignore_cleanup_errors=True) as folder:
        scratch = Path(folder)
        notebooks = scratch / "notebooks"
        shutil.copytree(ROOT / "notebooks", notebooks, ignore=shutil.ignore_patterns(".*", "__pycache__"))
        write_settings(scratch / "settings", LAB_SETTINGS)
        yield from serve(notebooks, scratch, environment)


def serve(notebooks: Path, scratch: Path, environment: dict[str, str]) -> Iterator[Lab]:
    token = secrets.token_hex(16)
    log = ROOT / "out" / "jupyterlab.log"
    log.parent.mkdir(exist_ok=True)
    with log.open("wb") as sink:
        server = subprocess.Popen(
            [sys.executable, "-m", "jupyterlab", *OPTIONS, f"--ServerApp.root_dir={notebooks}"],
            env={**os.environ, **private_places(scratch), "JUPYTER_TOKEN": token, **environment},
            stdin=subprocess.DEVNULL,
            stdout=sink,
            stderr=subprocess.STDOUT,
        )
        try:
            yield Lab(notebooks, address(scratch / "runtime", server, log), token)
        finally:
            server.send_signal(signal.SIGTERM)
            server.wait(30)


def private_places(scratch: Path) -> dict[str, str]:
    """Nothing of the user's own Jupyter is read or written."""
    return {
        "JUPYTER_CONFIG_DIR": str(scratch / "config"),
        "JUPYTER_DATA_DIR": str(scratch / "data"),
        "JUPYTER_RUNTIME_DIR": str(scratch / "runtime"),
        "JUPYTERLAB_SETTINGS_DIR": str(scratch / "settings"),
        "JUPYTERLAB_WORKSPACES_DIR": str(scratch / "workspaces"),
        "MODAL_NB_HOME": str(scratch / "home"),
        # a test begins with nothing of the test before it
        "MODAL_NB_LINGER": "0",
    }


def write_settings(folder: Path, plugins: dict[str, dict[str, object]]) -> None:
    for plugin, settings in plugins.items():
        path = folder / f"{plugin}.jupyterlab-settings"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(settings), encoding="utf-8")


def address(runtime: Path, server: subprocess.Popen[bytes], log: Path) -> str:
    """The server writes where it listens into a file named after its process."""
    file = runtime / f"jpserver-{server.pid}.json"
    end = time.monotonic() + START_S
    while time.monotonic() < end and server.poll() is None:
        if file.exists() and (text := file.read_text(encoding="utf-8")):
            return str(json.loads(text)["url"])
        time.sleep(0.1)
    raise AssertionError(f"JupyterLab did not start:\n{log.read_text(errors='replace')[-3000:]}")


def status(lab: Lab, service: str) -> dict[str, Any]:
    """The one pool of a class, as a terminal sees it."""
    said = modal_nb(lab, "status", "--json")
    (found,) = [
        pool for app in json.loads(said)["apps"] for pool in app["pools"] if pool["service"] == service
    ]
    return found


def modal_nb(lab: Lab, *arguments: str) -> str:
    return subprocess.run(
        [sys.executable, "-m", "modal_nb.cli", *arguments],
        env={**os.environ, "MODAL_NB_HOME": str(lab.folder.parent / "home")},
        check=True,
        capture_output=True,
        text=True,
        timeout=60,
    ).stdout
