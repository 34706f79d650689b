"""A Jupyter kernel that executes cells, as a notebook has one."""

from __future__ import annotations

import ast
import os
import queue
import sys
import tempfile
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Self

from jupyter_client.kernelspec import KernelSpec
from jupyter_client.manager import KernelManager

WAIT = 60


class CellFailed(AssertionError):
    """A cell raised; ``name``, ``message`` and ``traceback`` are what the notebook shows."""

    def __init__(self, content: dict[str, Any]) -> None:
        self.name: str = content["ename"]
        self.message: str = content["evalue"]
        self.traceback = "\n".join(content["traceback"])
        super().__init__(self.traceback)


class Notebook:
    """A kernel of its own process; ``run`` executes a cell. Use it as a context manager."""

    def __init__(self, folder: Path, *, python: str = sys.executable, path: str = "") -> None:
        """``folder``: the working directory of the kernel; ``path``: of the notebook, as a Jupyter server tells it."""
        self._place = tempfile.TemporaryDirectory(prefix="mnb-")
        self._manager = KernelManager(
            transport="ipc", connection_file=str(Path(self._place.name, "k.json")), shutdown_wait_time=30
        )
        self._manager._kernel_spec = KernelSpec(
            argv=[python, "-m", "ipykernel_launcher", "-f", "{connection_file}"], display_name="test"
        )
        told = {"JPY_SESSION_NAME": path} if path else {}
        self._manager.start_kernel(cwd=str(folder), env={**os.environ, **told})
        self.client = self._manager.blocking_client()
        self.client.start_channels()
        self.client.wait_for_ready(timeout=WAIT)

    @property
    def pid(self) -> int:
        found: int = self._manager.provisioner.pid
        return found

    def run(self, code: str) -> str:
        """Execute a cell; what it printed. Raises CellFailed."""
        printed: list[str] = []

        def hook(message: dict[str, Any]) -> None:
            if message["msg_type"] == "stream":
                printed.append(message["content"]["text"])

        reply = self.client.execute_interactive(code, timeout=WAIT, output_hook=hook, allow_stdin=False)
        if reply["content"]["status"] != "ok":
            raise CellFailed(reply["content"])
        return "".join(printed)

    def value(self, expression: str) -> Any:
        """Execute a cell that is one expression; its value, a literal."""
        return ast.literal_eval(self.run(f"print(repr({expression}))").splitlines()[-1])

    def messages(self, code: str, answers: Sequence[str] = ()) -> list[dict[str, Any]]:
        """Execute a cell; its iopub messages up to its end. ``answers``: what a person types when it is asked."""
        found: list[dict[str, Any]] = []
        left = list(answers)
        asked = self.client.execute(code, allow_stdin=True, stop_on_error=False)
        while True:
            with suppress(queue.Empty):
                self.client.get_stdin_msg(timeout=0)
                self.client.input(left.pop(0))
            with suppress(queue.Empty):
                message = self.client.get_iopub_msg(timeout=0.05)
                found.append(message)
                if _is_idle(message) and message["parent_header"].get("msg_id") == asked:
                    self.finish(asked)
                    return found

    def begin(self, code: str) -> str:
        """Start a cell and do not wait; ``finish`` does."""
        return self.client.execute(code, stop_on_error=False)  # what follows is not thrown away

    def begin_for_interrupt(self, code: str) -> str:
        """``begin``, and return when its code runs: a kernel that is interrupted just before that never replies."""
        asked = self.begin(f"print('begun', flush=True)\n{code}")
        while True:
            message = self.client.get_iopub_msg(timeout=WAIT)
            if message["msg_type"] == "stream" and message["parent_header"].get("msg_id") == asked:
                return asked

    def finish(self, asked: str) -> dict[str, Any]:
        """The reply to a cell that was begun; raises CellFailed."""
        while True:
            reply = self.client.get_shell_msg(timeout=WAIT)
            if reply["parent_header"].get("msg_id") != asked:
                continue
            content: dict[str, Any] = reply["content"]
            if content["status"] != "ok":
                raise CellFailed(content)
            return content

    def interrupt(self) -> None:
        self._manager.interrupt_kernel()

    def kill(self) -> None:
        self._manager.shutdown_kernel(now=True)

    def restart(self, *, now: bool = True) -> None:
        """``now``: by a kill, as the restart button does it when a kernel does not end by itself."""
        self._manager.restart_kernel(now=now)
        self.client.wait_for_ready(timeout=WAIT)

    def shutdown(self) -> None:
        """As Jupyter does it: ask first."""
        self._manager.shutdown_kernel()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._manager.has_kernel:
            self.shutdown()
        self.client.stop_channels()
        self._manager.context.destroy(linger=0)
        self._place.cleanup()


def _is_idle(message: dict[str, Any]) -> bool:
    return bool(message["msg_type"] == "status" and message["content"]["execution_state"] == "idle")


def shown(messages: Sequence[dict[str, Any]], cell: str | None = None) -> list[tuple[str, Any]]:
    """What people see: ("stdout", text), ("display_data", its data) ..., of one ``cell`` (the id of its request)."""
    found: list[tuple[str, Any]] = []
    for message in messages:
        kind, content = message["msg_type"], message["content"]
        if kind in {"status", "execute_input"} or cell not in {None, message["parent_header"].get("msg_id")}:
            continue
        if kind == "stream" and found and found[-1][0] == content["name"]:
            found[-1] = (content["name"], found[-1][1] + content["text"])
        else:
            found.append(
                (content["name"], content["text"])
                if kind == "stream"
                else (kind, content.get("data", content))
            )
    return found
