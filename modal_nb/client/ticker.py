"""Looks after calls that take more than a second: says in their cell why they wait, and how far a ``.map`` is.

One thread per session, only while somebody who looks waits for something; quick calls never meet it.
"""

from __future__ import annotations

import itertools
import logging
import threading
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol

from modal_nb.client.boards import Board
from modal_nb.client.calls import Call
from modal_nb.client.link import LinkLost
from modal_nb.client.screens import Screen
from modal_nb.client.waits import sentence
from modal_nb.exception import Error
from modal_nb.protocol.containers import WaitAsk, WaitTold
from modal_nb.spec.cls_spec import label_of

if TYPE_CHECKING:
    from modal_nb.client.session import Session

log = logging.getLogger("modal_nb.client")

#: seconds between two looks
_TICK = 0.5
#: looks that a call must be seen by before something is said of it
_SLOW = 3
#: looks without anything to look at, after which the thread sleeps
_EMPTY = 4
#: calls that are looked at, the oldest first
_MOST = 200


class Long(Protocol):
    """Something that goes on for a while, a ``.map``."""

    def tick(self) -> None:
        """Show how far it is; may ask the supervisor."""


class Ticker:
    """``awake`` is looked at for each call; ``wake`` is called when it is False and somebody looks."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self.awake = False
        self._event = threading.Event()
        self._thread: threading.Thread | None = None
        self._lock = threading.Lock()
        #: reference -> how many looks have seen the call
        self._seen: dict[int, int] = {}
        self._boards: dict[Screen, Board] = {}
        self._long: list[Long] = []

    def wake(self) -> None:
        """There is something to look at."""
        with self._lock:
            self.awake = True
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="modal_nb-ticker", daemon=True)
                self._thread.start()
            self._event.set()

    def why(self, calls: Sequence[Call]) -> dict[int, str]:
        """Of each call that waits, by its reference, for what: a sentence. What runs is left out."""
        link = self._session.linked()
        if link is None:
            return {call.number: "waits for a new supervisor" for call in calls}
        told, _ = link.ask(WaitAsk(calls=[call.number for call in calls]), WaitTold)
        labels = {call.number: label_of(call.pool.spec.service, call.method) for call in calls}
        return {
            wait.call: f"{labels[wait.call]}: {sentence(wait)}"
            for wait in told.waits
            if wait.state != "running"
        }

    def begin(self, one: Long) -> None:
        self._long.append(one)
        self.wake()

    def end(self, one: Long) -> None:
        if one in self._long:
            self._long.remove(one)

    def _run(self) -> None:
        empty = 0
        while True:
            self._event.wait()
            time.sleep(_TICK)
            try:
                found = self._look()
            except (Error, LinkLost, OSError) as error:  # the supervisor is away: calls wait for the next one
                log.debug("cannot say why calls wait: %r", error)
                found = True
            except Exception:  # whatever it is, it is no reason to say nothing from now on
                log.exception("cannot say why calls wait")
                found = True
            empty = 0 if found else empty + 1
            if empty >= _EMPTY:
                with self._lock:
                    self.awake = False
                    self._event.clear()
                if len(self._session.held):  # it came between the look and the line above
                    self.wake()

    def _look(self) -> bool:
        calls = [
            call
            for call in itertools.islice(self._session.held.all(), _MOST)
            if call.screen is not None and getattr(call.sink, "waited", True)
        ]
        self._seen = {call.number: self._seen.get(call.number, 0) + 1 for call in calls}
        self._say([call for call in calls if self._seen[call.number] >= _SLOW])
        for one in list(self._long):
            one.tick()
        return bool(calls or self._long)

    def _say(self, slow: list[Call]) -> None:
        whys = self.why(slow) if slow else {}
        said: dict[Screen, dict[str, list[str]]] = {}
        for call in slow:
            why = whys.get(call.number)
            if why and call.screen is not None:
                label = label_of(call.pool.spec.service, call.method)
                said.setdefault(call.screen, {}).setdefault(label, []).append(why)
        for screen in [screen for screen in self._boards if screen not in said]:
            self._boards.pop(screen).clear()
        for screen, found in said.items():
            board = self._boards.get(screen)
            if board is None:
                board = self._boards[screen] = Board(screen)
            board.show("\n".join(_line(label, whys) for label, whys in found.items()))


def _line(label: str, whys: Sequence[str]) -> str:
    """Of several calls of a method the one that comes next."""
    others = len(whys) - 1
    return f"{label}: {whys[0]}" + (f" (and {others:,} more of its calls)" if others else "")
