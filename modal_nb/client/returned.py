"""Calls that the supervisor would not take: their pool is gone from its books, or a newer version is deployed."""

from __future__ import annotations

import logging
import threading
from collections import deque
from typing import TYPE_CHECKING

from modal_nb.client.link import LinkLost

if TYPE_CHECKING:
    from modal_nb.client.calls import Call
    from modal_nb.client.session import Session

log = logging.getLogger("modal_nb.client")


class Returned:
    """Opens their pools anew and sends them again, one after the other on a thread of its own: the reading thread must
    not wait for answers that it reads itself.
    """

    def __init__(self, session: Session) -> None:
        self._session = session
        self._lock = threading.Lock()
        self._calls: deque[tuple[Call, int]] = deque()
        self._busy = False

    def take(self, call: Call, number: int) -> None:
        """``number``: of the pool that the call was sent to."""
        with self._lock:
            self._calls.append((call, number))
            if self._busy:
                return
            self._busy = True
        threading.Thread(target=self._send_all, name="modal_nb-returned", daemon=True).start()

    def _send_all(self) -> None:
        while True:
            with self._lock:
                if not self._calls:
                    self._busy = False
                    return
                call, number = self._calls.popleft()
            self._send(call, number)

    def _send(self, call: Call, number: int) -> None:
        session = self._session
        try:
            link = session.link()
            if call.pool.number == number:  # else it was opened for a call before this one
                call.pool.reopen(link)
            call.push(link.sender)
            link.sender.send(())
        except (LinkLost, OSError):
            log.debug("link lost while sending; the call is sent again")
        except Exception as error:  # noqa: BLE001 - whatever it is, it is this call's outcome
            session.fail(call, error)
