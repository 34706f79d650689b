"""What code of inputs shows, on its way to who called: text is gathered, all leaves in its order, and is bounded.

Nothing is made before the first word, and what an input has printed leaves before its reply does.
"""

from __future__ import annotations

import os
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any

from modal_nb.container.backlog import Backlog, Piece
from modal_nb.container.text import Text
from modal_nb.protocol.codec import EMPTY, Codec, Frame
from modal_nb.protocol.output import Out, Shown
from modal_nb.protocol.stream import Kind, Sender, packet, size_of
from modal_nb.runtime.context import process

#: seconds for which text gathers
_PAUSE = 0.1
#: bytes of text of one call that do not wait for that
_LARGE = 1 << 16
#: function calls whose callers are remembered: threads and widgets of ended inputs go on to show things
_MOST = 4096
_TOO_LARGE = "it takes {:.1f} MiB, over the limit of {:.1f} MiB: show less of it, or save it to a file"
#: the name of the container itself among the calls: what its enter hooks print
STARTING = ""


class Route:
    """Where the words of one function call go, and what of them has not left."""

    __slots__ = ("_backlog", "_text", "call", "header", "input", "number", "out")

    def __init__(self, call: str, number: int, out: int, header: Frame) -> None:
        """``number``: of an input of the call; ``header``: of the message that brought it."""
        self.call, self.number, self.out, self.header = call, number, out, header
        self.input = ""
        self._text: Text | None = None
        self._backlog: Backlog | None = None

    @property
    def text(self) -> Text:
        if self._text is None:
            self._text = Text(time.monotonic())
        return self._text

    @property
    def backlog(self) -> Backlog:
        if self._backlog is None:
            self._backlog = Backlog(time.monotonic())
        return self._backlog

    @property
    def behind(self) -> bool:
        """Something waits until there is room for it again."""
        return bool((self._text and self._text.left_out) or (self._backlog and self._backlog.behind))


