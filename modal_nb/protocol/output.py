"""What code in a container shows and asks: Jupyter's messages of the iopub and stdin channels, on the call stream.

The message type of an OUTPUT packet is Jupyter's (``stream``, ``display_data``, ``update_display_data``,
``clear_output``, ``comm_open``, ``comm_msg``, ``comm_close``, ``input_request``), and ``Shown`` its content; that of a
TELL packet is ``input_reply``, ``comm_msg`` or ``comm_close``, with ``Told`` as its content. Binary buffers of widgets
are the buffers of these messages.
"""

from __future__ import annotations

from enum import IntEnum
from typing import Any

import msgspec

from modal_nb.protocol.messages import Content


class Out(IntEnum):
    """What the caller of an input can show: the field ``out`` of its call_request, absent for NONE."""

    NONE = 0
    #: a terminal: text only
    TEXT = 1
    #: a notebook
    RICH = 2


class Shown(Content, frozen=True, kw_only=True):
    """Container -> caller."""

    #: Jupyter's content for this message type; of an ``input_request`` also ``ask``, the number that its reply names
    data: dict[str, Any]
    metadata: dict[str, Any] = msgspec.field(default_factory=dict)
    #: "ta-...": who speaks
    container: str = ""
    #: "fc-..." and "in-...", where it is known for whom
    call: str = ""
    input: str = ""


class Told(Content, frozen=True, kw_only=True):
    """Caller -> container."""

    #: Jupyter's content; of an ``input_reply``: ``ask`` and either ``value``, or ``error``, a sentence that says why
    #: nobody answers, or ``interrupted``
    data: dict[str, Any]
    metadata: dict[str, Any] = msgspec.field(default_factory=dict)
