"""What containers show, gathered per cell or terminal, cut where it is too much, and let out by one thread in order."""

from __future__ import annotations

import os
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

from modal_nb.client.introspect import shell_here
from modal_nb.client.labelled import Labelled
from modal_nb.client.surfaces import CellSurface, PassingSurface, Surface, TerminalSurface
from modal_nb.protocol.allowance import Allowance
from modal_nb.protocol.codec import Frame
from modal_nb.protocol.output import Out
from modal_nb.runtime.context import process

#: seconds for which text gathers, unless somebody waits for it
_PAUSE = 0.05
#: seconds that a result waits for what was printed before it, at most
_PATIENCE = 2.0
#: characters that one cell shows at once, and for each second
_BURST, _RATE = 512 * 1024, 64 * 1024


class Piece(NamedTuple):
    """One text, or one message."""

    container: str
    msg_type: str
    data: dict[str, Any]
    metadata: dict[str, Any]
    buffers: list[Frame]
    #: called right before it is shown
    first: Callable[[], None] | None = None


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
            texts += self._labelled.display(piece.container, piece.msg_type)
            self._write(texts)
            texts = []
            if piece.first is not None:
                piece.first()
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


class _Output:
    """The output thread of this process, and what waits for it."""

    def __init__(self) -> None:
        self._waiting: set[Screen] = set()
        self._changed = threading.Condition()
        self._shown = threading.Condition()
        self._hurry = threading.Event()
        self._thread: threading.Thread | None = None
        #: something was added that is not shown: looked at once per result
        self.pending = False

    def dirty(self, screen: Screen) -> None:
        with self._changed:
            self.pending = True
            self._waiting.add(screen)
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="modal_nb-output", daemon=True)
                self._thread.start()
            self._changed.notify()

    def settle(self) -> None:
        """Returns when all that has come is shown. Called by who is about to go on with a result, if ``pending``."""
        if threading.current_thread() is self._thread:
            return
        until = time.monotonic() + _PATIENCE
        self._hurry.set()
        with self._shown:
            while self.pending and (left := until - time.monotonic()) > 0:
                self._shown.wait(min(left, 0.1))

    def _run(self) -> None:
        while True:
            with self._changed:
                while not self._waiting:
                    self._changed.wait()
            self._hurry.wait(_PAUSE)
            self._hurry.clear()
            with self._changed:
                screens, self._waiting = self._waiting, set()
            for screen in screens:
                try:
                    screen.let_out()
                except Exception as error:  # noqa: BLE001 - a closed stream, a front end that went: the call goes on
                    sys.__stderr__ and sys.__stderr__.write(
                        f"modal_nb cannot show what was printed: {error!r}\n"
                    )
            with self._changed:
                self.pending = bool(self._waiting)
            with self._shown:
                self._shown.notify_all()


output = _Output()

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
    """A forked child has no output thread, and its locks may be held by it."""
    global output  # noqa: PLW0603 - one per process
    output = _Output()


os.register_at_fork(after_in_child=_start_anew)
