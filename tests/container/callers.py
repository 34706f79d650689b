"""A whole container whose caller is the test: it loads a class, calls it, hears what is shown, and answers."""

from __future__ import annotations

import socket
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

from modal_nb.protocol.codec import Codec, Message
from modal_nb.protocol.kinds import Kind
from modal_nb.protocol.launch_file import decode_launch, encode_launch
from modal_nb.protocol.output import Out, Told
from modal_nb.protocol.stream import Packet, Receiver, Sender, packet
from modal_nb.runtime import loader, payload
from modal_nb.runtime.partial_function import Mark, PartialFunction
from tests.container.processes import Supervised

ENTRY = "modal_nb.container.main:serve"
OK, ERROR, CANCELLED = 0, 1, 2


def method(function):
    return PartialFunction(function, Mark.METHOD)


def enter(function):
    return PartialFunction(function, Mark.ENTER)


class Heard(NamedTuple):
    """One packet of the container."""

    packet: Packet
    message: Message | None

    @property
    def kind(self) -> int:
        return self.packet.kind

    @property
    def msg_type(self) -> str:
        return self.message.msg_type if self.message else ""

    @property
    def data(self) -> dict[str, Any]:
        """Jupyter's content of what is shown."""
        assert self.message is not None
        shown: dict[str, Any] = self.message.content["data"]
        return shown

    @property
    def text(self) -> str:
        return str(self.data["text"]) if self.msg_type == "stream" else ""


class Stream:
    """One of the container's two connections."""

    def __init__(self, server: socket.socket) -> None:
        self._sock, _ = server.accept()
        self._sock.settimeout(30)
        self._receiver, self.sender = Receiver(self._sock), Sender(self._sock)
        self._packets: list[Packet] = []
        self.next()  # its hello

    def next(self) -> Packet:
        while not self._packets:
            self._packets += self._receiver.read()
        return self._packets.pop(0)

    def close(self) -> None:
        self._sock.close()


class Called(Supervised):
    """A container that serves ``cls``."""

    def __init__(
        self, folder: Path, cls: type, *, out: int = Out.NONE, slots: int = 1, batched: Any = ()
    ) -> None:
        super().__init__(folder, "", namespace=False)
        launch = decode_launch(self.launch_file.read_bytes())
        logs = folder / "logs"
        logs.mkdir()
        self.launch_file.write_bytes(encode_launch(launch._replace(entry=ENTRY, logs=str(logs))))
        self.environ |= {"MODAL_TASK_ID": "ta-test"}
        self.environ.pop("MPLBACKEND", None)
        self.codec = Codec(bytes.fromhex(self.token), "test")
        self.start()
        self._call = Stream(self.server)
        frames = loader.dump_class(cls)
        parameters = payload.dumps({})
        content = {
            "class_frames": len(frames),
            "parameter_frames": len(parameters),
            "where": "",
            "max_inputs": slots,
            "batched": list(batched),
            "out": int(out),
        }
        load = self.codec.pack("load_request", content, [*frames, *parameters])
        self._call.sender.send(packet(Kind.LOAD, load))
        self.while_starting = []
        self._control: Stream | None = None
        self._control = Stream(self.server)
        self.while_starting = self.until(lambda heard: heard.kind == Kind.READY)

    def send(
        self, number: int, method: str, *args: Any, out: int = Out.RICH, stream: bool = False, flags: int = 0
    ) -> None:
        """One input; ``flags``: as of its packet."""
        content = {"method": method, "call": f"fc-t-{number}", "first": 0, "out": int(out)}
        if stream:
            content["stream"] = True
        if not out:
            del content["out"]
        frames = self.codec.pack("call_request", content, payload.dumps_arguments(args, {}))
        self._call.sender.send(packet(Kind.INPUT, frames, number=number, extra=1, flags=flags))

    def cancel(self, number: int) -> None:
        assert self._control is not None
        self._control.sender.send(packet(Kind.CANCEL_INPUT, number=number, extra=1))

    def drain(self) -> None:
        assert self._control is not None
        self._control.sender.send(packet(Kind.DRAIN))

    def tell(self, msg_type: str, data: dict[str, Any], buffers: Any = ()) -> None:
        """What a front end says, or the answer of a person."""
        assert self._control is not None
        frames = self.codec.pack(msg_type, Told(data=data).content(), buffers)
        self._control.sender.send(packet(Kind.TELL, frames))

    def answer(self, asked: Heard, value: str) -> None:
        self.tell("input_reply", {"ask": asked.data["ask"], "value": value})

    def hear(self) -> Heard:
        """The next packet, whatever it is."""
        said = self._call.next()
        return Heard(said, self.codec.open(said.frames()) if said.parts else None)

    def until(self, wanted: Callable[[Heard], bool]) -> list[Heard]:
        """All packets up to this one."""
        found = [self.hear()]
        while not wanted(found[-1]):
            found.append(self.hear())
        return found

    def until_reply(self, number: int) -> list[Heard]:
        return self.until(lambda heard: heard.kind == Kind.REPLY and heard.packet.number == number)

    def until_shown(self, msg_type: str) -> list[Heard]:
        return self.until(lambda heard: heard.msg_type == msg_type)

    def call(self, number: int, method: str, *args: Any, **options: Any) -> list[Heard]:
        self.send(number, method, *args, **options)
        return self.until_reply(number)

    def close(self) -> None:
        for stream in (self._call, self._control):
            with suppress(AttributeError, OSError):
                stream.close()  # type: ignore[union-attr]
        super().close()


def value(heard: Heard) -> Any:
    """The result of a REPLY."""
    assert heard.message is not None
    assert heard.packet.flags == OK, heard.message.content
    return payload.loads(heard.message.buffers)


def text_of(heard: list[Heard], name: str = "") -> str:
    """All that was printed."""
    return "".join(one.text for one in heard if one.msg_type == "stream" and name in {"", one.data["name"]})
