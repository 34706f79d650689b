"""Looks at what a call printed, and knows when no more comes."""

from __future__ import annotations

from modal_nb.client import logs
from modal_nb.client import session as sessions
from modal_nb.client.kept import KeptCall
from modal_nb.client.printed import CUT, CallRecords, Printed, cut
from modal_nb.exception import NotFoundError, OutputExpiredError
from modal_nb.protocol.connection import places


class Look:
    """``first`` is what was there when it was made; ``read`` gives what came since, until ``ended``.

    NotFoundError for a call that is not known here and printed nothing, OutputExpiredError when all that it printed
    is gone.
    """

    def __init__(self, call_id: str) -> None:
        self._places = places()
        self._records = CallRecords(self._places.logs, call_id)
        self._call: KeptCall | None = None
        #: True: what ``read`` gave last was the end
        self.ended = False
        unknown: NotFoundError | None = None
        try:
            self._call = sessions.current().kept.find(call_id)
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
        ended = self.ended or self._has_outcome()  # asked before: what it printed is there by then
        found = self._records.read()
        if self._call is None and not ended and not self._open():
            found += self._records.read()  # the last words of a container that has died in between
            ended = not self._open()
        self.ended = ended
        return found

    def close(self) -> None:
        self._records.close()

    def _has_outcome(self) -> bool:
        call = self._call
        return (
            call is not None
            and call.complete
            and all(place.expired or place.outcome is not None for place in call.places)
        )

    def _open(self) -> bool:
        """Whether an input that printed goes on, in a container that lives."""
        return any(logs.lives(self._places, container) for container, _ in self._records.open)
