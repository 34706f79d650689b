"""Messages that found the queue of their pool full: sent again after a moment, until there is room."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from modal_nb.client.calls import Call
    from modal_nb.client.session import Session

#: seconds until they are sent again
AFTER = 0.1


class Room:
    """Of one ``.map`` or one function call of many inputs."""

    def __init__(self, session: Session, wanted: Callable[[Call], bool]) -> None:
        """``wanted``: whether a message is to be sent again, or was given up meanwhile."""
        self._session = session
        self._wanted = wanted
        self._lock = threading.Lock()
        self._refused: list[Call] = []
        #: messages that wait, or are being sent again
        self.waiting = 0
        #: messages that have been sent again
        self.sent = 0

    def await_by(self, call: Call) -> None:
        """Send this one, which was refused, again. Called on the reading thread."""
        with self._lock:
            self.waiting += 1
            self._refused.append(call)
            if len(self._refused) > 1:
                return
        timer = threading.Timer(AFTER, self._send)
        timer.daemon = True
        timer.start()

    def _send(self) -> None:
        with self._lock:
            calls, self._refused = self._refused, []
        for call in calls:
            try:
                if self._wanted(call):
                    self._session.again(call)
                    if not self._wanted(call):  # it was given up while it was sent
                        self._session.cancel(call)
            except Exception as error:  # noqa: BLE001 - nobody above could catch it: the caller must hear of it
                call.sink.fail(call, error)
            with self._lock:
                self.waiting -= 1
                self.sent += 1
