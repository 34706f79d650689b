"""Who a SIGINT is for: the input that runs, else the cell that runs, else nobody."""

from __future__ import annotations

import signal
from collections.abc import Callable
from types import CodeType, FrameType

OnInterrupt = Callable[[int, FrameType | None], None]


class Interrupts:
    """The one SIGINT handler of a container, for its whole life.

    ipykernel would ignore the signal outside its own handlers, and raise in whatever runs inside them. A
    KeyboardInterrupt that escapes into the loop ends the kernel: so it is raised in user code only.
    """

    def __init__(self, on_input: OnInterrupt | None = None) -> None:
        """``on_input``: called first, as a signal handler; raises KeyboardInterrupt when an input may be
        hit.
        """
        self._on_input = on_input
        #: the code in whose frames, or below, cells run; set when channels are up
        self.cells: frozenset[CodeType] = frozenset()
        #: cancels the cell that is being awaited
        self.cancel_cell: Callable[[], None] | None = None

    def install(self) -> None:
        """On the main thread."""
        signal.signal(signal.SIGINT, self._on_signal)

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        if self._on_input is not None:
            self._on_input(number, frame)
        if self.cancel_cell is not None:
            self.cancel_cell()
        elif self._in_cell(frame):
            raise KeyboardInterrupt

    def _in_cell(self, frame: FrameType | None) -> bool:
        while frame is not None:
            if frame.f_code in self.cells:
                return True
            frame = frame.f_back
        return False
