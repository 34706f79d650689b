"""What code of inputs finds around it that leads to who called: a shell, widgets, and answers to its questions."""

from __future__ import annotations

import logging
from collections.abc import Callable

import msgspec

from modal_nb.container.attach import Attachment
from modal_nb.container.breakpoints import install as install_breakpoint
from modal_nb.container.comms import Comms
from modal_nb.container.output import Output
from modal_nb.container.pauses import Pauses
from modal_nb.container.presence import Presence
from modal_nb.container.questions import Questions
from modal_nb.protocol.codec import Codec, MessageRefused
from modal_nb.protocol.output import Told
from modal_nb.protocol.stream import Packet

log = logging.getLogger("modal_nb.container")


class Surroundings:
    """One per container; ``install`` is called before any code of the user is loaded."""

    def __init__(self, codec: Codec, output: Output, attempt_of: Callable[[int], int | None]) -> None:
        self._codec = codec
        self._presence = Presence(output)
        self._pauses = Pauses(output, attempt_of)
        self._questions = Questions(output, self._pauses)
        self._comms = Comms(output)

    def install(self) -> None:
        """Once in a process."""
        self._presence.install()
        self._questions.install()
        self._comms.install()
        install_breakpoint()

    def begin(self) -> None:
        """On the container's loop, before it serves."""
        self._comms.begin()

    def complete(self, attachment: Attachment, slots: int, is_cancelled: Callable[[int], bool]) -> None:
        """The enter hooks are over: the kernel comes up where an input wants it. ``slots`` run at a time;
        ``is_cancelled``: of an input by its number.
        """
        self._questions.is_cancelled = is_cancelled
        self._presence.figures.alone = slots == 1
        attachment.ask = self._questions.ask
        attachment.pauses = self._pauses
        self._presence.attachment = attachment

    def told(self, order: Packet) -> None:
        """On the control thread: a TELL packet."""
        try:
            message = self._codec.open(order.frames())
            said = msgspec.convert(message.content, Told)
        except (MessageRefused, msgspec.ValidationError) as error:
            log.warning("what a caller says came damaged: %s", error)
            return
        if message.msg_type == "input_reply":
            self._questions.answer(said.data)
        else:
            self._comms.told(message.msg_type, said.data, said.metadata, message.buffers)
