"""What plays the user's part in a container under test: entries that the launcher calls in the kernel's
process.
"""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import FrameType
from typing import Any

from modal_nb.container.attach import Attachment
from modal_nb.protocol.launch_file import LaunchFile


def endings(launch: LaunchFile, connection_file: str) -> int:
    """Leave a daemon behind that called setsid, say that we are there, then end as STANDIN asks."""
    daemon = "import subprocess, sys; subprocess.Popen(['sleep', '1000'], start_new_session=True)"
    subprocess.run([sys.executable, "-c", daemon], check=True)
    asked = os.environ["STANDIN"]
    if asked == "graceful":
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(5))
    if asked == "interrupted":
        signal.signal(signal.SIGINT, lambda *_: sys.exit(6))
    print("there", os.getpid(), *(entry.name for entry in Path("/proc/self/fd").iterdir()), flush=True)
    if asked.startswith("exit"):
        return int(asked.removeprefix("exit"))
    if asked.startswith("signal"):
        os.kill(os.getpid(), int(asked.removeprefix("signal")))
    if asked == "memory":
        hoard = []
        while True:
            hoard.append(b"x" * 2**20)
    while True:
        time.sleep(1000)


def tells(launch: LaunchFile, connection_file: str) -> int:
    """Print what was inherited."""
    print("executable", sys.executable)
    print("cwd", Path.cwd())
    print("argv", sys.argv[1:])
    print("sys_path", sys.path[: len(launch.sys_path)] == launch.sys_path)
    for name in ("COLOUR", "OMP_NUM_THREADS", "MKL_NUM_THREADS", "JPY_SESSION_NAME"):
        print(name, os.environ.get(name))
    sys.stderr.write("an error\n")
    sys.stdout.flush()
    time.sleep(1000)
    return 0


class Served:
    """The instance that a console finds as ``self``."""

    colour = "green"


def attachable(launch: LaunchFile, connection_file: str) -> int:
    """A container with a doorbell; STANDIN says what its main thread does meanwhile."""
    asyncio.run(_serve(connection_file))
    return 0


async def _serve(connection_file: str) -> None:
    method = Method()
    ended = asyncio.Event()
    attachment = Attachment(
        connection_file, {"self": Served()}, _reverse, on_interrupt=method.on_interrupt, on_shutdown=ended.set
    )
    attachment.listen(asyncio.get_running_loop())
    print("there", flush=True)
    if os.environ["STANDIN"] == "busy":
        await asyncio.sleep(0)
        method.run()
    await ended.wait()
    print("told to end", flush=True)


async def _reverse(content: dict[str, Any], buffers: list[memoryview]) -> tuple[dict[str, Any], list[Any]]:
    if "fail" in content:
        raise ValueError(content["fail"])
    return {"status": "ok", "asked": content}, [bytes(buffer)[::-1] for buffer in buffers]


class Method:
    """A sync method that runs on the main thread until it is interrupted, armed as the runner would."""

    armed = False

    def run(self) -> None:
        try:
            self.armed = True
            while True:
                time.sleep(1000)
        except KeyboardInterrupt:
            print("method interrupted", flush=True)
        finally:
            self.armed = False

    def on_interrupt(self, number: int, frame: FrameType | None) -> None:
        if self.armed:
            raise KeyboardInterrupt
