"""Code that is run in the kernel of a live container, by Jupyter's own client."""

from __future__ import annotations

import importlib.util
import queue
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

from jupyter_client.blocking.client import BlockingKernelClient

from modal_nb.cli.misuse import Misuse
from modal_nb.exception import ContainerCrashedError
from modal_nb.protocol import messages as ms

#: seconds between two looks at whether the container still lives
_LOOK = 1.0
#: seconds for the answer to an interrupt
_INTERRUPT = 5.0
_COLOURS = re.compile(r"\x1b\[[0-9;]*m")


def run_code(container: ms.ContainerStatus, code: str, alive: Callable[[], bool]) -> bool:
    """Run it and print what it prints, shows and raises; False if it raised.

    ``alive``: asked while nothing comes. ContainerCrashedError when the container ends first. Ctrl-C interrupts
    the code if it has begun, and never an input.
    """
    with _client(container.connection_file) as client:
        _await_answer(client, container.id, alive)
        cell = Cell(client, client.execute(code, store_history=False, allow_stdin=False))
        try:
            while not cell.over:
                try:
                    cell.take(client.get_iopub_msg(timeout=_LOOK))
                except queue.Empty:
                    _check(container.id, alive)
        except KeyboardInterrupt:
            cell.interrupt()
            raise
        return not cell.failed


def console(connection_file: str, instead: str) -> int:
    """An IPython console in this terminal; its exit code. Misuse as ``check_console``."""
    check_console(instead)
    return subprocess.run(
        [sys.executable, "-m", "jupyter_console", "--existing", connection_file], check=False
    ).returncode


def check_console(instead: str) -> None:
    """Misuse where jupyter-console is not installed; ``instead``: the option that runs code without it."""
    if importlib.util.find_spec("jupyter_console") is None:
        raise Misuse(
            f"a console needs jupyter-console: {sys.executable} -m pip install jupyter-console; "
            f"or run code without it: {instead} CODE"
        )


class Cell:
    """One execution as its messages tell it."""

    def __init__(self, client: BlockingKernelClient, message: str) -> None:
        self._client = client
        self._message = message
        self._begun = False
        self.over = False
        self.failed = False

    def take(self, message: dict[str, Any]) -> None:
        """A message of the iopub channel; those of others are left alone."""
        if message["parent_header"].get("msg_id") != self._message:
            return
        content = message["content"]
        match message["msg_type"]:
            case "execute_input":
                self._begun = True
            case "stream":
                _write(sys.stderr if content["name"] == "stderr" else sys.stdout, content["text"])
            case "execute_result" | "display_data":
                _write(sys.stdout, content["data"].get("text/plain", "") + "\n")
            case "error":
                self.failed = True
                _write(sys.stderr, "\n".join(content["traceback"]) + "\n")
            case "status":
                self.over = content["execution_state"] == "idle"

    def interrupt(self) -> None:
        """Only what has begun: before, the container's main thread may be at an input."""
        if self._begun and not self.over:
            control = self._client.control_channel
            control.send(self._client.session.msg("interrupt_request", {}))
            with suppress(queue.Empty):
                control.get_msg(timeout=_INTERRUPT)


@contextmanager
def _client(connection_file: str) -> Iterator[BlockingKernelClient]:
    client = BlockingKernelClient(connection_file=connection_file)
    client.load_connection_file()
    client.start_channels()
    try:
        yield client
    finally:
        client.stop_channels()
        client.context.destroy(linger=0)


def _await_answer(client: BlockingKernelClient, identity: str, alive: Callable[[], bool]) -> None:
    """Until the kernel answers on shell and is heard on iopub: its main thread may be at an input."""
    while True:
        try:
            client.wait_for_ready(timeout=_LOOK)
        except RuntimeError:
            _check(identity, alive)
        else:
            return


def _check(identity: str, alive: Callable[[], bool]) -> None:
    if not alive():
        raise ContainerCrashedError(
            f"the container {identity} ended meanwhile; its last words: modal-nb container logs {identity}"
        )


def _write(stream: Any, text: str) -> None:
    stream.write(text if stream.isatty() else _COLOURS.sub("", text))
    stream.flush()
