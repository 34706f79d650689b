"""A real JupyterLab on loopback, and Debian's Chromium to look at it."""

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
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.house.tree import ROOT

#: every cell stays in the page (so that all can be checked), and nothing is fetched from outside
LAB_SETTINGS = {
    "@jupyterlab/notebook-extension/tracker": {"windowingMode": "none"},
    "@jupyterlab/apputils-extension/notification": {"fetchNews": "false", "checkForUpdates": False},
}
OPTIONS = ("--no-browser", "--allow-root", "--ServerApp.ip=127.0.0.1", "--ServerApp.port=0")
START_S = 60


@dataclass(frozen=True, slots=True)
class Lab:
    """A running JupyterLab: where its notebooks lie and how a page of it is reached."""

    folder: Path
    url: str
    token: str

    def page_of(self, notebook: str) -> str:
        # a workspace of its own: else the page opens what an earlier test had open, too
        return f"{self.url}lab/workspaces/{Path(notebook).stem}/tree/{notebook}?token={self.token}"


@pytest.fixture(scope="session")
def browser_type_launch_args(browser_type_launch_args):
    path = shutil.which("chromium") or shutil.which("chromium-browser")
    assert path, "there is no Chromium here: run `make setup-system` (or apt-get install chromium)"
    # a browser that root starts has no sandbox of its own; it opens pages of our own server only
    arguments = ["--no-sandbox"] if os.geteuid() == 0 else []
    return {**browser_type_launch_args, "executable_path": path, "args": arguments}


@pytest.fixture(scope="session")
def browser_context_args(browser_context_args):
    return {**browser_context_args, "viewport": {"width": 1280, "height": 1600}}


@pytest.fixture(scope="session")
def lab() -> Iterator[Lab]:
    # a short folder: the path of a Unix socket holds 107 bytes
    with tempfile.TemporaryDirectory(prefix="mnb", ignore_cleanup_errors=True) as scratch:
        yield from serve(Path(scratch))


def serve(scratch: Path) -> Iterator[Lab]:
    folder = scratch / "notebooks"
    shutil.copytree(ROOT / "notebooks", folder, ignore=shutil.ignore_patterns(".*", "__pycache__"))
    write_settings(scratch / "settings")
    token = secrets.token_hex(16)
    log = ROOT / "out" / "jupyterlab.log"
    log.parent.mkdir(exist_ok=True)
    with log.open("wb") as sink:
        server = subprocess.Popen(
            [sys.executable, "-m", "jupyterlab", *OPTIONS, f"--ServerApp.root_dir={folder}"],
            env={**os.environ, **private_places(scratch), "JUPYTER_TOKEN": token},
            stdin=subprocess.DEVNULL,
            stdout=sink,
            stderr=subprocess.STDOUT,
        )
        try:
            yield Lab(folder, address(scratch / "runtime", server, log), token)
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
    }


def write_settings(folder: Path) -> None:
    for plugin, settings in LAB_SETTINGS.items():
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
    pytest.fail(f"JupyterLab did not start:\n{log.read_text(errors='replace')[-3000:]}")
