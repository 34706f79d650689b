from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import sys
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from modal_nb.protocol.launch_file import LaunchFile, encode_launch
from modal_nb.provisioners.base import BACK_END_OPTIONS, ContainerProvisioner, LaunchFailed
from modal_nb.provisioners.launch import LaunchedContainer, LaunchRequest, launch, prepare
from modal_nb.provisioners.local import LocalContainerProvisioner
from modal_nb.spec.lifecycle import CauseKind
from tests.container.processes import until

ROOT = str(Path(__file__).parents[2])


@pytest.fixture
def place() -> Iterator[Path]:
    """Where the supervisor's socket, the log and the containers' folders lie; short, as socket paths are."""
    with tempfile.TemporaryDirectory(prefix="mnb-") as folder, socket.socket(socket.AF_UNIX) as server:
        server.bind(f"{folder}/s")
        server.listen()
        yield Path(folder)


@pytest.fixture
def request_of(place: Path) -> LaunchRequest:
    file = LaunchFile(
        socket=str(place / "s"),
        container=3,
        token="the token",
        key="the key",
        cwd=str(place),
        sys_path=["", ROOT, "/somewhere"],
        entry="tests.container.standins:tells",
    )
    return LaunchRequest(
        folder=place / "c",
        launch=encode_launch(file),
        executable=sys.executable,
        cwd=str(place),
        environ={**os.environ, "PYTHONPATH": ROOT, "COLOUR": "blue", "JPY_SESSION_NAME": "mine"},
        log=place / "log",
        cpu=1.5,
    )


@asynccontextmanager
async def launched(request: LaunchRequest) -> AsyncIterator[LaunchedContainer]:
    container = await launch(request)
    try:
        yield container
    finally:
        await container.kill()
        await container.wait()
        container.forget()


async def text_of(log: Path, last: str) -> str:
    """The log, once it holds its last line."""
    await asyncio.to_thread(until, lambda: log.exists() and last in log.read_text())
    return await asyncio.to_thread(log.read_text)


def test_the_entry_point_leads_to_the_provisioner():
    assert prepare() is LocalContainerProvisioner


def test_an_unknown_back_end_is_a_sentence():
    with pytest.raises(LaunchFailed, match="kernelspec 'modal-nb-nowhere' or its provisioner is missing"):
        prepare("modal-nb-nowhere")


def test_a_container_inherits_what_its_caller_had(request_of: LaunchRequest):
    async def run() -> None:
        async with launched(request_of):
            said = (await text_of(request_of.log, "JPY_SESSION_NAME")).splitlines()
            assert f"executable {sys.executable}" in said
            assert f"cwd {request_of.cwd}" in said
            assert "argv []" in said
            assert "sys_path True" in said
            assert "COLOUR blue" in said
            assert "OMP_NUM_THREADS 2" in said
            assert "JPY_SESSION_NAME None" in said

    asyncio.run(run())


def test_threads_that_the_user_chose_stay(request_of: LaunchRequest):
    environ = {**request_of.environ, "OMP_NUM_THREADS": "7"}

    async def run() -> None:
        async with launched(replace(request_of, environ=environ)):
            said = (await text_of(request_of.log, "JPY_SESSION_NAME")).splitlines()
            assert "OMP_NUM_THREADS 7" in said
            assert "MKL_NUM_THREADS 2" in said

    asyncio.run(run())


def test_files_are_the_owners_alone_and_go_away(request_of: LaunchRequest):
    async def run() -> None:
        async with launched(request_of) as container:
            await text_of(request_of.log, "JPY_SESSION_NAME")
            assert modes(request_of.folder, container.connection_file, request_of.log) == [
                0o700,
                0o600,
                0o600,
            ]
            assert not (request_of.folder / "launch.json").exists()
        assert not request_of.folder.exists()
        assert "an error" in request_of.log.read_text()

    asyncio.run(run())


