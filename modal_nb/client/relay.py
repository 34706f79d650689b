"""What code in containers shows, brought to the cell or the terminal that called it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from modal_nb.protocol.stream import Packet

if TYPE_CHECKING:
    from modal_nb.client.session import Session


class Relay:
    """One per session. ``take`` is called on the reading thread."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def take(self, output: Packet) -> None:
        """A RESULT of the kinds OUTPUT and UNTOLD."""
