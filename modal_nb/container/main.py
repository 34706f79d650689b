"""The life of a container's process: connect, load the class, enter, serve, exit."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import socket
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from modal_nb.container.attach import Attachment
from modal_nb.container.call_log import CallLog
from modal_nb.container.control import ControlStream
from modal_nb.container.guests import Guests
from modal_nb.container.inputs import InputStream
from modal_nb.container.memory_kills import MemoryNotes
from modal_nb.container.output import Output, looks
from modal_nb.container.passing import passing
from modal_nb.container.printing import install
from modal_nb.container.surroundings import Surroundings
from modal_nb.protocol.call_log import CallFiles
from modal_nb.protocol.codec import Codec, Message
from modal_nb.protocol.launch_file import LaunchFile
from modal_nb.protocol.messages import Hello
from modal_nb.protocol.stream import Kind, Sender, packet
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

_FORMAT = "%(levelname)s %(message)s"

#: exit code of a container whose class could not be loaded or entered
START_FAILED = 1


def serve(launch: LaunchFile, connection_file: str) -> int:
    """Called by the launcher in the kernel's process; returns the exit code."""
    container = Container(launch, connection_file)
    logs = CallLog(CallFiles(Path(launch.logs), os.environ["MODAL_TASK_ID"])) if launch.logs else None
    install(logs, container.output)
    logging.basicConfig(level=logging.WARNING, format=_FORMAT)
    to_log.addHandler(_below_output())
    to_log.propagate = False
    process.enter_container(os.environ["MODAL_TASK_ID"])
    process.payload_bound = launch.payload_bound
    process.pass_on = partial(passing, container.output)
    Image.inside_container = True
    # until the runner is there, an interrupt hits nothing; ipykernel's default would be to die
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    return asyncio.run(container.live())


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


class Container:
    """One container from its first connection to its exit hooks."""

    def __init__(self, launch: LaunchFile, connection_file: str) -> None:
        self._launch = launch
        self._connection_file = connection_file
        self._id = os.environ["MODAL_TASK_ID"]
        self._codec = Codec(bytes.fromhex(launch.key), self._id)
        self._drained = asyncio.Event()
        #: where what user code shows leaves
        self.output = Output(self._codec, self._id)

    async def live(self) -> int:
        """The whole life; the exit code."""
        loop = asyncio.get_running_loop()
        stream = InputStream(self._connect("call"), self._codec, self._id, self.output)
        surroundings = Surroundings(self._codec, self.output, stream.attempt_of)
        message = await self._loaded(stream)
        if message is None:
            return START_FAILED
        self.output.begin_start(looks(message.content.get("out")))
        try:
            service = self._load(message)
            stream.say(Kind.LOADED)
            slots = int(message.content.get("max_inputs", 1))
            runner = Runner(service, threaded=slots > 1, told=self._told(message))
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
            process.on_failure = Failures(MemoryNotes(), guests.failed)
            attachment.listen(loop)
            await service.start()
            self.output.end_start()
            surroundings.complete(attachment, slots, runner.is_cancelled)
        except BaseException as failure:  # noqa: BLE001 - whatever it is, the caller must see it
            self._report_start(stream, failure)
            return START_FAILED
        stream.serve(runner, slots, frozenset(message.content.get("batched", ())))
        ControlStream(
            self._connect("control"),
            cancel=stream.cancel,
            recall=stream.give_back,
            more=stream.streams.allow,
            drain=lambda: _drain(loop, stream, self._drained),
            tell=surroundings.told,
        ).start()
        stream.say(Kind.READY)
        await self._until_told(stream)
        for error in await service.stop():
            log.error("an exit hook failed", exc_info=error)
        return 0

    def _connect(self, role: str) -> socket.socket:
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

    def _load(self, message: Message) -> Service:
        content: dict[str, Any] = message.content
        launch = self._launch
        process.link = ContainerLink(
            launch.socket, bytes.fromhex(launch.key), launch.container, launch.token, content["where"]
        )
        at, end = content["class_frames"], content["class_frames"] + content["parameter_frames"]
        cls = loader.load_class(message.buffers[:at])
        parameters = payload.loads(message.buffers[at:end])
        return Service(cls, parameters)

    def _told(self, message: Message) -> Told:
        """What its retry policy counts came behind class and parameters; nothing came: there is no policy."""
        at = message.content["class_frames"] + message.content["parameter_frames"]
        return Told(payload.loads(message.buffers[at:]) if len(message.buffers) > at else ())

    def _report_start(self, stream: InputStream, error: BaseException) -> None:
        to_log.error("the start failed", exc_info=error)
        self.output.end_start()
        content, frames = dump_failure(error)
        said = {"status": "error", "container": self._id, **content}
        stream.say(Kind.START_FAILED, self._codec.pack("call_reply", said, frames))

    async def _until_told(self, stream: InputStream) -> None:
        drained: asyncio.Future[Any] = asyncio.ensure_future(self._drained.wait())
        await asyncio.wait([drained, stream.ended], return_when=asyncio.FIRST_COMPLETED)
        drained.cancel()


def _drain(loop: asyncio.AbstractEventLoop, stream: InputStream, drained: asyncio.Event) -> None:
    """On the control thread: have the main loop end it in good order."""
    loop.call_soon_threadsafe(stream.drain, drained.set)
