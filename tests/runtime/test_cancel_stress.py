"""Cancels at random moments: none may ever hit another input, or escape the runner."""

from __future__ import annotations

import random
import signal
import sys
import threading

import pytest

from modal_nb.exception import InputCancellation
from modal_nb.runtime.partial_function import Mark, PartialFunction
from modal_nb.runtime.payload import dumps_arguments, dumps_chunk
from modal_nb.runtime.reply import read_reply
from modal_nb.runtime.runner import Runner
from modal_nb.runtime.service import Service

INPUTS = 20_000
CHUNKS = 300


class Target:
    """Notes which input a cancellation reached."""

    hits: list[tuple[int, str]]

    def __init__(self):
        raise AssertionError

    def work(self, number, turns):
        try:
            total = 0
            for turn in range(turns):
                total += turn
        except InputCancellation as error:
            self.hits.append((number, str(error)))
            raise
        else:
            return number

    work = PartialFunction(work, Mark.METHOD)


@pytest.fixture
def runner(monkeypatch):
    # a cancel may be swallowed by a finaliser, which Python reports here; pytest's own report is long code that the
    # next cancel would hit
    monkeypatch.setattr(sys, "unraisablehook", lambda _: None)
    runner = Runner(Service(Target))
    runner.service.instance.hits = []
    before = signal.getsignal(signal.SIGUSR1)
    runner.install()
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    yield runner
    sys.setswitchinterval(interval)
    signal.signal(signal.SIGUSR1, before)


class Control(threading.Thread):
    """A control thread that cancels what runs now, at random moments."""

    def __init__(self, runner, seed):
        super().__init__()
        self.runner = runner
        self.random = random.Random(seed)
        self.current = 0
        self.over = False
        self.asked = set()

    def run(self):
        while not self.over:
            for _ in range(self.random.randrange(400)):
                pass
            number = self.current
            if self.runner.cancel(number):
                self.asked.add(number)


@pytest.mark.parametrize("seed", range(3))
def test_single_inputs(runner, seed):
    control = Control(runner, seed)
    control.start()
    outcomes = {}
    dice = random.Random(seed)
    try:
        for number in range(INPUTS):
            ticket = runner.expect(number)
            control.current = number
            reply = runner.run_sync(ticket, "work", dumps_arguments((number, dice.randrange(60)), {}))
            outcomes[number] = reply.outcome
            if reply.outcome == "ok":
                assert read_reply(reply.outcome, reply.content, reply.frames) == [(True, number)]
    finally:
        control.over = True
        control.join()
    cancelled = {number for number, outcome in outcomes.items() if outcome == "cancelled"}
    assert set(outcomes.values()) <= {"ok", "cancelled"}
    assert cancelled <= control.asked
    assert all(text == f"input {number} was cancelled" for number, text in runner.service.instance.hits)
    assert {number for number, _ in runner.service.instance.hits} <= cancelled
    assert len(cancelled) > 20
    assert len(cancelled) < INPUTS


def test_chunks(runner):
    control = Control(runner, 7)
    control.start()
    seen = set()
    try:
        for number in range(CHUNKS):
            ticket = runner.expect(number, count=50)
            control.current = number
            frames = dumps_chunk([((number * 50 + index, 30), {}) for index in range(50)])
            reply = runner.run_sync(ticket, "work", frames)
            seen.add(reply.outcome)
            said = read_reply(reply.outcome, reply.content, reply.frames, 50)
            assert said == [(True, number * 50 + index) for index in range(len(said))]
            assert reply.outcome == "cancelled" or len(said) == 50
    finally:
        control.over = True
        control.join()
    assert "cancelled" in seen
    assert all(text == f"input {number // 50} was cancelled" for number, text in runner.service.instance.hits)
