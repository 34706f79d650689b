"""Where people read: the cell that made a call, a terminal. Each can show text, and as much of displays as it has."""

from __future__ import annotations

import contextvars
import shutil
import sys
from collections.abc import Mapping, Sequence
from html import escape
from typing import Any, Protocol, TextIO

from modal_nb.client.logs import shown
from modal_nb.protocol.codec import Frame
from modal_nb.protocol.output import Out
from modal_nb.runtime.context import PassOn

Data = Mapping[str, Any]

_WIDGET = "application/vnd.jupyter.widget-view+json"
_DISPLAYS = {"display_data", "update_display_data"}


class Surface(Protocol):
    """Used by the output thread only."""

    out: Out
    #: somebody looks now, so that what is true only for a while may be shown
    interactive: bool
    #: in which ``input()`` asks who reads here
    context: contextvars.Context

    def write(self, name: str, text: str) -> None:
        """``name``: stdout or stderr."""

    def show(self, msg_type: str, data: Data, metadata: Data, buffers: Sequence[Frame]) -> None:
        """A message of Jupyter's iopub channel."""

    def board(self, key: str, text: str, html: str, *, last: bool) -> None:
        """Write this in the place of what had the same key; empty: nothing. ``last``: it stays."""


class CellSurface:
    """One run of a cell of this kernel. Where its output is captured (``%%capture``), so is this."""

    out = Out.RICH

    def __init__(self, kernel: Any, parent: dict[str, Any]) -> None:
        self.kernel, self.parent = kernel, parent
        #: what the cell's code printed to and displayed by when it made the call
        self._streams: dict[str, TextIO] = {"stdout": sys.stdout, "stderr": sys.stderr}
        self._publisher = kernel.shell.display_pub
        #: in which ``input()`` asks the front end of this cell
        self.context = contextvars.copy_context()
        self._boards: set[str] = set()
        # programs that run notebooks, and tests of them, have nobody who answers and look at outputs later
        person = bool(parent.get("content", {}).get("allow_stdin"))
        self.interactive = person and self._is_open(sys.stdout) and hasattr(self._publisher, "pub_socket")

    def is_now(self, kernel: Any, parent: dict[str, Any]) -> bool:
        """Whether code that runs now would show the same way."""
        return (
            self.parent is parent
            and self.kernel is kernel
            and self._streams["stdout"] is sys.stdout
            and self._publisher is kernel.shell.display_pub
        )

    def write(self, name: str, text: str) -> None:
        stream = self._streams[name]
        if self._is_open(stream):
            self._send("stream", {"name": name, "text": text}, {}, ())
        else:
            stream.write(text)

    def show(self, msg_type: str, data: Data, metadata: Data, buffers: Sequence[Frame]) -> None:
        if hasattr(self._publisher, "pub_socket"):
            self._send(msg_type, data, metadata, buffers)
        elif msg_type in _DISPLAYS:
            more = {"transient": data.get("transient"), "update": msg_type == "update_display_data"}
            self._publisher.publish(data["data"], data.get("metadata") or {}, **more)
        elif msg_type.startswith("comm_"):  # the captured view of a widget needs it
            self._send(msg_type, data, metadata, buffers)

    def board(self, key: str, text: str, html: str, *, last: bool) -> None:
        data = {"text/plain": text, "text/html": html or _plain(text)}
        msg_type = "update_display_data" if key in self._boards else "display_data"
        self._boards.add(key)
        self._send(msg_type, {"data": data, "metadata": {}, "transient": {"display_id": key}}, {}, ())

    def _is_open(self, stream: TextIO) -> bool:
        """Whether what is printed goes to the front end, and not into a capture."""
        return type(stream).__name__ == "OutStream"

    def _send(self, msg_type: str, data: Data, metadata: Data, buffers: Sequence[Frame]) -> None:
        kernel = self.kernel
        topic = f"kernel.{kernel.ident}.{msg_type}".encode()
        # its socket passes on to the thread that owns the real one, so any thread may send
        kernel.session.send(
            kernel.iopub_socket,
            msg_type,
            dict(data),
            parent=self.parent,
            ident=topic,
            metadata=dict(metadata),
            buffers=[memoryview(one) for one in buffers],
        )


class TerminalSurface:
    """stdout and stderr of this process. Of displays it shows the plain text; of a remote text, colours and no more."""

    out = Out.TEXT

    def __init__(self, *, muted: bool = False) -> None:
        """``muted``: something else shows what containers print, and only questions are answered here."""
        self.context = contextvars.copy_context()
        self._muted = muted
        self.interactive = not muted and sys.stderr.isatty()
        #: key -> the line at the bottom, which goes when something is written
        self._boards: dict[str, str] = {}

    def write(self, name: str, text: str) -> None:
        if self._muted:
            return
        stream = sys.stderr if name == "stderr" else sys.stdout
        self._wipe()
        stream.write(inert(text))
        stream.flush()
        self._rewrite()

    def show(self, msg_type: str, data: Data, metadata: Data, buffers: Sequence[Frame]) -> None:
        if msg_type not in _DISPLAYS:
            return
        text = data.get("data", {}).get("text/plain")
        if text:
            self.write("stdout", f"{text}\n")

    def board(self, key: str, text: str, html: str, *, last: bool) -> None:
        self._wipe()
        self._boards.pop(key, None)
        line = shown(" | ".join(text.splitlines()))
        if last:
            sys.stderr.write(f"{line}\n")
        elif text:
            self._boards[key] = line
        self._rewrite()

    def _wipe(self) -> None:
        if self._boards:
            sys.stderr.write("\r\x1b[2K")

    def _rewrite(self) -> None:
        if self._boards:
            columns = shutil.get_terminal_size().columns
            sys.stderr.write(" | ".join(self._boards.values())[: columns - 1])
            sys.stderr.flush()


class PassingSurface:
    """In a container: who called the code that calls now."""

    interactive = False

    def __init__(self, passing: PassOn) -> None:
        self.context = contextvars.copy_context()
        self.out = Out(passing.out)
        self._passing = passing

    def write(self, name: str, text: str) -> None:
        self._passing.show("stream", {"name": name, "text": text}, {}, ())

    def show(self, msg_type: str, data: Data, metadata: Data, buffers: Sequence[Frame]) -> None:
        if msg_type in _DISPLAYS:  # the way back to a widget ends here
            shown = {kind: value for kind, value in data.get("data", {}).items() if kind != _WIDGET}
            self._passing.show(msg_type, {**data, "data": shown}, dict(metadata), buffers)

    def board(self, key: str, text: str, html: str, *, last: bool) -> None:
        """Nobody looks here."""


def _plain(text: str) -> str:
    """A note in a cell: inert, and nothing at all where there is no text."""
    if not text:
        return ""
    lines = "<br>".join(escape(line) for line in text.splitlines())
    style = "color:var(--jp-ui-font-color2,#777);font-family:var(--jp-ui-font-family,sans-serif)"
    return f'<div role="status" style="{style};font-size:var(--jp-ui-font-size1,13px)">{lines}</div>'


def inert(text: str) -> str:
    """What a terminal may be sent: lines, also those that a progress bar writes anew."""
    return "".join(_inert(line) for line in text.splitlines(keepends=True))


def _inert(line: str) -> str:
    end = "\n" if line.endswith("\n") else ""
    start = "\r" if line.startswith("\r") else ""
    back = "\r" if not end and line.endswith("\r") and len(line) > 1 else ""
    return start + shown(line.strip("\r\n")) + back + end
