"""A class of a user, and what the tests of the runner share."""

from __future__ import annotations

import asyncio
import signal
import sys
import threading
from contextlib import contextmanager

from modal_nb.exception import InputCancellation
from modal_nb.runtime import context
from modal_nb.runtime.partial_function import Mark, PartialFunction
from modal_nb.runtime.payload import dumps_arguments, dumps_chunk
from modal_nb.runtime.reply import read_reply
from modal_nb.runtime.runner import Runner
from modal_nb.runtime.service import Service


def method(f):
    return PartialFunction(f, Mark.METHOD)


class Model:
    """Code of a user; ``began`` says that a method is inside, ``log`` what it saw."""

    def ready(self):
        self.began = threading.Event()
        self.never = threading.Event()
        self.log = []
        return self

    @method
    def double(self, x, plus=0):
        return x * 2 + plus

    @method
    def keep(self, x):
        self.log.append(x)
        return self.log

    @method
    def fail(self, x):
        if x % 2:
            raise ValueError("odd", x)
        return x

    @method
    def leave(self):
        sys.exit(4)

    @method
    def wait(self, x=None):
        try:
            self.began.set()
            self.never.wait(60)
        finally:
            self.log.append(("finally", x))

    @method
    def stubborn(self):
        for _ in range(3):
            try:
                self.began.set()
                self.never.wait(60)
            except InputCancellation:
                self.log.append("swallowed")
        self.never.wait(60)

    @method
    def give_lock(self):
        return threading.Lock()

    @method
    def give_coroutine(self):
        return self.a_double.local(3)

    @method
    def give_generator(self):
        return (x for x in range(3))

    @method
    def raises_cancellation(self):
        raise InputCancellation("by hand")

    @method
    def where(self, x=None):
        return (context.current_input_id(), context.current_function_call_id())

    @method
    def stream(self):
        yield 1

    @method
    async def a_double(self, x):
        await asyncio.sleep(0)
        return x * 2

    @method
    async def a_where(self, x=None):
        await asyncio.sleep(0)
        return (context.current_input_id(), context.current_function_call_id())

    @method
    async def a_wait(self, x=None):
        try:
            self.began.set()
            await asyncio.Event().wait()
        finally:
            self.log.append(("finally", x))

    @method
    async def a_leave(self):
        sys.exit(4)

    @method
    async def a_cancels_itself(self):
        raise asyncio.CancelledError


@contextmanager
def installed():
    """A runner of Model that takes SIGUSR1 meanwhile."""
    runner = Runner(Service(Model))
    runner.service.instance.ready()
    before = signal.getsignal(signal.SIGUSR1)
    runner.install()
    yield runner
    signal.signal(signal.SIGUSR1, before)


def one(runner, name, *args, number=1, **kwargs):
    return runner.run_sync(runner.expect(number, call_id="fc-7"), name, dumps_arguments(args, kwargs))


def answers(reply, count=1):
    return read_reply(reply.outcome, reply.content, reply.frames, count)


def later(event, action):
    """Do ``action`` on another thread, as the control thread would, once ``event`` is set."""
    thread = threading.Thread(target=lambda: (event.wait(30), action()))
    thread.start()
    return thread


def chunk(runner, name, values, *, first=0, count=None, number=9):
    frames = dumps_chunk([((value,), {}) for value in values])
    ticket = runner.expect(number, first=first, count=len(values) if count is None else count, call_id="fc-1")
    return runner.run_sync(ticket, name, frames)
