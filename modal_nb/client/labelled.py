"""Whose lines are whose, where several containers speak in one cell: from then on each begins with its container."""

from __future__ import annotations

import re

#: lines, and those that are written anew: no other character ends a line in a cell
_PIECES = re.compile(r"\r?[^\r\n]*\r?\n|\r?[^\r\n]+|\r")
_SHOWING = {"display_data", "comm_open"}


class Labelled:
    """Of one screen. Gives the texts to write, as (stream, text)."""

    def __init__(self) -> None:
        self._known: set[str] = set()
        #: who wrote last, to which stream, and whether its line is open
        self._last = ("", "")
        self._open = False

    def text(self, container: str, name: str, text: str) -> list[tuple[str, str]]:
        """What a container printed."""
        if not text:
            return []
        if container:
            self._known.add(container)
        if len(self._known) < 2 or not container:
            self._last, self._open = (container, name), not text.endswith("\n")
            return [(name, text)]
        texts = self._break(container, name)
        label = f"({container}) "
        goes_on = self._open
        lines = []
        for line in _PIECES.findall(text):
            anew = line.startswith("\r")
            lines.append(line if goes_on and not anew else ("\r" if anew else "") + label + line.lstrip("\r"))
            goes_on = not line.endswith("\n")
        self._last, self._open = (container, name), goes_on
        return [*texts, (name, "".join(lines))]

    def display(self, container: str, msg_type: str) -> list[tuple[str, str]]:
        """A container is about to show something that is no text."""
        if container:
            self._known.add(container)
        if len(self._known) < 2 or msg_type not in _SHOWING or not container:
            return []
        texts = self._break("", "")
        if msg_type == "display_data":
            texts.append(("stdout", f"({container})\n"))
            self._last = (container, "stdout")
        return texts

    def _break(self, container: str, name: str) -> list[tuple[str, str]]:
        """End the line of somebody else."""
        if not self._open or self._last == (container, name):
            return []
        self._open = False
        return [(self._last[1], "\n")]
