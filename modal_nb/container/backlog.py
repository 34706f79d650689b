"""Displays and widget messages of one call: those for which there is no room yet wait, and newer ones replace older."""

from __future__ import annotations

from collections import deque
from typing import Any

from modal_nb.protocol.allowance import Allowance
from modal_nb.protocol.codec import Frame

#: messages and bytes that a call shows at once
BURST_MESSAGES, BURST_BYTES = 300, 32 << 20
#: seconds in which as much may be shown again
_REFILL = 10.0
#: one bucket for both: it holds the time in which what was shown could have been shown evenly, in microseconds
_BURST, _RATE = int(_REFILL * 1e6), 1e6
_PER_SECOND = int(BURST_MESSAGES / _REFILL)
#: messages, and bytes, that wait
MOST, MOST_BYTES = 100, 32 << 20
#: a widget that is not opened, or not closed, would spoil those around it: they count by their bytes only
_ALWAYS = {"comm_open", "comm_close"}


class Piece:
    """One Jupyter message."""

    __slots__ = ("buffers", "data", "input", "metadata", "msg_type", "size")

    def __init__(
        self,
        msg_type: str,
        data: dict[str, Any],
        metadata: dict[str, Any],
        buffers: list[Frame],
        name: str,
    ) -> None:
        """``name``: the input that it comes from."""
        self.msg_type, self.data, self.metadata = msg_type, data, metadata
        self.buffers, self.input = buffers, name
        #: bytes of the whole
        self.size = 0


class Backlog:
    """Whoever uses it holds a lock, and says what time it is."""

    def __init__(self, now: float) -> None:
        self._allowance = Allowance(_BURST, _RATE, now)
        self._waiting: deque[Piece] = deque()
        self._left_out = 0

    @property
    def behind(self) -> bool:
        return bool(self._waiting or self._left_out)

    def add(self, piece: Piece) -> None:
        """It leaves with the next ``take``, or later."""
        if self._waiting and self._replaces(piece):
            return
        if piece.msg_type not in _ALWAYS and (len(self._waiting) >= MOST or self._full(piece)):
            self._left_out += 1
            return
        self._waiting.append(piece)

    def take(self, now: float) -> list[Piece]:
        """What may leave now, in order."""
        out: list[Piece] = []
        while self._waiting and self._allowance.take_all(_cost(self._waiting[0]), now):
            out.append(self._waiting.popleft())
        if self._left_out and not self._waiting:
            text = f"[modal_nb left out {self._left_out:,} displays here: a call shows {_PER_SECOND} in a second]\n"
            out.append(Piece("stream", {"name": "stderr", "text": text}, {}, [], ""))
            self._left_out = 0
        for piece in self._waiting:  # they may be changed by their owner until they leave
            piece.buffers = [bytes(one) if isinstance(one, memoryview) else one for one in piece.buffers]
        return out

    def _full(self, piece: Piece) -> bool:
        return bool(self._waiting) and sum(one.size for one in self._waiting) + piece.size > MOST_BYTES

    def _replaces(self, piece: Piece) -> bool:
        """Whether what waits has taken it in."""
        if piece.msg_type == "clear_output":
            kept = [one for one in self._waiting if one.msg_type.startswith("comm_")]
            self._waiting = deque(kept)
        elif piece.msg_type == "update_display_data":
            return self._updates(piece)
        elif _is_update(piece):
            return self._merges(piece)
        return False

    def _updates(self, piece: Piece) -> bool:
        name = _display_id(piece)
        found = [one for one in self._waiting if name is not None and _display_id(one) == name]
        for one in found:
            one.data, one.metadata, one.size = piece.data, piece.metadata, piece.size
        return bool(found)

    def _merges(self, piece: Piece) -> bool:
        comm = piece.data.get("comm_id")
        last = next((one for one in reversed(self._waiting) if one.data.get("comm_id") == comm), None)
        if last is None or not _is_update(last):
            return False
        state = {**last.data["data"]["state"], **piece.data["data"]["state"]}
        last.data = {**last.data, "data": {**last.data["data"], "state": state}}
        last.size += piece.size
        return True


def _cost(piece: Piece) -> int:
    messages = 0 if piece.msg_type in _ALWAYS else 1 / BURST_MESSAGES
    return int(_BURST * min(1.0, max(messages, piece.size / BURST_BYTES)))


def _display_id(piece: Piece) -> Any:
    return (piece.data.get("transient") or {}).get("display_id")


def _is_update(piece: Piece) -> bool:
    """New values of a widget, nothing else in it."""
    said = piece.data.get("data")
    return (
        piece.msg_type == "comm_msg"
        and not piece.buffers
        and isinstance(said, dict)
        and said.get("method") == "update"
        and isinstance(said.get("state"), dict)
        and not said.get("buffer_paths")
    )
