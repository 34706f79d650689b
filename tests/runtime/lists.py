"""A class of a user whose methods get lists, and batches of it."""

from __future__ import annotations

import asyncio
import signal
import sys
import threading
from contextlib import contextmanager

from modal_nb.exception import InputCancellation
from modal_nb.runtime import context
from modal_nb.runtime.payload import dumps_arguments
from modal_nb.runtime.runner import Runner
from modal_nb.runtime.service import Service
from tests.runtime.model import answers, method


class Model:
    """Code of a user: every method takes lists, whatever else it does."""

    def ready(self):
        self.calls, self.log, self.began, self.never = [], [], threading.Event(), threading.Event()
        return self

    def see(self, *lists):
        self.calls.append(lists)

    @method
    def combine(self, a, b=0, *, c=9):
        self.see(a, b, c)
        return list(zip(a, b, c, strict=True))

    @method
    async def a_combine(self, a, b=0, *, c=9):
        await asyncio.sleep(0)
        return await asyncio.sleep(0, self.combine.local(a, b, c=c))

    @method
    def double(self, xs):
        self.see(xs)
        return [2 * x for x in xs]

    @method
    def positional(self, a, /, b):
        return [f"{x}{y}" for x, y in zip(a, b, strict=True)]

    @method
    def many(self, *xs): ...

    @method
    def named(self, **xs): ...

    @method
    def nothing(self):
        return ["nothing"]

    @method
    def give(self, xs):
        return xs[0]

    @method
    def first_of_all(self, xs):
        return [*xs[:1], *[x() if callable(x) else x for x in xs[1:]]]

    @method
    def fail(self, xs):
        raise LookupError("of all", len(xs))

    @method
    async def a_fail(self, xs):
        raise LookupError("of all", len(xs))

    @method
    def leave(self, xs):
        sys.exit(3)

    @method
    async def a_leave(self, xs):
        sys.exit(3)

    @method
    def interrupted(self, xs):
        raise KeyboardInterrupt

    @method
    def ids(self, xs):
        ids = context.current_input_id(), context.current_function_call_id(), context.current_input_number()
        return [ids] * len(xs)

    @method
    def wait(self, xs):
        try:
            self.began.set()
            self.never.wait(60)
            return xs
        except InputCancellation:
            self.log.append("ended")
            raise

    @method
    async def a_wait(self, xs):
        self.gate = asyncio.Event()
        try:
            self.began.set()
            await self.gate.wait()
            return xs
        finally:
            self.log.append("ended")

    @method
    def change(self, xs):
        given = list(xs)
        xs.clear()
        return given


def call(*args, **kwargs):
    return dumps_arguments(args, kwargs)


def messages(runner, frames):
    return [
        (runner.expect(number, count=1, call_id=f"fc-{number}"), one) for number, one in enumerate(frames, 1)
    ]


def run(runner, name, *frames):
    """One batch of single calls; its replies."""
    made = messages(runner, frames)
    if name.startswith("a_"):
        return asyncio.run(runner.run_batch_async(made, name))
    return runner.run_batch(made, name)


def told(replies):
    """The outcome of each input: a value or an exception."""
    return [value for reply in replies for _, value in answers(reply, reply.begun)]


@contextmanager
def installed():
    """A runner of Model that takes SIGUSR1 meanwhile."""
    made = Runner(Service(Model))
    made.service.instance.ready()
    before = signal.getsignal(signal.SIGUSR1)
    made.install()
    yield made
    signal.signal(signal.SIGUSR1, before)
