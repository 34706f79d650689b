"""The life of a container's process: connect, load the class, enter, serve, exit."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import socket
from collections.abc import Callable, Coroutine
from contextvars import Context
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from modal_nb.container.attach import Attachment
from modal_nb.container.call_log import CallLog
from modal_nb.container.control import ControlStream
from modal_nb.container.guests import Guests
from modal_nb.container.inputs import InputStream
from modal_nb.container.memory_kills import MemoryNotes
from modal_nb.container.output import Output, looks
from modal_nb.container.passing import passing
from modal_nb.container.printing import install
from modal_nb.container.rehearsal import Rehearsal
from modal_nb.container.surroundings import Surroundings
from modal_nb.protocol.call_log import CallFiles
from modal_nb.protocol.codec import Codec, Frame, Message
from modal_nb.protocol.launch_file import LaunchFile
from modal_nb.protocol.messages import Hello
from modal_nb.protocol.stream import Kind, Packet, Sender, packet
from modal_nb.runtime import loader, payload
from modal_nb.runtime.attempt import Told
from modal_nb.runtime.context import ContainerLink, process
from modal_nb.runtime.failures import dump_failure
from modal_nb.runtime.runner import Runner
from modal_nb.runtime.service import Service
from modal_nb.spec.image import Image

log = logging.getLogger("modal_nb.container")
#: its lines go to the container's log and nowhere else: what they say is told to the caller as its exception
to_log = logging.getLogger("modal_nb.container.start")

T = TypeVar("T")

_FORMAT = "%(levelname)s %(message)s"

#: exit code of a container whose class could not be loaded or entered
START_FAILED = 1


def serve(launch: LaunchFile, connection_file: str, container: Container | None = None) -> int:
    """In the kernel's process; returns the exit code. ``container``: the zygote's, settled and nobody's yet."""
    container = container or settled()
    container.be(launch, connection_file)
    return container.run(container.live())


def settled() -> Container:
    """What a process has before it is known which container it will be."""
    container = Container()
    container.settle()
    return container


def _below_output() -> logging.Handler:
    """Writes to the descriptor itself: below what is shown to callers."""
    handler = logging.StreamHandler(os.fdopen(2, "w", encoding="utf-8", errors="replace", closefd=False))
    handler.setFormatter(logging.Formatter(_FORMAT))
    return handler


class Failures:
    """What the container does about what user code raised, before it travels."""

    def __init__(self, *acts: Callable[[BaseException], None]) -> None:
        self._acts = acts

    def __call__(self, error: BaseException) -> None:
        for act in self._acts:
            act(error)


@dataclass(slots=True)
class Made:
    """What came of a LOAD message."""

    message: Message
    service: Service


