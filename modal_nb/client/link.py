"""One connection of this process to the supervisor: callers send by themselves, one thread reads."""

from __future__ import annotations

import contextlib
import itertools
import os
import socket
import threading
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import msgspec

from modal_nb import exception
from modal_nb.client.interrupts import await_event
from modal_nb.client.listening import Listening, Waiting
from modal_nb.protocol import messages as ms
from modal_nb.protocol.codec import Codec, Frame, MessageRefused
from modal_nb.protocol.requests import MSG_TYPES
from modal_nb.protocol.stream import (
    BODY_LIMIT,
    ConnectionEnded,
    Kind,
    Packet,
    Receiver,
    Result,
    Sender,
    body_limit,
    packet,
)

T = TypeVar("T", bound=ms.Content)

_HELLO_TIMEOUT = 10.0
#: results that end the wait of their caller
_OUTCOMES = frozenset({Result.REPLY, Result.FAILURE, Result.START_FAILED})


class LinkLost(Exception):
    """The supervisor went away before it answered."""


class Link:
    """Made by the session; dead once the supervisor is gone.

    ``on_result`` gets every RESULT packet and ``on_end`` is called once at the end, both on the reading thread.
    """

    def __init__(
        self,
        address: str,
        key: bytes,
        hello: ms.Hello,
        on_result: Callable[[Packet], None],
        on_end: Callable[[Link], None],
    ) -> None:
        """Connect to ``address`` and say hello, signed with ``key``.

        Raises OSError when nobody listens, LinkLost when the hello is not answered.
        """
        self._codec = Codec(key, f"client{os.getpid()}")
        self._on_result = on_result
        self._on_end = on_end
        self._sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 20)
        self._receiver = Receiver(self._sock, BODY_LIMIT, last=True)
        self.sender = Sender(self._sock)
        self._numbers = itertools.count(1)
        self._requests: dict[int, Request] = {}
        self._open = True
        #: gets the content of every REPORT packet, on the reading thread
        self.on_report: Callable[[dict[str, Any]], None] = lambda _: None
        #: gets every RESULT that is about what code shows, on the reading thread
        self.on_output: Callable[[Packet], None] = lambda _: None
        try:
            self._sock.connect(address)
            self.welcome = self._greet(hello)
        except BaseException:
            self._sock.close()
            raise
        self._listening = Listening(self._sock, self._receiver)
        self._reader = threading.Thread(target=self._read, name="modal_nb-reader", daemon=True)
        self._reader.start()

    def ask(
        self, content: ms.Content, answer: type[T], buffers: Sequence[Frame] = ()
    ) -> tuple[T, list[Frame]]:
        """Send a request and wait for its answer and the buffers of that.

        Raises LinkLost, or what the supervisor refused the request with.
        """
        request = Request(next(self._numbers))
        try:
            self.begin(request, content, buffers)
            await_event(request.done)
        finally:
            self.forget(request)
        return self.end(request, answer)

    def lead(self, number: int, who: Waiting) -> None:
        """Read the result of this call here, unless it does not come soon and alone, or another one reads.

        If it is interrupted, ``leave`` must follow, and the call be given up: its result may be lost.
        """
        try:
            one = self._listening.receive(who)
            if (
                one is not None
                and one.kind == Kind.RESULT
                and one.number == number
                and one.flags in _OUTCOMES
            ):
                self._listening.take()
                self._on_result(one)
        finally:
            self._listening.leave(who)

    def leave(self, who: object) -> None:
        """Its own thread reads again, if ``who`` has led."""
        self._listening.leave(who)

    def request(self, tell: Callable[[], object]) -> Request:
        """A request for ``begin``. ``tell`` is called on the reading thread when ``end`` has something to say."""
        return Request(next(self._numbers), tell)

    def begin(self, request: Request, content: ms.Content, buffers: Sequence[Frame] = ()) -> None:
        """Send it and do not wait; ``forget`` it in the end. Raises LinkLost."""
        frames = self._codec.pack(MSG_TYPES[type(content)], content.content(), buffers)
        self._requests[request.number] = request
        if not self._open:
            raise LinkLost
        try:
            self.sender.send(packet(Kind.REQUEST, frames, number=request.number))
        except OSError:
            raise LinkLost from None

    def forget(self, request: Request) -> None:
        """Nobody wants its answer any more."""
        self._requests.pop(request.number, None)

    def end(self, request: Request, answer: type[T]) -> tuple[T, list[Frame]]:
        """What ``ask`` returns or raises."""
        if request.answer is None:
            raise LinkLost
        message = self._codec.open(request.answer.frames())
        if message.msg_type == "refusal_reply":
            raise _refusal(msgspec.convert(message.content, ms.Refusal))
        return msgspec.convert(message.content, answer), message.buffers

    def close(self) -> None:
        """End the connection; ``on_end`` follows on the reading thread."""
        with contextlib.suppress(OSError):
            self._sock.shutdown(socket.SHUT_RDWR)

    def wait_closed(self, timeout: float | None = None) -> None:
        """Returns when the other side has closed the connection, and the owner has been told; or after seconds."""
        self._reader.join(timeout)

    def _greet(self, hello: ms.Hello) -> ms.Welcome:
        self._sock.settimeout(_HELLO_TIMEOUT)
        try:
            self.sender.send(
                packet(Kind.HELLO, self._codec.pack("hello_request", hello.content()), number=hello.container)
            )
            packets: list[Packet] = []
            while not packets:
                packets = self._receiver.read()
            message = self._codec.open(packets[0].frames())
        except (ConnectionEnded, TimeoutError, MessageRefused, OSError) as error:
            raise LinkLost(f"the supervisor does not answer a hello: {error}") from None
        self._sock.settimeout(None)
        welcome = msgspec.convert(message.content, ms.Welcome)
        self._receiver.limit = body_limit(welcome.payload_bound)
        return welcome

    def _read(self) -> None:
        try:
            while True:
                self._read_once()
        except (ConnectionEnded, MessageRefused, OSError):
            pass
        self._open = False
        self._listening.close()
        self._sock.close()
        self._receiver.forget()
        self.sender.forget()
        for request in list(self._requests.values()):
            request.told()
        self._on_end(self)

    def _read_once(self) -> None:
        """A function of its own, so that no packet, and no lease, is held until the next one comes."""
        for one in self._listening.read():
            if one.kind == Kind.RESULT and one.flags < Result.OUTPUT:
                self._on_result(one)
            elif one.kind == Kind.RESULT:
                self.on_output(one)
            elif one.kind == Kind.REPORT:
                self.on_report(self._codec.open(one.frames()).content)
            elif (request := self._requests.get(one.number)) is not None:
                request.answer = one
                request.told()


class Request:
    """A request that waits for its answer."""

    __slots__ = ("_tell", "answer", "done", "number")

    def __init__(self, number: int, tell: Callable[[], object] = lambda: None) -> None:
        self.number = number
        self._tell = tell
        self.done = threading.Event()
        self.answer: Packet | None = None

    def told(self) -> None:
        """The answer is there, or none will come."""
        self.done.set()
        self._tell()


def _refusal(refusal: ms.Refusal) -> Exception:
    kind = getattr(exception, refusal.error, exception.Error)
    error: Exception = kind(refusal.message)
    return error
