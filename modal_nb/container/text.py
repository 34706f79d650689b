"""What one function call prints, between two times that it leaves: decoded, in order, and cut where it is too much."""

from __future__ import annotations

from modal_nb.protocol.allowance import Allowance

#: characters that a call prints at once, and for each second
BURST, RATE = 256 * 1024, 16 * 1024
_NAMES = {1: "stdout", 2: "stderr"}
#: characters behind the last "\r" that are kept of what is left out: what a progress bar shows now
_LINE = 400
#: seconds between two notes of what was left out, at least
_BETWEEN = 1.0


def left_out(characters: int) -> str:
    """The line in place of what was cut."""
    return f"[modal_nb left out {characters:,} characters here: the whole is in call.logs()]\n"


class Text:
    """Whoever uses it holds a lock, and says what time it is."""

    __slots__ = ("_allowance", "_noted", "_pieces", "_rests", "_size", "_tail", "left_out")

    def __init__(self, now: float) -> None:
        self._allowance = Allowance(BURST, RATE, now)
        #: [stream, bytes]
        self._pieces: list[tuple[int, bytearray]] = []
        #: bytes of a character that is not complete, by stream
        self._rests: dict[int, bytes] = {}
        self._size = 0
        self._noted = float("-inf")
        #: the newest line of a progress bar that was left out
        self._tail: tuple[int, str] | None = None
        #: characters that were not sent and not told yet
        self.left_out = 0

    def add(self, stream: int, data: bytes) -> int:
        """Bytes that are held now."""
        if self._pieces and self._pieces[-1][0] == stream:
            self._pieces[-1][1].extend(data)
        else:
            self._pieces.append((stream, bytearray(data)))
        self._size += len(data)
        return self._size

    def take(self, now: float, *, final: bool = False) -> list[tuple[str, str]]:
        """(name of the stream, text) of what may leave now; the rest is left out, which a line says once there is room
        again, or if it is ``final``: the input ends.
        """
        pieces, self._pieces, self._size = self._pieces, [], 0
        out: list[tuple[str, str]] = []
        for stream, data in pieces:
            self._cut(stream, self._decoded(stream, data), now, out)
        if self.left_out and now - self._noted >= _BETWEEN:
            room = self._allowance.take(1, now)
            if room or final:
                self._note(now, out)
        return out

    def _cut(self, stream: int, text: str, now: float, out: list[tuple[str, str]]) -> None:
        granted = self._allowance.take(len(text), now)
        if granted and self.left_out:
            self._note(now, out)
        self.left_out += len(text) - granted
        if granted:
            out.append((_NAMES[stream], text[-granted:]))
        elif "\r" in text:
            self._tail = stream, text[text.rindex("\r") :][:_LINE]

    def _note(self, now: float, out: list[tuple[str, str]]) -> None:
        self._noted = now
        said, self.left_out = left_out(self.left_out), 0
        tail, self._tail = self._tail, None
        out.append(("stderr", said))
        if tail is not None:
            out.append((_NAMES[tail[0]], tail[1]))

    def _decoded(self, stream: int, data: bytearray) -> str:
        rest = self._rests.pop(stream, b"")
        whole = rest + data if rest else data
        try:
            return whole.decode()
        except UnicodeDecodeError as error:
            if error.reason == "unexpected end of data":
                self._rests[stream] = bytes(whole[error.start :])
                whole = whole[: error.start]
            return whole.decode(errors="replace")
