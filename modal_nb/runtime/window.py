"""How far a generator may be ahead of its reader: both ends of that agreement."""

from __future__ import annotations

from collections import deque

#: items that may be on their way, not read yet
MOST_ITEMS = 64
#: bytes of them: with as many unread, no further item is begun
MOST_BYTES = 4 * 1024 * 1024


class WriterWindow:
    """The container's end. ``allow`` may be called by any one thread, all else by the thread that writes."""

    __slots__ = ("_allowed", "_sizes", "_unread", "sent")

    def __init__(self) -> None:
        #: items made so far, counted from the start of the stream
        self.sent = 0
        self._allowed = MOST_ITEMS
        #: (index, bytes) of what the reader may not have read, and the sum of it
        self._sizes: deque[tuple[int, int]] = deque()
        self._unread = 0

    def allow(self, total: int) -> None:
        """The reader's word: so many items may have been sent in all."""
        self._allowed = max(self._allowed, total)

    @property
    def read(self) -> int:
        """Items that the reader has for certain."""
        return self._allowed - MOST_ITEMS

    def has_room(self) -> bool:
        """Whether the next item may be made now."""
        read = self.read
        while self._sizes and self._sizes[0][0] < read:
            self._unread -= self._sizes.popleft()[1]
        return self.sent < self._allowed and self._unread < MOST_BYTES

    def wrote(self, size: int) -> None:
        """The next item is on its way, with so many bytes (0: the reader has it already)."""
        if size:
            self._sizes.append((self.sent, size))
            self._unread += size
        self.sent += 1


class ReaderWindow:
    """The caller's end: counts what is read, and says when the writer is to hear of it."""

    __slots__ = ("_allowed", "_bytes", "read")

    def __init__(self) -> None:
        self.read = 0
        self._allowed = MOST_ITEMS
        self._bytes = 0

    def took(self, size: int) -> int | None:
        """One item of so many bytes was read: the total to allow now, or None while the last word is good enough."""
        self.read += 1
        self._bytes += size
        if self._allowed - self.read > MOST_ITEMS // 2 and self._bytes < MOST_BYTES // 2:
            return None
        return self.renew()

    def renew(self) -> int:
        """The total to allow now, whatever was said before."""
        self._bytes = 0
        self._allowed = self.read + MOST_ITEMS
        return self._allowed
