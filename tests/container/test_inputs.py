"""The call stream as the supervisor sees it: what is said of an input when orders and inputs cross on their way."""

from __future__ import annotations

import asyncio
import contextvars
import socket
from contextlib import asynccontextmanager

import pytest

from modal_nb.container.inputs import InputStream
from modal_nb.protocol.codec import Codec
from modal_nb.protocol.stream import Kind, Receiver, Sender, packet
from modal_nb.runtime.payload import dumps_arguments, dumps_chunk, loads
from modal_nb.runtime.runner import Runner
from modal_nb.runtime.service import Service
from tests.runtime.model import method

flavour = contextvars.ContextVar("flavour", default="none")
OK, CANCELLED = 0, 2
#: far more than a container remembers of what is over
MANY = 300


class Model:
    """Code of a user."""

    def ready(self):
        self.began, self.gate = [], asyncio.Event()
        return self

    @method
    async def hold(self, x):
        self.began.append(x)
        await self.gate.wait()
        return x

    @method
    async def quick(self, x):
        return x

    @method
    def plain(self, x):
        return flavour.get()


class Supervisor:
    """The other end of the stream."""

    def __init__(self, sock):
        self._sock, self._codec = sock, Codec(b"k" * 32, "test")
        self._receiver, self._sender = Receiver(sock), Sender(sock)
        self._heard = []

    def send(self, number, name, values, *, attempt=1, first=0, following=None):
        """One input for each value, as one message; ``following``: how many more of its batch come."""
        frames = (
            dumps_arguments((values[0],), {})
            if len(values) == 1
            else dumps_chunk([((x,), {}) for x in values])
        )
        message = self._codec.pack("call_request", {"method": name, "call": "fc-1", "first": first}, frames)
        flags = 0 if following is None else following + 1
        self._sender.send(
            packet(Kind.INPUT, message, number=number, extra=attempt, count=len(values), flags=flags)
        )

    async def hear(self, kind):
        """The next packet; it is of this kind."""
        while not self._heard:
            try:
                self._heard += self._receiver.read()
            except BlockingIOError:
                await asyncio.sleep(0.001)
        said = self._heard.pop(0)
        assert said.kind == kind, said
        return said

    def value(self, said):
        return loads(self._codec.open(said.frames()).buffers)


@asynccontextmanager
async def served(slots=1, batched=()):
    """A container's stream that serves Model, and its other end."""
    here, there = socket.socketpair()
    with here, there:
        stream = InputStream(here, Codec(b"k" * 32, "container"), "ct-1")
        there.setblocking(False)
        runner = Runner(Service(Model), threaded=slots > 1)
        instance = runner.service.instance.ready()
        flavour.set("of an enter hook")
        stream.serve(runner, slots, batched)
        yield stream, Supervisor(there), instance
        asyncio.get_running_loop().remove_reader(here)


async def begun(instance, count):
    while len(instance.began) < count:  # noqa: ASYNC110 - a plain list of the user's class
        await asyncio.sleep(0.001)


def test_an_input_that_runs_is_not_given_back_however_many_came_since():
    """All of the chunk has begun. Said to be unread it would run a second time beside this one."""

    async def run():
        async with served(slots=8) as (stream, supervisor, instance):
            supervisor.send(1, "hold", ["only"])
            await begun(instance, 1)
            for number in range(2, MANY):
                supervisor.send(number, "quick", [number])
                assert (await supervisor.hear(Kind.REPLY)).number == number
            stream.give_back(1, 1)
            instance.gate.set()
            assert (await supervisor.hear(Kind.REPLY)).number == 1
            assert instance.began == ["only"]

    asyncio.run(run())


def test_of_a_chunk_that_runs_the_rest_is_given_back_however_many_came_since():
    async def run():
        async with served(slots=8) as (stream, supervisor, instance):
            supervisor.send(1, "hold", ["a", "b", "c"])
            await begun(instance, 1)
            for number in range(2, MANY):
                supervisor.send(number, "quick", [number])
                await supervisor.hear(Kind.REPLY)
            stream.give_back(1, 1)
            assert (await supervisor.hear(Kind.RETURNED)).first == 1
            stream.give_back(1, 1)
            instance.gate.set()
            assert (await supervisor.hear(Kind.REPLY)).count == 1
            assert instance.began == ["a"]

    asyncio.run(run())


