"""What code in containers shows and asks, brought to the cell or the terminal that called it."""

from __future__ import annotations

import logging
from collections import OrderedDict
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import msgspec

from modal_nb.client.comms import Comms
from modal_nb.client.questions import NOBODY, Question
from modal_nb.client.screens import Piece, Screen
from modal_nb.client.surfaces import inert
from modal_nb.protocol.codec import Frame, Message, MessageRefused
from modal_nb.protocol.output import Out, Shown, Told
from modal_nb.protocol.stream import Kind, Packet, Result, packet

if TYPE_CHECKING:
    from modal_nb.client.calls import Call
    from modal_nb.client.running import RunningApp
    from modal_nb.client.session import Session

log = logging.getLogger("modal_nb.client")

#: what a container may have a cell or a terminal show
_SHOWN = {"stream", "display_data", "update_display_data", "clear_output"}
_COMMS = {"comm_open", "comm_msg", "comm_close"}
#: calls with an outcome whose cells are remembered: threads and widgets of theirs go on to show things
_MOST_OVER = 4096


class Relay:
    """One per session. ``take`` is called on the reading thread."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._over: OrderedDict[int, tuple[RunningApp, Screen]] = OrderedDict()
        self._comms = Comms(self.tell)

    def over(self, call: Call) -> None:
        """A call of a screen has its outcome, or was given up."""
        if call.screen is not None:
            self._over[call.number] = call.pool.app, call.screen
            if len(self._over) > _MOST_OVER:
                self._over.popitem(last=False)

    def take(self, output: Packet) -> None:
        """A RESULT of the kinds OUTPUT and UNTOLD."""
        if output.flags == Result.UNTOLD:
            self._comms.gone(output.extra)
            return
        app, screen = self._place(output)
        if app is None or screen is None:
            return
        try:
            message = app.codec.open(output.frames())
            said = msgspec.convert(message.content, Shown)
            self._shown(app, screen, output, message, said)
        except (MessageRefused, msgspec.ValidationError, KeyError, TypeError, ValueError) as error:
            log.warning("what a container shows came damaged: %s", error)

    def _place(self, output: Packet) -> tuple[RunningApp | None, Screen | None]:
        """The app and the screen that an output is for."""
        call = self._session.held.get(output.number) if output.number else self._waiting(output.parent)
        if call is not None:
            return call.pool.app, call.screen
        return self._over.get(output.number, (None, None))

    def _waiting(self, pool: int) -> Call | None:
        """A call that waits for a container of this pool: what enter hooks print is shown to who waits for them."""
        return next(
            (call for call in self._session.held.all() if call.pool.number == pool and call.screen), None
        )

    def _shown(self, app: RunningApp, screen: Screen, output: Packet, message: Message, said: Shown) -> None:
        kind = message.msg_type
        if kind == "input_request":
            self._ask(app, screen, output, said.data)
            return
        piece = Piece(said.container, kind, said.data, said.metadata, message.buffers)
        if kind in _COMMS:
            self._comms.add(app, screen, output.extra, piece)
        elif kind in _SHOWN:
            screen.add(piece)
        else:
            raise ValueError(f"a message {kind!r} is none that is shown")

    def _ask(self, app: RunningApp, screen: Screen, output: Packet, asked: dict[str, Any]) -> None:
        def reply(data: dict[str, Any]) -> None:
            self.tell(app, output.extra, "input_reply", Told(data=data))

        prompt, password = str(asked.get("prompt", "")), bool(asked.get("password"))
        if screen.out is Out.TEXT:
            prompt = inert(prompt)
        question = Question(int(asked["ask"]), prompt, password=password, reply=reply, context=screen.context)
        call = self._session.held.get(output.number)
        ask = getattr(call.sink, "ask", None) if call is not None else None
        if ask is None:
            question.refuse(NOBODY)
        else:
            ask(question)

    def tell(
        self, app: RunningApp, container: int, msg_type: str, told: Told, buffers: Sequence[Frame] = ()
    ) -> None:
        """Say something to code in a container; any thread may. Where the supervisor is gone, so is the container."""
        link = self._session.linked()
        if link is None:
            return
        frames = app.codec.pack(msg_type, told.content(), buffers)
        try:
            link.sender.send(packet(Kind.TELL, frames, extra=container))
        except OSError:
            log.debug("link lost while telling a container something")
