"""Looks at what a call printed, and knows when no more comes."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sized
from typing import Any, Protocol

from modal_nb.client import logs
from modal_nb.client.printed import CUT, CallRecords, Printed, cut
from modal_nb.exception import NotFoundError, OutputExpiredError
from modal_nb.protocol.connection import Places


class Watched(Protocol):
    """A call that can be asked for its outcomes, whoever keeps it."""

    @property
    def places(self) -> Sized:
        """One for each input."""
        ...

    def watch(self, index: int, tell: Callable[[Any], None], /) -> object | None:
        """The outcome if it is there, else None, and ``tell`` gets it. OutputExpiredError where it is gone."""
        ...

    def unwatch(self, index: int, tell: Callable[[Any], None], /) -> None:
        """Nobody listens any more."""
        ...


class Look:
    """``first`` is what was there when it was made; ``read`` gives what came since, until ``ended``.

    NotFoundError for a call that is not known here and printed nothing, OutputExpiredError when all that it printed
    is gone. ``find`` finds the call.
    """

    def __init__(self, call_id: str, find: Callable[[], Watched], where: Places) -> None:
        self._places = where
        self._records = CallRecords(where.logs, call_id)
        self._end: _End | None = None
        #: True: what ``read`` gave last was the end
        self.ended = False
        unknown: NotFoundError | None = None
        try:
            self._end = _End(find())
        except OutputExpiredError:
            self.ended = True  # its results are gone, what it printed need not be
        except NotFoundError as error:
            unknown = error
        self.first = self.read()
        if self._records.were_removed():
            self.first.insert(0, Printed("", cut(call_id)))
        if not self._records.known and not self.first and unknown is not None:
            raise unknown
        if self.first and all(one.record.stream == CUT for one in self.first) and self.ended:
            self.close()
            raise OutputExpiredError(
                f"what {call_id} printed is not kept any more: a container keeps the last 4 MiB or more of its "
                "calls, and the files of old containers go when there are many; read them earlier"
            )

    def read(self) -> list[Printed]:
        """What came since the last time."""
        # asked before: what it printed is there by then
        ended = self.ended or (self._end is not None and self._end.reached())
        found = self._records.read()
        if self._end is None and not ended and not self._goes_on():
            found += self._records.read()  # the last words of a container that has died in between
            ended = not self._goes_on()
        self.ended = ended
        return found

    def close(self) -> None:
        self._records.close()
        if self._end is not None:
            self._end.close()

    def _goes_on(self) -> bool:
        """Whether an input that printed has not ended, in a container that lives."""
        return any(logs.lives(self._places, container) for container, _ in self._records.open)


class _End:
    """Whether every input of a call has its outcome; one is watched at a time."""

    def __init__(self, call: Watched) -> None:
        self._call = call
        self._index = 0
        self._told: threading.Event | None = None

    def reached(self) -> bool:
        while self._index < len(self._call.places):
            if self._told is None and not self._is_there():
                return False
            if self._told is not None and not self._told.is_set():
                return False
            self._told = None
            self._index += 1
        # a call may still be in the making
        return bool(getattr(self._call, "complete", True))

    def close(self) -> None:
        if self._told is not None:
            self._call.unwatch(self._index, self._tell)

    def _is_there(self) -> bool:
        told = self._told = threading.Event()
        try:
            found = self._call.watch(self._index, self._tell)
        except OutputExpiredError:
            found = True
        if found is not None:
            told.set()
        return told.is_set()

    def _tell(self, _: object) -> None:
        if self._told is not None:
            self._told.set()
