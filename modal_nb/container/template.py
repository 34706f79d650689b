"""A memory snapshot: a process that has loaded the class and run its ``enter(snap=True)`` hooks, and is forked from.

It is started as a container is, says on a call stream of its own how far it is, and then waits. A container is a fork
of it, goes on with the plain enter hooks, and is somebody else in all that names it.
"""

from __future__ import annotations

from contextvars import copy_context

from modal_nb.container import snapshot
from modal_nb.container.answers import body_bound
from modal_nb.container.main import START_FAILED, Container, Made, settled
from modal_nb.container.parent import Parent
from modal_nb.container.zygote import take_environment
from modal_nb.protocol.codec import Frame, Message
from modal_nb.protocol.forks import socket_in
from modal_nb.protocol.launch_file import LaunchFile, decode_launch
from modal_nb.protocol.stream import ConnectionEnded, Kind, Receiver, Sender, packet


def serve(launch: LaunchFile, connection_file: str, container: Container | None = None) -> int:
    """The entry of its launch file; returns an exit code, in each container that was forked from it, too.
    ``container``: the zygote's.
    """
    snapshot.keep_single()
    container = container or settled()
    container.be(launch, connection_file)
    template = Template(container)
    made = template.make()
    if made is None:
        return START_FAILED
    if why := template.obstacle():
        template.say(Kind.SNAPPED, [why.encode()])
        return 0
    parent = Parent(socket_in(connection_file), template.stream, container.warm)
    template.say(Kind.SNAPPED, [b""])
    request = parent.serve()
    take_environment(request.environ)
    template.refresh()
    container.be(decode_launch(request.launch), request.connection_file)
    return container.run(container.live(made), template.context)


class Template:
    """Its life until it is forked."""

    def __init__(self, container: Container) -> None:
        self.container = container
        self.stream = self.container.connect("call")
        self._sender = Sender(self.stream)
        self.container.output.sender = self._sender
        self._before = snapshot.Before()

    def make(self) -> Made | None:
        """Load the class and run the hooks that belong before a snapshot; None: they failed, and it has been said."""
        message = self._loaded()
        if message is None:
            return None
        self.container.begin_start(message)
        try:
            made = self.container.run(self._enter(message))
        except BaseException as failure:  # noqa: BLE001 - whatever it is, the caller must see it
            self.container.report(self.say, failure)
            return None
        self.container.output.end_start()
        self.container.output.pause()
        return made

    async def _enter(self, message: Message) -> Made:
        self.container.surroundings.begin()
        made = Made(message, self.container.load(message))
        self.say(Kind.LOADED)
        await made.service.enter_snap()
        self.context = copy_context()
        return made

    def obstacle(self) -> str:
        """Why containers cannot be forked from here; empty: they can."""
        self.refresh = snapshot.Refresh(self._before)
        return self._before.obstacle()

    def _loaded(self) -> Message | None:
        receiver = Receiver(self.stream, body_bound())
        try:
            while True:
                for one in receiver.read():
                    if one.kind == Kind.LOAD:
                        return self.container.open(one)
        except (ConnectionEnded, OSError):
            return None  # the supervisor is gone

    def say(self, kind: Kind, frames: list[Frame] | None = None) -> None:
        self._sender.send(packet(kind, frames or ()))
