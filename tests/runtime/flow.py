"""Generators of a user, and a reader that the test plays."""

from __future__ import annotations

import asyncio
import contextvars
import threading

from modal_nb.exception import InputCancellation
from modal_nb.runtime import context
from modal_nb.runtime.outlet import Outlet
from modal_nb.runtime.partial_function import Mark, PartialFunction
from modal_nb.runtime.payload import dumps_arguments, loads
from modal_nb.runtime.window import MOST_ITEMS
from tests.runtime.model import method

flavour = contextvars.ContextVar("flavour", default="none")


class Flow:
    """Code of a user; ``log`` is what it saw, ``began`` says that it is inside and will not leave by itself."""

    def ready(self):
        self.log = []
        self.began = threading.Event()
        self.never = threading.Event()
        return self

    @method
    def count(self, n, fails=False):
        try:
            for number in range(n):
                self.log.append(number)
                yield number
            if fails:
                raise ValueError("in the middle", n)
        finally:
            self.log.append("finally")

    @method
    async def a_count(self, n, fails=False):
        try:
            for number in range(n):
                self.log.append(number)
                yield number
            if fails:
                raise ValueError("in the middle", n)
        finally:
            await asyncio.sleep(0)
            self.log.append("finally")

    @method
    def stuck(self):
        try:
            yield 1
            self.began.set()
            self.never.wait(60)
        finally:
            self.log.append("finally")

    @method
    async def a_stuck(self):
        try:
            yield 1
            self.began.set()
            await asyncio.Event().wait()
        finally:
            self.log.append("finally")

    @method
    def stubborn(self):
        try:
            yield 1
            while True:
                try:
                    self.began.set()
                    self.never.wait(60)
                except InputCancellation:
                    self.log.append("swallowed")
                    yield 2
        finally:
            self.log.append("finally")

    @method
    def closes_badly(self):
        try:
            while True:
                yield 1
        finally:
            raise KeyError("while it was closed")

    @method
    def ids(self):
        for _ in range(2):
            yield context.current_input_id(), context.current_function_call_id()

    @method
    async def a_scope(self):
        token = flavour.set("sweet")
        task = asyncio.current_task()
        try:
            async with asyncio.timeout(60):
                for _ in range(3):
                    yield flavour.get(), asyncio.current_task() is task
        finally:
            flavour.reset(token)
            self.log.append("reset")

    @method
    def loops(self):
        yield asyncio.run(_three())

    @method
    def locks(self):
        yield 1
        yield threading.Lock()

    @method
    def nested_generator(self):
        yield (x for x in range(3))

    @method
    def leaves(self):
        yield 1
        raise SystemExit(3)

    @method
    async def a_leaves(self):
        yield 1
        raise SystemExit(3)

    @method
    def plain(self):
        return 1

    def given(self, what):
        return what

    async def a_given(self, n):
        return iter(range(n))

    def given_async(self, n):
        return self.a_count.local(n)

    given = PartialFunction(given, Mark.METHOD, is_generator=True)
    a_given = PartialFunction(a_given, Mark.METHOD, is_generator=True)
    given_async = PartialFunction(given_async, Mark.METHOD, is_generator=True)


async def _three():
    return 3


class Reader:
    """Takes everything at once unless told otherwise."""

    def __init__(self, greedy=True, allowed=0):
        self.items = []
        self.pauses = []
        self.greedy = greedy
        self.waits = threading.Event()
        self.outlet = Outlet(self.send, self.pause)
        if allowed:
            self.outlet.allow(allowed)

    def send(self, index, frames):
        self.items.append((index, loads(frames)))
        if self.greedy:
            self.outlet.allow(index + 1 + MOST_ITEMS)
        return 1

    def pause(self, begins):
        self.pauses.append(begins)
        if begins:
            self.waits.set()

    @property
    def values(self):
        return [value for _, value in self.items]


def run(runner, name, *args, act=None, number=1, **reading):
    """The reply and the reader; ``act(reader)`` runs on another thread meanwhile."""

    async def go():
        reader = Reader(**reading)
        thread = threading.Thread(target=act, args=(reader,)) if act else None
        if thread:
            thread.start()
        ticket = runner.expect(number, call_id="fc-7")
        reply = await runner.run_stream(ticket, name, dumps_arguments(args, {}), reader.outlet)
        if thread:
            await asyncio.to_thread(thread.join)
        return reply, reader

    return asyncio.run(go())
