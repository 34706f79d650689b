"""Classes whose methods get lists, and what their containers note of them."""

from __future__ import annotations

import asyncio
import os
import sys
import threading
import time
from pathlib import Path

import modal_nb as modal
from tests.e2e.wide import WAIT, Meter

app = modal.App("batches")
#: milliseconds: a batch that is not full waits as good as for ever
FOR_EVER = 600_000
#: inputs of one batch
MOST = 4


class Noted:
    """Writes down in its folder what it gets; one file for each container."""

    folder: str = modal.parameter()

    @modal.enter()
    def enter(self):
        self.meter = Meter()
        self.batches = 0

    def note(self, *words):
        with Path(self.folder, os.environ["MODAL_TASK_ID"]).open("a") as file:
            file.write(" ".join(map(str, words)) + "\n")

    def is_open(self, gate="gate"):
        return Path(self.folder, gate).exists()

    def await_gate(self):
        while not self.is_open():
            time.sleep(0.005)

    async def await_gate_async(self):
        while not await asyncio.sleep(0.005, self.is_open()):
            pass


class Squares(Noted):
    """Notes the size of each batch. One with the input "gate" waits for the gate."""

    @modal.batched(max_batch_size=MOST, wait_ms=FOR_EVER)
    def square(self, xs):
        self.note(len(xs), *xs)
        try:
            if "gate" in xs:
                self.await_gate()
        except modal.exception.InputCancellation:
            self.note(0, "ended")
            raise
        return [x if isinstance(x, str) else x * x for x in xs]


class AsyncSquares(Noted):
    @modal.batched(max_batch_size=MOST, wait_ms=FOR_EVER)
    async def square(self, xs):
        self.note(len(xs), *xs)
        try:
            if "gate" in xs:
                await self.await_gate_async()
        except asyncio.CancelledError:
            self.note(0, "ended")
            raise
        return [x if isinstance(x, str) else x * x for x in xs]


@app.cls(max_containers=1)
class Patient(Squares):
    """Waits until a batch is full."""


@app.cls(max_containers=1)
class AsyncPatient(AsyncSquares):
    """The same as a coroutine."""


@app.cls(max_containers=1)
class Hurried(Noted):
    @modal.batched(max_batch_size=MOST, wait_ms=1)
    def square(self, xs):
        self.note(len(xs), *xs)
        return [x * x for x in xs]


class Lists(Noted):
    """Several methods that take lists; ``with_batching`` makes them batched."""

    @modal.method()
    def combine(self, a, b=0, *, c=9):
        self.note(len(a), "combine")
        return list(zip(a, b, c, strict=True))

    @modal.method()
    async def a_combine(self, a, b=0, *, c=9):
        self.note(len(a), "a_combine")
        return await asyncio.sleep(0, list(zip(a, b, c, strict=True)))

    @modal.method()
    def make(self, kinds):
        """Each result as its caller asks for it."""
        made = {"lock": threading.Lock(), "generator": (x for x in ()), "bytes": bytes(100)}
        return [made.get(kind, kind) for kind in kinds]

    @modal.method()
    async def a_make(self, kinds):
        return self.make.local(kinds)

    @modal.method()
    def as_told(self, results):
        """The first caller says what all of them are answered."""
        result = results[0]
        if result == "exit":
            sys.exit(3)
        if isinstance(result, Exception):
            raise result
        return result

    @modal.method()
    async def a_as_told(self, results):
        return self.as_told.local(results)

    @modal.method()
    def ids(self, xs):
        self.note(len(xs), "ids")
        return [(modal.current_function_call_id(), modal.current_input_id())] * len(xs)

    @modal.method()
    def where(self, xs):
        main = threading.current_thread() is threading.main_thread()
        return [(os.environ["MODAL_TASK_ID"], main)] * len(xs)

    @modal.method()
    def items(self, x):
        yield from range(x)


Plain = app.cls(max_containers=1)(Lists)


@app.cls(max_containers=1)
@modal.concurrent(max_inputs=3)
class Beside(Noted):
    """Up to three batches at a time; the first three wait for one another."""

    @modal.enter()
    def meet(self):
        self.together = threading.Barrier(3)

    @modal.batched(max_batch_size=MOST, wait_ms=1)
    def square(self, xs):
        with self.meter:
            self.note(len(xs), *xs)
            if self.meter.total <= 3:
                self.together.wait(WAIT)
            return [(x * x, self.meter.peak) for x in xs]


class Notes:
    """What the containers of an instance wrote down."""

    def __init__(self, folder):
        self.folder = folder

    def lines(self):
        return [
            line.split()
            for path in sorted(self.folder.glob("ct-*"))
            for line in path.read_text().splitlines()
        ]

    def sizes(self):
        """Of the batches, as they came where there is one container."""
        return [int(line[0]) for line in self.lines()]

    def begun(self, name):
        """How many batches had this input."""
        return sum(str(name) in line[1:] for line in self.lines())

    def open(self, gate="gate"):
        (self.folder / gate).touch()