@pytest.mark.parametrize("order", ["give_back", "cancel"])
def test_an_order_may_come_before_its_input(order):
    async def run():
        async with served() as (stream, supervisor, instance):
            getattr(stream, order)(1, 1)
            if order == "give_back":
                assert (await supervisor.hear(Kind.RETURNED)).first == 0
            supervisor.send(1, "hold", ["x"])
            if order == "cancel":
                said = await supervisor.hear(Kind.REPLY)
                assert (said.number, said.flags, said.count) == (1, CANCELLED, 0)
            supervisor.send(2, "quick", [2])
            assert (await supervisor.hear(Kind.REPLY)).number == 2
            assert instance.began == []

    asyncio.run(run())


def test_an_order_is_about_one_attempt():
    async def run():
        async with served() as (stream, supervisor, _):
            stream.give_back(1, 1)
            assert (await supervisor.hear(Kind.RETURNED)).extra == 1
            supervisor.send(1, "quick", ["x"], attempt=2)
            said = await supervisor.hear(Kind.REPLY)
            assert (said.number, said.extra, said.flags) == (1, 2, OK)

    asyncio.run(run())


def test_what_comes_behind_the_reply_changes_nothing():
    async def run():
        async with served() as (stream, supervisor, _):
            supervisor.send(1, "quick", ["x"])
            await supervisor.hear(Kind.REPLY)
            stream.give_back(1, 1)
            stream.cancel(1, 1)
            supervisor.send(2, "quick", [2])
            assert (await supervisor.hear(Kind.REPLY)).number == 2

    asyncio.run(run())


@pytest.mark.parametrize("slots", [1, 4], ids=["on the main thread", "on threads"])
def test_context_variables_of_enter_hooks_count_for_inputs(slots):
    async def run():
        async with served(slots) as (_, supervisor, _):
            for number in (1, 2):
                supervisor.send(number, "plain", ["x"])
                said = await supervisor.hear(Kind.REPLY)
                assert supervisor.value(said) == "of an enter hook"

    asyncio.run(run())


def test_no_more_run_than_there_are_slots_and_the_others_follow():
    async def run():
        async with served(slots=3) as (_, supervisor, instance):
            for number in range(1, 6):
                supervisor.send(number, "hold", [number])
            supervisor.send(6, "quick", [6])
            await begun(instance, 3)
            await asyncio.sleep(0)
            assert instance.began == [1, 2, 3]
            instance.gate.set()
            answered = [(await supervisor.hear(Kind.REPLY)).number for _ in range(6)]
            assert sorted(answered) == [1, 2, 3, 4, 5, 6]

    asyncio.run(run())


# -- batches ----------------------------------------------------------------------------------------------------------


class Lists:
    """Code of a user."""

    @method
    async def sizes(self, xs):
        return [len(xs)] * len(xs)


def test_the_messages_of_a_batch_are_one_call_with_a_reply_for_each(monkeypatch):
    monkeypatch.setattr(Model, "sizes", Lists.sizes, raising=False)

    async def run():
        async with served(batched=("sizes",)) as (_, supervisor, _):
            for number, following in ((1, 2), (2, 1), (3, 0)):
                supervisor.send(number, "sizes", [number], following=following)
            for number in (1, 2, 3):
                said = await supervisor.hear(Kind.REPLY)
                assert (said.number, supervisor.value(said)) == (number, 3)

    asyncio.run(run())


@pytest.mark.parametrize("gone", [(1,), (2,), (3,), (1, 2), (2, 3), (1, 2, 3)])
@pytest.mark.parametrize("order", ["give_back", "cancel"])
def test_members_that_are_taken_out_before_they_are_read_do_not_hold_up_their_batch(monkeypatch, gone, order):
    monkeypatch.setattr(Model, "sizes", Lists.sizes, raising=False)

    async def run():
        async with served(batched=("sizes",)) as (stream, supervisor, _):
            for number in gone:
                getattr(stream, order)(number, 1)
                if order == "give_back":
                    assert (await supervisor.hear(Kind.RETURNED)).number == number
            for number, following in ((1, 2), (2, 1), (3, 0)):
                supervisor.send(number, "sizes", [number], following=following)
            for number in (1, 2, 3):
                if number not in gone:
                    said = await supervisor.hear(Kind.REPLY)
                    assert (said.number, supervisor.value(said)) == (number, 3 - len(gone))
                elif order == "cancel":
                    assert (await supervisor.hear(Kind.REPLY)).flags == CANCELLED
            supervisor.send(4, "quick", [4])
            assert (await supervisor.hear(Kind.REPLY)).number == 4

    asyncio.run(run())
