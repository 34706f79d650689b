"""What containers show, gathered per cell or terminal, cut where it is too much, and let out by one thread in order."""

from __future__ import annotations

import os
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

from modal_nb.client.introspect import shell_here
from modal_nb.client.labelled import Labelled
from modal_nb.client.output_thread import OutputThread
from modal_nb.client.surfaces import CellSurface, PassingSurface, Surface, TerminalSurface
from modal_nb.protocol.allowance import Allowance
from modal_nb.protocol.codec import Frame
from modal_nb.protocol.output import Out
from modal_nb.runtime.context import process

#: characters that one cell shows at once, and for each second
_BURST, _RATE = 512 * 1024, 64 * 1024


class Piece(NamedTuple):
    """One text, or one message."""

    container: str
    msg_type: str
    data: dict[str, Any]
    metadata: dict[str, Any]
    buffers: list[Frame]
    #: called right before it is shown; False: it may not be
    first: Callable[[], bool] | None = None


class Screen:
    """One cell's run, or one terminal. Any thread may add to it."""

    def __init__(self, surface: Surface) -> None:
        self.surface = surface
        self.out = surface.out
        self.interactive = surface.interactive
        self.context = surface.context
        self._pieces: deque[Piece] = deque()
        self._labelled = Labelled()
        self._allowance = Allowance(_BURST, _RATE, time.monotonic())
        self._left_out = 0

    def add(self, piece: Piece) -> None:
        """It is shown soon."""
        self._pieces.append(piece)
        output.dirty(self)

    @property
    def gathered(self) -> bool:
        return bool(self._pieces)

    def forget(self) -> None:
        """In a forked child: its parent shows it."""
        self._pieces.clear()

    def let_out(self) -> None:
        """On the output thread: show what has gathered."""
        texts: list[tuple[str, str]] = []
        while self._pieces:
            piece = self._pieces.popleft()
            if piece.msg_type == "stream":
                texts += self._labelled.text(
                    piece.container, str(piece.data["name"]), str(piece.data["text"])
                )
                continue
            if piece.first is not None and not piece.first():
                continue
            texts += self._labelled.display(piece.container, piece.msg_type)
            self._write(texts)
            texts = []
            if piece.msg_type == "board":
                self.surface.board(**piece.data)
                continue
            self.surface.show(piece.msg_type, piece.data, piece.metadata, piece.buffers)
        self._write(texts)

    def _write(self, texts: list[tuple[str, str]]) -> None:
        for name, text in _joined(texts):
            granted = self._allowance.take(len(text), time.monotonic())
            if self._left_out and granted:
                self.surface.write("stderr", left_out(self._left_out))
                self._left_out = 0
            if granted < len(text):
                self._left_out += len(text) - granted
            if granted:
                self.surface.write(name, text[-granted:])


def left_out(characters: int) -> str:
    """The line in place of what was cut."""
    return f"[modal_nb left out {characters:,} characters here: the whole is in call.logs()]\n"


def _joined(texts: list[tuple[str, str]]) -> Iterator[tuple[str, str]]:
    name, gathered = "", list[str]()
    for stream, text in texts:
        if stream != name and gathered:
            yield name, "".join(gathered)
            gathered = []
        name = stream
        gathered.append(text)
    if gathered:
        yield name, "".join(gathered)


#: of this process
output = OutputThread()

#: of this process, while ``enable_output`` or a terminal IPython shows things
_terminal: Screen | None = None
_cell: Screen | None = None
#: by the request that runs the cell
_cells: dict[str, Screen] = {}
_MOST_CELLS = 64


def here() -> Screen | None:
    """Where code that runs now is read: its cell, the terminal of an IPython or of ``enable_output()``; else None."""
    global _cell, _terminal  # noqa: PLW0603 - one per process: its newest cell
    if process.link is not None:
        passing = process.pass_on()
        return None if passing is None else Screen(PassingSurface(passing))
    shell = shell_here()
    if shell is None:
        return _terminal
    kernel = getattr(shell, "kernel", None)
    if kernel is None:
        if _terminal is None:
            _terminal = Screen(TerminalSurface())
        return _terminal
    parent = kernel.get_parent()
    if not parent:
        return None
    if _cell is None or not _cell.surface.is_now(kernel, parent):  # type: ignore[attr-defined]
        _cell = _cell_of(kernel, parent)
    return _cell


def _cell_of(kernel: Any, parent: dict[str, Any]) -> Screen:
    """Cells take turns where they await: each finds its own again."""
    key = str(parent.get("header", {}).get("msg_id"))
    found = _cells.get(key)
    if found is None or not found.surface.is_now(kernel, parent):  # type: ignore[attr-defined]
        found = _cells[key] = Screen(CellSurface(kernel, parent))
        if len(_cells) > _MOST_CELLS:
            _cells.pop(next(iter(_cells)))
    return found


def out_of(screen: Screen | None) -> Out:
    """What a caller with this screen can show."""
    return Out.NONE if screen is None else screen.out


@contextmanager
def enable_output(show_progress: bool = True) -> Iterator[None]:
    """Show in this terminal what code in containers prints, and the progress of ``.map``; as Modal's.

    In notebooks and IPython that is so without it. ``show_progress=False``: no progress bars.
    """
    global _terminal, progress
    before, shows = _terminal, progress
    _terminal, progress = before or Screen(TerminalSurface()), show_progress
    try:
        yield
    finally:
        if output.pending:
            output.settle()
        _terminal, progress = before, shows


@contextmanager
def answering() -> Iterator[None]:
    """Answer in this terminal what code in containers asks, where something else shows what it prints."""
    global _terminal  # noqa: PLW0603 - one terminal per process
    before, _terminal = _terminal, Screen(TerminalSurface(muted=True))
    try:
        yield
    finally:
        _terminal = before


#: whether progress is shown
progress = True


def _start_anew() -> None:
    """In a forked child. The name stays bound to the same object: other modules have it, too."""
    output.start_anew()
    for screen in (*_cells.values(), *([_terminal] if _terminal else [])):
        screen.forget()


os.register_at_fork(after_in_child=_start_anew)
