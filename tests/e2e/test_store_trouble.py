"""A full disk, too few descriptors, a damaged or locked store: a clear error within 10 s, well once it is mended."""

from __future__ import annotations

import contextlib
import os
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import pytest

import modal_nb as modal
from modal_nb.exception import DataLossError, ServiceError, VersionError
from tests.chaos.storm import kill
from tests.e2e import script

app = modal.App("troubled")


@app.function(serialized=True, max_containers=1)
def double(x):
    return 2 * x


@contextlib.contextmanager
def within_10_seconds():
    began = time.monotonic()
    yield
    assert time.monotonic() - began < 10


@pytest.fixture
def found(home):
    app.deploy()
    function = modal.Function.from_name("troubled", "double")
    assert function.remote(1) == 2
    return function


# ---- a full disk

FULL = """
import sys, time
from pathlib import Path
import modal_nb as modal
from modal_nb.exception import ResourceExhaustedError

disk = Path(sys.argv[1])
app = modal.App("full")

@app.function(max_containers=2)
def wait(path):
    Path(path + ".began").touch()
    while not Path(path).exists():
        time.sleep(0.01)
    return path

app.deploy()
gates = [str(disk.parent / name) for name in "ab"]
call = wait.spawn(gates[0])
while not Path(gates[0] + ".began").exists():
    time.sleep(0.01)
with (disk / "filler").open("wb", buffering=0) as filler:
    try:
        while True:
            filler.write(bytes(65536))
    except OSError:
        pass
    try:
        while True:
            filler.write(b"0")
    except OSError:
        pass
began = time.monotonic()
try:
    for n in range(1000):
        wait.spawn(gates[1] * 100)
except ResourceExhaustedError as error:
    assert time.monotonic() - began < 10
    print("refused:", "free some disk space" in str(error), str(disk) in str(error))
try:
    wait.spawn("large" * 100_000)
except ResourceExhaustedError as error:
    print("a file of its own, too:", "free some disk space" in str(error))
Path(gates[0]).touch()
try:
    call.get(timeout=1)
except TimeoutError:
    print("its outcome waits for room")
(disk / "filler").unlink()
print("back:", call.get() == gates[0])
Path(gates[1]).touch()
print("well:", wait.spawn(gates[1]).get() == gates[1])
app.stop()
"""


@pytest.mark.timeout(120)
def test_a_full_disk_refuses_what_it_cannot_keep_and_loses_nothing(tmp_path):
    disk = tmp_path / "disk"
    disk.mkdir()
    (tmp_path / "full.py").write_text(FULL)
    text = (
        f"mount -t tmpfs -o size=12m tmpfs {disk} && export MODAL_NB_HOME={disk}/home && "
        f"{sys.executable} {tmp_path}/full.py {disk}; code=$?; {sys.executable} -m modal_nb.cli stop; exit $code"
    )
    command = ["unshare", "--user", "--map-root-user", "--mount", "sh", "-c", text]
    told = subprocess.run(command, capture_output=True, text=True, timeout=100, check=False)
    assert told.returncode == 0, told.stderr
    assert told.stdout.splitlines() == [
        "refused: True True",
        "a file of its own, too: True",
        "its outcome waits for room",
        "back: True",
        "well: True",
        "Stopped.",
    ]


# ---- too few descriptors


FEW = """
import os, resource, time
import modal_nb as modal
from modal_nb.client import launcher, session
from modal_nb.exception import ServiceError
from modal_nb.protocol import deployment as dp
from modal_nb.protocol import messages as ms
from modal_nb.protocol.connection import places
from tests.e2e.home import dial

ask = session.current().ask
pid = ask(ms.StatusAsk(), ms.Status).pid
resource.prlimit(pid, resource.RLIMIT_NOFILE, (64, 64))
connection = launcher.find(places())
callers = []
while len(os.listdir(f"/proc/{pid}/fd")) < 63:
    callers.append(dial(connection))
began = time.monotonic()
try:
    ask(dp.EnvironmentsAsk(), dp.Environments)
except ServiceError as error:
    print("refused:", "limit of open files" in str(error), time.monotonic() - began < 10)
for caller in callers:
    caller.sock.close()
while len(os.listdir(f"/proc/{pid}/fd")) > 40:
    time.sleep(0.01)
print("well:", ask(dp.EnvironmentsAsk(), dp.Environments).names)
ask(ms.SupervisorStop(), ms.Done)
"""


def test_without_a_descriptor_to_open_the_store_it_says_so_and_is_well_again(tmp_path, monkeypatch):
    monkeypatch.setenv("MODAL_NB_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[2]))
    assert script.run(tmp_path, FEW).splitlines() == ["refused: True True", "well: ['main']"]


# ---- the file itself


@pytest.mark.parametrize("face", ["lookup", "deploy", "spawn"])
def test_a_damaged_store_is_named_and_the_rest_works(home, found, face):
    kill(home.supervisor())
    with contextlib.closing(sqlite3.connect(home.folder / "store.db")) as store:
        store.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    before = (home.folder / "store.db").read_bytes()
    for path in home.folder.glob("store.db-*"):
        path.unlink()
    (home.folder / "store.db").write_bytes(before[:4096] + os.urandom(8192))
    calls = {"lookup": lambda: found.remote(1), "deploy": app.deploy, "spawn": lambda: found.spawn(1)}
    with within_10_seconds(), pytest.raises(DataLossError, match=r"is damaged .* move it away"):
        calls[face]()
    with modal.App("beside").run() as beside:
        assert beside.name == "beside", "apps that are not deployed need no store"
    for path in home.folder.glob("store.db-*"):
        path.unlink()
    (home.folder / "store.db").write_bytes(before)
    assert found.remote(3) == 6, "the same supervisor"


def test_a_store_of_a_newer_version_is_named(home, found):
    kill(home.supervisor())
    with contextlib.closing(sqlite3.connect(home.folder / "store.db")) as store:
        store.execute("PRAGMA user_version = 77")
    with within_10_seconds(), pytest.raises(VersionError, match="schema 77"):
        found.remote(1)
    with contextlib.closing(sqlite3.connect(home.folder / "store.db")) as store:
        store.execute("PRAGMA user_version = 1")
    assert found.remote(3) == 6


def test_a_store_that_somebody_locks_is_named_and_well_again(home, found):
    holder = sqlite3.connect(home.folder / "store.db", isolation_level=None)
    with contextlib.closing(holder):
        holder.execute("BEGIN EXCLUSIVE")
        with within_10_seconds(), pytest.raises(ServiceError, match="is locked by another process"):
            found.spawn(1)
        assert found.remote(4) == 8, "what needs no store goes on"
    assert found.spawn(5).get() == 10
    assert Path(home.folder, "store.db").exists()