class Output:
    """One per container. Any thread may call it; in a forked child it does nothing."""

    def __init__(self, codec: Codec, container_id: str = "") -> None:
        self._codec = codec
        #: function call -> where its words go, of those somebody looks at
        self.routes: OrderedDict[str, Route] = OrderedDict()
        #: routes with words that have not left, by call; looked at without the lock
        self.held: dict[str, Route] = {}
        #: whether a notebook has looked so far, and what is called when the first one does
        self.rich = False
        self.on_rich: Callable[[], None] = lambda: None
        self.be(container_id)
        os.register_at_fork(after_in_child=self._leave)

    def be(self, container_id: str) -> None:
        """In a forked child that is a container, too; what was shown before the fork has left."""
        self._container_id = container_id
        #: set once there is a connection
        self.sender: Sender | None = None
        #: guards what is held. One thread may come in twice: by a signal handler that prints
        self._lock = threading.RLock()
        #: held while words leave, so that they do in their order
        self._leaving = threading.RLock()
        self._wake, self._rest = threading.Event(), threading.Event()
        self._thread: threading.Thread | None = None
        self._ours = True

    def expect(self, call: str, number: int, out: int, header: Frame) -> None:
        """An input has come whose caller shows what it prints."""
        if out >= Out.RICH and not self.rich:
            self.rich = True
            self.on_rich()
        route = self.routes.get(call)
        if route is None:
            self.routes[call] = Route(call, number, out, header)
            if len(self.routes) > _MOST:
                self.routes.popitem(last=False)
        else:
            route.number, route.out, route.header = number, out, header

    def begin_start(self, out: int) -> None:
        """From now on what belongs to no input is shown, too: the class is loaded and entered."""
        if out:
            self.expect(STARTING, 0, out, EMPTY)

    def end_start(self) -> None:
        """The hooks are over."""
        self.settle(STARTING)
        self.routes.pop(STARTING, None)

    def pause(self) -> None:
        """No thread of ours runs on; the next word starts one."""
        thread, self._thread = self._thread, None
        if thread is not None:
            self._rest.set()
            self._wake.set()
            thread.join()
            self._rest.clear()

    def of(self, calls: Sequence[str]) -> list[Route]:
        """The routes of these calls; none in a forked child."""
        if not self._ours:
            return []
        return [route for call in calls if (route := self.routes.get(call)) is not None]

    def put(self, calls: Sequence[str], name: str, stream: int, data: bytes) -> None:
        """The input of this name has printed."""
        if not self._ours:
            return
        for call in calls:
            route = self.routes.get(call)
            if route is None:
                continue
            with self._lock:
                route.input = name or route.input
                size = route.text.add(stream, data)
                self.held[call] = route
            if size > _LARGE:
                self.settle(call)
            else:
                self._soon()

    def show(
        self,
        route: Route,
        name: str,
        msg_type: str,
        data: dict[str, Any],
        *,
        metadata: dict[str, Any] | None = None,
        buffers: Sequence[Any] = (),
    ) -> None:
        """One Jupyter message of the input of this name. TypeError for what JSON does not know, ValueError for what is
        too large.
        """
        if not self._ours:
            return
        route.input = name or route.input
        piece = Piece(msg_type, data, metadata or {}, [_flat(one) for one in buffers], route.input)
        piece.size = size_of(self._frames(route, piece))
        if process.payload_bound is not None and piece.size > process.payload_bound:
            raise ValueError(_TOO_LARGE.format(piece.size / 2**20, process.payload_bound / 2**20))
        with self._leaving:
            self._text_leaves(route)
            with self._lock:
                route.backlog.add(piece)
            self._pieces_leave(route)
        if route.behind:
            self.held[route.call] = route
            self._soon()

    def say(self, route: Route, msg_type: str, data: dict[str, Any], number: int) -> None:
        """At once and beside all bounds: a question. ``number``: the input that asks."""
        with self._leaving:
            self._text_leaves(route)
            self._send(number, self._frames(route, Piece(msg_type, data, {}, [], route.input)))

    def tell(self, kind: Kind, number: int, attempt: int, flags: int) -> None:
        """Say something of an input to the supervisor."""
        if self.sender is not None:
            self.sender.send(packet(kind, number=number, extra=attempt, flags=flags))

    def settle(self, call: str) -> None:
        """All that the call has printed leaves now, as far as it may."""
        route = self.held.get(call)
        if route is None or not self._ours:
            return
        with self._leaving:
            self._text_leaves(route, final=True)
            self._pieces_leave(route)
        if route.behind:
            self.held[call] = route
            self._soon()

    # -- leaving --------------------------------------------------------------------------------------------------

    def _text_leaves(self, route: Route, *, final: bool = False) -> None:
        with self._lock:
            self.held.pop(route.call, None)
            texts = route.text.take(time.monotonic(), final=final)
        for name, text in texts:
            self._send_piece(route, Piece("stream", {"name": name, "text": text}, {}, [], route.input))

    def _pieces_leave(self, route: Route) -> None:
        with self._lock:
            pieces = route.backlog.take(time.monotonic())
        for piece in pieces:
            self._send_piece(route, piece)

    def _send_piece(self, route: Route, piece: Piece) -> None:
        self._send(route.number, self._frames(route, piece))

    def _frames(self, route: Route, piece: Piece) -> list[Frame]:
        content = Shown(
            data=piece.data,
            metadata=piece.metadata,
            container=self._container_id,
            call=route.call,
            input=piece.input,
        ).content()
        return self._codec.pack(piece.msg_type, content, piece.buffers, route.header)

    def _send(self, number: int, frames: list[Frame]) -> None:
        with suppress(OSError):  # the supervisor is gone, and so is who looked
            if self.sender is not None:
                self.sender.send(packet(Kind.OUTPUT, frames, number=number))

    def _soon(self) -> None:
        if self._thread is None:
            with self._lock:
                if self._thread is None:
                    # started first: a cancel may raise between any two lines
                    thread = threading.Thread(target=self._run, name="modal_nb-output", daemon=True)
                    _START(thread)
                    self._thread = thread
        if not self._wake.is_set():
            self._wake.set()

    def _run(self) -> None:
        while True:
            self._wake.wait()
            if self._rest.wait(_PAUSE):
                return
            self._wake.clear()
            for route in list(self.held.values()):
                with self._leaving:
                    self._text_leaves(route)
                    self._pieces_leave(route)
                if route.behind:
                    self.held[route.call] = route
                    self._wake.set()

    def _leave(self) -> None:
        """In a forked child: its words are not its parent's, and the locks may be held."""
        self._ours = False


#: threads of the user are marked when they start; this one belongs to nobody
_START: Callable[[threading.Thread], None] = threading.Thread.start


def _flat(buffer: Any) -> memoryview:
    view = memoryview(buffer)
    return view.cast("B") if view.c_contiguous else memoryview(view.tobytes())


def looks(out: object) -> int:
    """The field ``out`` of a message as a number."""
    return out if isinstance(out, int) else Out.NONE