class Container:
    """One container from its first connection to its exit hooks."""

    def __init__(self) -> None:
        self._launch: LaunchFile
        self._connection_file = ""
        self._id = ""
        self._codec = Codec(b"nobody", "")
        self._drained = asyncio.Event()
        self._stream: InputStream | None = None
        self._runner: asyncio.Runner | None = None
        #: of a parent: what each of its kernels does while it is not wanted yet
        self.rehearse: Rehearsal | None = None
        self._notes = MemoryNotes()
        #: where what user code shows leaves
        self.output = Output(self._codec)
        self._log = CallLog()
        self.surroundings = Surroundings(self._codec, self.output, self._attempt_of)

    def settle(self) -> None:
        """Once in a process, before any code of the user is there."""
        install(self._log, self.output)
        logging.basicConfig(level=logging.WARNING, format=_FORMAT)
        to_log.addHandler(_below_output())
        to_log.propagate = False
        process.pass_on = partial(passing, self.output)
        Image.inside_container = True
        self.surroundings.install()

    def be(self, launch: LaunchFile, connection_file: str) -> None:
        """Be this one; in a fork of another container, instead of that."""
        self._launch, self._connection_file = launch, connection_file
        self._id = os.environ["MODAL_TASK_ID"]
        self._codec.be(bytes.fromhex(launch.key), self._id)
        self.output.be(self._id)
        self._log.be(CallFiles(Path(launch.logs), self._id) if launch.logs else None)
        process.enter_container(self._id)
        process.payload_bound = launch.payload_bound
        # until the runner is there, an interrupt hits nothing; ipykernel's default would be to die
        signal.signal(signal.SIGINT, signal.SIG_IGN)

    def warm(self) -> None:
        """In a process that waits to be told which container it is: what every one does first is done by then."""
        self._runner = asyncio.Runner()
        self._runner.get_loop()
        if self.rehearse is not None:
            self.rehearse()

    def run(self, life: Coroutine[Any, Any, T], context: Context | None = None) -> T:
        """``context``: what hooks have left in a process that this one is a fork of."""
        runner, self._runner = self._runner or asyncio.Runner(), None
        with runner:
            return runner.run(life, context=context)

    async def live(self, made: Made | None = None) -> int:
        """The whole life; the exit code. ``made``: from a snapshot, so that nothing is loaded."""
        stream = self._stream = InputStream(self.connect("call"), self._codec, self._id, self.output)
        self.surroundings.begin()
        try:
            message = made.message if made is not None else await self._loaded(stream)
            if message is None:
                return START_FAILED
            self.begin_start(message)
            if made is None:
                made = Made(message, self.load(message))
            stream.say(Kind.LOADED)
            runner, slots = await self._enter(stream, made)
        except BaseException as failure:  # noqa: BLE001 - whatever it is, the caller must see it
            self.report(stream.say, failure)
            return START_FAILED
        stream.serve(runner, slots, frozenset(made.message.content.get("batched", ())))
        control = ControlStream(
            self.connect("control"),
            cancel=stream.cancel,
            recall=stream.give_back,
            more=stream.streams.allow,
            drain=partial(_drain, asyncio.get_running_loop(), stream, self._drained),
            tell=self.surroundings.told,
        )
        stream.say(Kind.READY)
        control.start()
        self._notes.begin()
        await self._until_told(stream)
        for error in await made.service.stop():
            log.error("an exit hook failed", exc_info=error)
        return 0

    async def _enter(self, stream: InputStream, made: Made) -> tuple[Runner, int]:
        """Run the enter hooks; gives what runs inputs, and how many side by side."""
        service, slots = made.service, int(made.message.content.get("max_inputs", 1))
        runner = Runner(service, threaded=slots > 1, told=_told(made.message))
        runner.install()
        attachment = Attachment(
            self._connection_file,
            {"self": service.instance},
            stream.serve_jupyter,
            on_interrupt=runner.on_interrupt,
            on_shutdown=lambda: stream.drain(self._drained.set),
            output=self.output,
        )
        guests = Guests(service, attachment.shell, runner.cancel)
        process.on_failure = Failures(self._notes, guests.failed)
        attachment.listen(asyncio.get_running_loop())
        await service.start()
        self.output.end_start()
        self.surroundings.complete(attachment, slots, runner.is_cancelled)
        return runner, slots

    def _attempt_of(self, number: int) -> int | None:
        return None if self._stream is None else self._stream.attempt_of(number)

    def connect(self, role: str) -> socket.socket:
        """A stream of its own to the supervisor, opened with a signed hello."""
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        sock.connect(self._launch.socket)
        hello = Hello(role=role, pid=os.getpid(), container=self._launch.container, token=self._launch.token)
        frames = self._codec.pack("hello_request", hello.content())
        Sender(sock).send(packet(Kind.HELLO, frames, number=self._launch.container))
        return sock

    async def _loaded(self, stream: InputStream) -> Message | None:
        """The LOAD message; None when the supervisor went away first."""
        await asyncio.wait([stream.loaded, stream.ended], return_when=asyncio.FIRST_COMPLETED)
        return stream.loaded.result() if stream.loaded.done() else None

    def open(self, packet: Packet) -> Message:
        """Raises MessageRefused."""
        return self._codec.open(packet.frames())

    def load(self, message: Message) -> Service:
        """The class and its parameters, as an instance that no hook has run on."""
        content: dict[str, Any] = message.content
        at, end = content["class_frames"], content["class_frames"] + content["parameter_frames"]
        cls = loader.load_class(message.buffers[:at])
        return Service(cls, payload.loads(message.buffers[at:end]))

    def begin_start(self, message: Message) -> None:
        """Whoever waits sees what is printed from here on; and nested calls find their way."""
        self.output.begin_start(looks(message.content.get("out")))
        launch = self._launch
        key, where = bytes.fromhex(launch.key), message.content["where"]
        process.link = ContainerLink(launch.socket, key, launch.container, launch.token, where)

    def report(self, say: Callable[[Kind, list[Frame]], None], error: BaseException) -> None:
        """The start failed."""
        to_log.error("the start failed", exc_info=error)
        self.output.end_start()
        content, frames = dump_failure(error)
        said = {"status": "error", "container": self._id, **content}
        say(Kind.START_FAILED, self._codec.pack("call_reply", said, frames))

    async def _until_told(self, stream: InputStream) -> None:
        drained: asyncio.Future[Any] = asyncio.ensure_future(self._drained.wait())
        await asyncio.wait([drained, stream.ended], return_when=asyncio.FIRST_COMPLETED)
        drained.cancel()


def _drain(loop: asyncio.AbstractEventLoop, stream: InputStream, drained: asyncio.Event) -> None:
    """On the control thread: have the main loop end it in good order."""
    loop.call_soon_threadsafe(stream.drain, drained.set)


def _told(message: Message) -> Told:
    """What its retry policy counts came behind class and parameters; nothing came: there is no policy."""
    at = message.content["class_frames"] + message.content["parameter_frames"]
    return Told(payload.loads(message.buffers[at:]) if len(message.buffers) > at else ())
