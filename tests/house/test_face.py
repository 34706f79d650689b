"""`import modal_nb` is light: no socket, no thread, no process, and none of the heavy libraries."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

pytestmark = pytest.mark.house

HEAVY = [
    "IPython", "ipykernel", "ipywidgets", "jupyter_client", "numpy", "psutil",
    "sqlite3", "tornado", "traitlets", "typer", "zmq",
]  # fmt: skip

PROBE = """
import json, sys, threading
before = set(sys.modules)
seen = []
WATCHED = ("socket.", "subprocess.", "os.fork", "os.exec", "os.posix_spawn", "os.putenv")
sys.addaudithook(lambda event, args: seen.append(event) if event.startswith(WATCHED) else None)
import modal_nb
missing = [name for name in modal_nb.__all__ if name not in dir(modal_nb)]
print(json.dumps({
    "loaded": sorted(set(sys.modules) - before), "events": seen,
    "threads": threading.active_count(), "missing": missing, "names": list(modal_nb.__all__),
}))
"""


@pytest.fixture(scope="module")
def probe():
    done = subprocess.run([sys.executable, "-c", PROBE], capture_output=True, text=True, check=True)
    return json.loads(done.stdout)


def test_importing_the_face_opens_no_socket_and_starts_nothing(probe):
    assert probe["events"] == []
    assert probe["threads"] == 1


def test_importing_the_face_loads_no_heavy_library(probe):
    assert not [name for name in HEAVY if name in probe["loaded"]]


def test_the_list_of_names_is_whole(probe):
    assert probe["missing"] == []
    assert len(set(probe["names"])) == len(probe["names"])
