"""Who is who: checks a hello and gives the link its owner, then passes on what clients send."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable
from functools import partial

import msgspec

from modal_nb.protocol import messages as ms
from modal_nb.protocol.codec import Codec, Message, MessageRefused
from modal_nb.protocol.kinds import load_total
from modal_nb.protocol.stream import Kind, Packet, Result, packet
from modal_nb.scheduler.effects import FailureKind
from modal_nb.supervisor import reports
from modal_nb.supervisor.gateway import Link
from modal_nb.supervisor.handlers import Handlers
from modal_nb.supervisor.kernel_link import KernelLink
from modal_nb.supervisor.reactor import Reactor
from modal_nb.supervisor.records import App, Client, Container, Pool
from modal_nb.supervisor.settings import Settings

log = logging.getLogger("modal_nb.supervisor")


class Reception:
    """Introduces links; the packet's number says whose key to check with (0: a client, else a container)."""

    def __init__(
        self,
        codec: Codec,
        settings: Settings,
        epoch: str,
        reactor: Reactor,
        handlers: Handlers,
        kernels: KernelLink,
    ) -> None:
        self._codec = codec
        self._settings = settings
        self._epoch = epoch
        self._reactor = reactor
        self._handlers = handlers
        self._kernels = kernels

    def greet(self, link: Link, first: Packet) -> None:
        """The first packet of a connection. Raises MessageRefused."""
        if first.kind != Kind.HELLO:
            raise MessageRefused("the first packet is not a hello")
        container = self._reactor.fleet.find(first.number) if first.number else None
        if first.number and container is None:
            raise MessageRefused(f"hello of container {first.number}, which does not live here")
        codec = container.pool.app.codec if container else self._codec
        hello = _hello(codec.open(first.frames()))
        if container is not None:
            self._greet_container(link, hello, container)
        elif hello.role == "client":
            self._greet_client(link, hello, self._codec)
        else:
            raise MessageRefused(f"a hello as {hello.role!r}")

    def _greet_container(self, link: Link, hello: ms.Hello, container: Container) -> None:
        if self._reactor.fleet.owner_of_lease(container.number, hello.token) is None:
            raise MessageRefused(f"container {container.number} shows a wrong token")
        if hello.role == "nested":
            self._greet_client(link, hello, container.pool.app.codec, container)
            return
        self._kernels.greet(container, hello, link)

    def _greet_client(
        self, link: Link, hello: ms.Hello, codec: Codec, container: Container | None = None
    ) -> None:
        number = self._reactor.scheduler.next_number()
        client = Client(number, hello.pid, link, codec, container=container, session=hello.session)
        former = self._former(client)
        self._handlers.clients[client.number] = client
        link.on_packet = lambda said: self._client(client, said)
        link.on_end = lambda: self._handlers.lost(client)
        log.info("client number=%d pid=%d version=%s", client.number, hello.pid, hello.version)
        self._when_gone(former, lambda: self._welcome(client))

    def _welcome(self, client: Client) -> None:
        welcome = ms.Welcome(
            client=client.number,
            version=self._settings.version,
            pid=os.getpid(),
            epoch=self._epoch,
            payload_bound=self._settings.payload_bound,
        )
        client.link.send(packet(Kind.WELCOME, client.codec.pack("hello_reply", welcome.content())))

    def _former(self, client: Client) -> list[App]:
        """The apps of earlier connections of the same client process; they end, if they have not yet."""
        if not client.session or client.container is not None:
            return []
        for other in list(self._handlers.clients.values()):
            if other.session == client.session and other.container is None:
                other.link.close()
        mine = client.session
        former = [app for app in self._reactor.apps.values() if app.owner and app.owner.session == mine]
        for app in former:
            self._handlers.lingering.end(app)
        return former

    def _when_gone(self, apps: list[App], then: Callable[[], None]) -> None:
        """A client that comes back sends its calls again: first the containers that may still run them must end."""
        left = {app.number for app in apps}
        if not left:
            then()

        def gone(number: int) -> None:
            left.discard(number)
            if not left:
                then()

        for app in apps:
            app.on_gone.append(partial(gone, app.number))

    def _client(self, client: Client, said: Packet) -> None:
        if said.kind in (Kind.CALL, Kind.SPAWN):
            self._call(client, said)
        elif said.kind == Kind.PINNED:
            self._pinned(client, said)
        elif said.kind == Kind.ATTACH:
            self._handlers.durable.attach(client, said)
        elif said.kind == Kind.CANCEL:
            if not self._handlers.durable.detach(client, said.number):
                self._reactor.cancel(client, said.number, terminate=bool(said.flags & 1))
        elif said.kind == Kind.MORE:
            self._reactor.streams.more(client, said.number, load_total(said.frames()))
        elif said.kind == Kind.TELL:
            self._reactor.outputs.tell(client, said)
        elif said.kind == Kind.REQUEST:
            message = client.codec.open(said.frames())
            content = self._handlers.answer(client, said.number, message)
            if content is not None:
                reports.answer(client, said.number, content)
        else:
            raise MessageRefused(f"a client may not send packets of kind {said.kind}")

    def _call(self, client: Client, call: Packet) -> None:
        """Calls are not opened here: the container checks who signed them."""
        pool = self._reactor.pools.get(call.extra)
        if pool is not None and call.count and (not pool.superseded or _own(client, pool)):
            if call.flags > len(pool.spec.batching):
                raise MessageRefused(f"pool {call.extra} has no batched method {call.flags}")
            if call.kind == Kind.SPAWN:
                self._handlers.durable.spawn(client, call, pool)
            else:
                self._reactor.arrive(client, call)
            return
        place = {"number": call.number, "extra": call.extra, "first": call.first, "count": call.count}
        client.link.send(packet(Kind.RESULT, (), flags=Result.UNKNOWN_POOL, **place))

    def _pinned(self, client: Client, call: Packet) -> None:
        """Whose container is gone, or is not theirs, is told the same; it is signed as their own calls are."""
        container = self._reactor.fleet.containers.get(call.extra)
        if container is not None and client.may_use(container.pool.app):
            self._reactor.arrive_pinned(client, container, call)
            return
        pool = self._reactor.pools.get(call.parent)
        codec = pool.app.codec if pool is not None and client.may_use(pool.app) else client.codec
        frames = codec.pack("call_reply", ms.Failure(kind=FailureKind.CONTAINER_GONE.value).content())
        client.link.send(packet(Kind.RESULT, frames, number=call.number, flags=Result.FAILURE))


def _own(client: Client, pool: Pool) -> bool:
    """Containers of an older version go on calling each other as long as they live."""
    return client.container is not None and client.container.pool is pool


def _hello(message: Message) -> ms.Hello:
    try:
        hello = msgspec.convert(message.content, ms.Hello)
    except msgspec.ValidationError as error:
        raise MessageRefused(f"not a hello: {error}") from None
    if hello.protocol != ms.PROTOCOL:
        raise MessageRefused(f"protocol {hello.protocol}, this supervisor speaks {ms.PROTOCOL}")
    return hello
