"""Widgets: their Python side lives here, their other side in the notebook of who called the input that made them."""

from __future__ import annotations

import asyncio
import contextvars
import sys
import traceback
from collections.abc import Sequence
from types import ModuleType
from typing import Any

from modal_nb.container.arrivals import Arrivals
from modal_nb.container.audience import Audience, audience
from modal_nb.container.output import Output
from modal_nb.protocol.codec import Frame
from modal_nb.runtime import context
from modal_nb.runtime.context import process

_HOME = "_modal_nb_home"


class Home:
    """Where a comm was opened: by an input. What it does later, it does for that input, also when that has ended."""

    def __init__(self, viewers: Audience) -> None:
        self.viewers = viewers
        self.context = contextvars.copy_context()


class Comms:
    """One per container."""

    def __init__(self, output: Output) -> None:
        self._output = output
        self._loop: asyncio.AbstractEventLoop

    def begin(self) -> None:
        """On the loop of the container."""
        self._loop = asyncio.get_running_loop()

    def install(self) -> None:
        """Before any code of the user is loaded."""
        Arrivals({"ipykernel.comm.comm": self._patch}).install()

    def _patch(self, module: ModuleType) -> None:
        """``ipykernel.comm.comm`` was imported: have comms of inputs speak to who called."""
        base, output = module.BaseComm, self._output
        stock = base.publish_msg

        def publish_msg(
            comm: Any, msg_type: str, data: Any = None, metadata: Any = None, buffers: Any = None, **keys: Any
        ) -> None:
            if msg_type == "comm_open" and (viewers := audience(output)) is not None:
                comm.__dict__[_HOME] = Home(viewers)
            home = comm.__dict__.get(_HOME)
            if home is None:
                stock(comm, msg_type, data, metadata, buffers, **keys)
                return
            if comm.kernel is None:  # libraries take such a one for closed
                comm.kernel = module.Kernel.instance()
            content = {"data": data or {}, "comm_id": comm.comm_id, **keys}
            from modal_nb.container.publishing import show  # noqa: PLC0415 - loads ipykernel, which is there now

            show(home.viewers, msg_type, content, metadata=metadata or {}, buffers=buffers or ())

        base.publish_msg = publish_msg

    def told(
        self, msg_type: str, data: dict[str, Any], metadata: dict[str, Any], buffers: Sequence[Frame]
    ) -> None:
        """On the control thread: a front end has done something to a widget. It is heard between two inputs, as in a
        notebook's kernel between two cells.
        """
        message = {
            "header": {"msg_type": msg_type, "msg_id": ""},
            "parent_header": {},
            "content": data,
            "metadata": metadata,
            "buffers": [memoryview(one) for one in buffers],
        }
        self._loop.call_soon_threadsafe(self._heard, message)

    def _heard(self, message: dict[str, Any]) -> None:
        module = sys.modules.get("comm")
        comms: dict[str, Any] = {} if module is None else module.get_comm_manager().comms
        comm: Any = comms.get(message["content"].get("comm_id"))
        home = None if comm is None else comm.__dict__.get(_HOME)
        if home is None:
            return
        closing = message["header"]["msg_type"] == "comm_close"
        if closing:
            comms.pop(comm.comm_id, None)
        home.context.copy().run(_handle, comm.handle_close if closing else comm.handle_msg, message)


def _handle(act: Any, message: dict[str, Any]) -> None:
    context.go_on()
    try:
        act(message)
    except Exception:  # noqa: BLE001 - the user's callback: said where the widget is, and the container lives on
        traceback.print_exc()
    process.on_printed_end(context.current_input_id())
