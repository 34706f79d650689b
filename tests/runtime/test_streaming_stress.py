"""Cancels at random moments of a stream: none hits another one, or escapes the runner."""

from __future__ import annotations

import asyncio
import random
import signal
import sys
import threading

import pytest

from modal_nb.exception import InputCancellation
from modal_nb.runtime.outlet import Outlet
from modal_nb.runtime.partial_function import Mark, PartialFunction
from modal_nb.runtime.payload import dumps_arguments, loads
from modal_nb.runtime.runner import Runner
from modal_nb.runtime.service import Service
from modal_nb.runtime.window import MOST_ITEMS

STREAMS = 3000


class Target:
    """Notes which stream a cancellation reached, and which ones came to their own end."""

    def plain(self, number, items):
        try:
            for item in range(items):
                yield number, item
        except (InputCancellation, GeneratorExit) as error:
            self.hits.append((number, str(error)))
            raise
        self.ended.add(number)

    async def other(self, number, items):
        try:
            for item in range(items):
                yield number, item
        except (asyncio.CancelledError, GeneratorExit) as error:
            self.hits.append((number, str(error)))
            raise
        self.ended.add(number)

    plain = PartialFunction(plain, Mark.METHOD)
    other = PartialFunction(other, Mark.METHOD)


@pytest.fixture
def runner():
    runner = Runner(Service(Target))
    runner.service.instance.hits = []
    runner.service.instance.ended = set()
    before = signal.getsignal(signal.SIGUSR1)
    runner.install()
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    yield runner
    sys.setswitchinterval(interval)
    signal.signal(signal.SIGUSR1, before)


class Control(threading.Thread):
    """The reader and the caller: it reads at times and cancels at others, whatever runs."""

    def __init__(self, runner, seed):
        super().__init__()
        self.runner = runner
        self.dice = random.Random(seed)
        self.current = (0, None, [])
        self.over = False
        self.asked = set()

    def run(self):
        while not self.over:
            for _ in range(self.dice.randrange(400)):
                pass
            number, outlet, items = self.current
            if outlet is None:
                continue
            outlet.allow(len(items) + MOST_ITEMS)
            if self.dice.random() < 0.1 and self.runner.cancel(number):
                self.asked.add(number)


@pytest.mark.parametrize(("name", "seed"), [("plain", 1), ("plain", 2), ("other", 3)])
def test_every_stream_has_its_own_end(runner, name, seed):
    control = Control(runner, seed)
    dice = random.Random(seed)
    outcomes = {}

    async def one(number):
        items = []

        def send(index, frames):
            assert index == len(items)
            items.append(loads(frames))
            return 1

        outlet = Outlet(send, lambda _begins: None)
        count = dice.choice([0, 1, 5, 100])
        ticket = runner.expect(number)
        control.current = (number, outlet, items)
        reply = await runner.run_stream(ticket, name, dumps_arguments((number, count), {}), outlet)
        outcomes[number] = reply.outcome
        assert items == [(number, item) for item in range(len(items))]
        if reply.outcome == "ok":
            assert (len(items), reply.content) == (count, {"items": count})

    async def all_of_them():
        for number in range(STREAMS):
            await one(number)

    control.start()
    try:
        asyncio.run(all_of_them())
    finally:
        control.over = True
        control.join()
    target = runner.service.instance
    cancelled = {number for number, outcome in outcomes.items() if outcome == "cancelled"}
    assert set(outcomes.values()) <= {"ok", "cancelled"}
    assert cancelled <= control.asked
    assert {number for number, _ in target.hits} <= cancelled
    assert {text for number, text in target.hits if text} <= {f"input {n} was cancelled" for n in cancelled}
    assert set(outcomes) - cancelled <= target.ended
    assert 20 < len(cancelled) < STREAMS
