"""The names under which this process makes requests that must not be done twice: one lane for each at a time."""

from __future__ import annotations

import contextlib
import os
import secrets
from collections import deque
from collections.abc import Iterator
from typing import Any


class Lane:
    """A request in its lane: what it is called, and whether it has been made before."""

    __slots__ = ("id", "made", "number")

    def __init__(self) -> None:
        self.id = secrets.token_hex(8)
        self.number = 0
        self.made = False

    def once(self) -> dict[str, Any]:
        """The fields of the record that is sent now."""
        again, self.made = self.made, True
        return {"lane": self.id, "number": self.number, "again": again}


#: any thread may take the last one; a forked child must not use those of its parent
_free: deque[Lane] = deque()
os.register_at_fork(after_in_child=_free.clear)


@contextlib.contextmanager
def lane() -> Iterator[Lane]:
    """A lane for one request. One that was interrupted is not used again: its undoing may still be on its way."""
    try:
        taken = _free.pop()
    except IndexError:
        taken = Lane()
    taken.number += 1
    taken.made = False
    try:
        yield taken
    except Exception:
        _free.append(taken)
        raise
    else:
        _free.append(taken)
