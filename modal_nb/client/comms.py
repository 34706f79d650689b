"""Widgets whose Python side lives in a container: for each of their comms a proxy in the comm manager of this kernel.

The front end takes it for a widget of this kernel. What it says to the comm goes to the container; what the container
says goes out as this kernel's, from the cell that made the call.
"""

from __future__ import annotations

import logging
import weakref
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from modal_nb.client.screens import Piece, Screen
from modal_nb.client.surfaces import CellSurface
from modal_nb.protocol.codec import Frame
from modal_nb.protocol.output import Told

if TYPE_CHECKING:
    from modal_nb.client.running import RunningApp

log = logging.getLogger("modal_nb.client")


class Comms:
    """Of one relay."""

    def __init__(self, tell: Callable[[RunningApp, int, str, Told, Sequence[Frame]], None]) -> None:
        self.tell = tell
        #: containers of which the supervisor said that they are gone: their ids, for another supervisor may give their
        #: numbers to others
        self._gone: set[str] = set()
        #: container -> the proxy that was used last
        self._used: dict[int, Proxy] = {}
        #: the cells in which that was said, and of which containers
        self._said: weakref.WeakKeyDictionary[Screen, set[str]] = weakref.WeakKeyDictionary()

    def add(self, app: RunningApp, screen: Screen, container: int, piece: Piece) -> None:
        """Show a comm message of a container; where there are no widgets it goes nowhere."""
        surface = screen.surface
        if not isinstance(surface, CellSurface) or not hasattr(surface.kernel, "comm_manager"):
            return
        manager = surface.kernel.comm_manager
        proxy = Proxy(self, app, screen, container, piece)
        first = partial(_may_show, manager, proxy, piece.msg_type)
        screen.add(piece._replace(data=_for_cell(piece.data, surface.parent), first=first))

    def used(self, proxy: Proxy) -> bool:
        """A front end speaks to it; False if its container has ended, which the cell is told."""
        self._used[proxy.container] = proxy
        if proxy.label in self._gone:
            self.gone(proxy.container)
            return False
        return True

    def gone(self, container: int) -> None:
        """A front end spoke to a widget whose container has ended: say it once, where the widget is."""
        proxy = self._used.pop(container, None)
        if proxy is None:
            return
        self._gone.add(proxy.label)
        said = self._said.setdefault(proxy.screen, set())
        if proxy.label not in said:
            said.add(proxy.label)
            text = f"[{proxy.label} has ended, so its widgets answer no more: run the cell again]\n"
            proxy.screen.add(Piece("", "stream", {"name": "stderr", "text": text}, {}, []))


class Proxy:
    """What a kernel's comm manager holds for one comm of a container: as much of a comm as the manager uses."""

    def __init__(self, comms: Comms, app: RunningApp, screen: Screen, container: int, opened: Piece) -> None:
        self.comm_id = str(opened.data.get("comm_id"))
        self.target_name = str(opened.data.get("target_name", ""))
        self.screen, self.container, self.label = screen, container, opened.container
        self._comms, self._app = comms, app
        #: set by the comm manager
        self._closed = False

    def has_same_home(self, other: object) -> bool:
        """Whether both are of one container."""
        return isinstance(other, Proxy) and (other.container, other.label) == (self.container, self.label)

    def handle_msg(self, message: Mapping[str, Any]) -> None:
        """Called by the kernel: the front end did something to the widget."""
        self._tell("comm_msg", message)

    def handle_close(self, message: Mapping[str, Any]) -> None:
        """Called by the kernel: the front end closed it."""
        self._tell("comm_close", message)

    def _tell(self, msg_type: str, message: Mapping[str, Any]) -> None:
        if self._comms.used(self):
            told = Told(data=dict(message["content"]), metadata=dict(message.get("metadata") or {}))
            self._comms.tell(self._app, self.container, msg_type, told, list(message.get("buffers") or ()))


def _may_show(manager: Any, proxy: Proxy, msg_type: str) -> bool:
    """On the output thread: a container opens new comms, and speaks to and closes those that it has opened. Comms of
    the notebook itself and of other containers are out of its reach.
    """
    found = manager.comms.get(proxy.comm_id)
    if not proxy.has_same_home(found):
        if found is not None or msg_type != "comm_open":
            log.warning("%s of %s left out: its comm is not of that container", msg_type, proxy.label)
            return False
        manager.register_comm(proxy)
    elif msg_type == "comm_close":
        del manager.comms[proxy.comm_id]
    return True


def _for_cell(data: dict[str, Any], parent: Mapping[str, Any]) -> dict[str, Any]:
    """An ``Output`` widget takes in what has this message as its parent: here that is the cell, not the input."""
    said = data.get("data")
    state = said.get("state") if isinstance(said, dict) else None
    if not isinstance(said, dict) or not isinstance(state, dict) or not state.get("msg_id"):
        return data
    own = parent.get("header", {}).get("msg_id", "")
    return {**data, "data": {**said, "state": {**state, "msg_id": own}}}
