"""What is shown only while it is true: why a call waits, how far a ``.map`` is. One place in a cell, written anew."""

from __future__ import annotations

import itertools
import os

from modal_nb.client.screens import Piece, Screen

_ids = itertools.count(1)


class Board:
    """Nothing is shown before the first ``show``."""

    def __init__(self, screen: Screen) -> None:
        self._screen = screen
        self._key = f"modal_nb-{os.getpid()}-{next(_ids)}"
        self._shown = ("", "")

    def show(self, text: str, html: str = "", *, last: bool = False) -> None:
        """``html`` where there is a front end for it; it must be inert. Empty text takes the board away. ``last``: what
        it says is true for ever, and stays.
        """
        if (text, html) != self._shown or last:
            self._shown = (text, html)
            data = {"key": self._key, "text": text, "html": html, "last": last}
            self._screen.add(Piece("", "board", data, {}, []))

    def clear(self) -> None:
        """It is not true any more."""
        self.show("")

    @property
    def used(self) -> bool:
        return bool(self._shown[0])