def modes(*paths: Path) -> list[int]:
    return [path.stat().st_mode & 0o777 for path in paths]


def test_no_secret_is_in_a_command_line_or_a_repr(request_of: LaunchRequest):
    async def run() -> None:
        async with launched(request_of) as container:
            await text_of(request_of.log, "JPY_SESSION_NAME")
            launcher = psutil.Process(container.pid)
            for process in [launcher, *launcher.children(recursive=True)]:
                assert "the token" not in " ".join(process.cmdline())
        assert "the token" not in repr(request_of)
        assert "blue" not in repr(request_of)

    asyncio.run(run())


def test_kill_is_at_once_and_wait_tells_everybody(request_of: LaunchRequest):
    async def run() -> None:
        async with launched(request_of) as container:
            await text_of(request_of.log, "JPY_SESSION_NAME")
            tree = psutil.Process(container.pid).children(recursive=True)
            assert await container.poll() is None
            waits = [asyncio.ensure_future(container.wait()) for _ in range(3)]
            await asyncio.sleep(0)
            waits[0].cancel()
            await container.kill()
            assert await asyncio.gather(*waits[1:]) == [-signal.SIGKILL] * 2
            assert await container.wait() == await container.poll() == -signal.SIGKILL
            psutil.wait_procs(tree, timeout=5)
            assert not any(process.is_running() for process in tree)
            await container.kill()

    asyncio.run(run())


def test_the_connection_file_is_for_jupyter(request_of: LaunchRequest):
    async def run() -> None:
        async with launched(request_of) as container:
            connection = json.loads(container.connection_file.read_bytes())
            assert connection["transport"] == "ipc"
            assert connection["ip"].startswith(str(request_of.folder))
            assert len(connection["key"]) > 16

    asyncio.run(run())


@pytest.mark.parametrize(
    ("wrong", "named"),
    [({"executable": "/no/such/python"}, "/no/such/python"), ({"cwd": "/no/such/folder"}, "/no/such/folder")],
)
def test_what_cannot_be_started_is_named_and_leaves_nothing(
    request_of: LaunchRequest, wrong: dict[str, str], named: str
):
    with pytest.raises(LaunchFailed, match=named):
        asyncio.run(launch(replace(request_of, **wrong)))  # type: ignore[arg-type]
    assert not request_of.folder.exists()


def test_a_folder_that_is_there_is_not_taken(request_of: LaunchRequest):
    request_of.folder.mkdir()
    with pytest.raises(LaunchFailed, match="no folder for a container"):
        asyncio.run(launch(request_of))
    assert request_of.folder.exists()


def test_a_log_that_is_a_link_is_not_followed(request_of: LaunchRequest, place: Path):
    request_of.log.symlink_to(place / "elsewhere")
    with pytest.raises(LaunchFailed):
        asyncio.run(launch(request_of))
    assert not (place / "elsewhere").exists()


def test_a_container_that_never_took_its_lease_has_a_cause(request_of: LaunchRequest):
    async def run() -> None:
        async with launched(replace(request_of, launch=b"{}")) as container:
            assert await container.wait() == 1
            cause = container.exit_cause()
            assert (cause.kind, cause.code) == (CauseKind.EXITED, 1)
        assert "Traceback" in request_of.log.read_text()

    asyncio.run(run())


def test_what_a_machine_holds():
    machine = LocalContainerProvisioner.machine()
    assert machine.cpu >= 1
    assert machine.containers == max(8, 4 * machine.cpu)
    assert machine.memory > 0


def test_a_provisioner_says_what_it_honours():
    assert issubclass(LocalContainerProvisioner, ContainerProvisioner)
    assert LocalContainerProvisioner.honours == {
        "env",
        "cpu",
        "memory",
        "nonpreemptible",
        "enable_memory_snapshot",
    }
    assert LocalContainerProvisioner.honours <= BACK_END_OPTIONS
