"""A class whose containers run several inputs at a time, and note how many and where."""

from __future__ import annotations

import asyncio
import contextvars
import itertools
import os
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import modal_nb as modal

app = modal.App("wide")
WAIT = 60
#: inputs of one container
MOST = 8


class Meter:
    """How many are inside at a time."""

    def __init__(self):
        self.lock = threading.Lock()
        self.now = self.peak = self.total = 0

    def __enter__(self):
        with self.lock:
            self.now += 1
            self.total += 1
            self.peak = max(self.peak, self.now)

    def __exit__(self, *_):
        with self.lock:
            self.now -= 1


def ids():
    return modal.current_function_call_id(), modal.current_input_id()


class Code:
    """Plain methods and async ones."""

    folder: str = modal.parameter(default="")

    @modal.enter()
    async def enter(self):
        self.loop = asyncio.get_running_loop()
        self.meter = Meter()
        self.together = threading.Barrier(MOST)
        self.threads = ThreadPoolExecutor(MOST)
        self.met = 0
        self.all_met = asyncio.Event()
        self.flavour = contextvars.ContextVar("flavour", default="none")
        self.flavour.set("of the enter hook")

    def note(self, word):
        with Path(self.folder, os.environ["MODAL_TASK_ID"]).open("a") as file:
            file.write(f"{word}\n")

    # -- how many at a time: the first ones wait for one another, so that the most that is allowed is reached

    @modal.method()
    def count(self, x):
        with self.meter:
            if x < MOST:
                self.together.wait(WAIT)
            return x

    @modal.method()
    async def a_count(self, x):
        with self.meter:
            if x < MOST:
                await self.a_meet()
            else:
                await asyncio.sleep(0)
            return x

    async def a_meet(self):
        self.met += 1
        if self.met == MOST:
            self.all_met.set()
        await self.all_met.wait()

    @modal.method()
    async def peak(self):
        return self.meter.peak, self.meter.total

    # -- who runs where

    @modal.method()
    def meet(self, x):
        before, seen = ids(), self.flavour.get()
        self.flavour.set(x)
        self.together.wait(WAIT)
        thread = threading.current_thread()
        place = thread is threading.main_thread(), thread.daemon, thread.ident
        return x, before, ids(), seen, self.flavour.get(), place

    @modal.method()
    async def a_meet_all(self, x):
        before, seen = ids(), self.flavour.get()
        self.flavour.set(x)
        await self.loop.run_in_executor(self.threads, self.together.wait, WAIT)
        thread = threading.current_thread()
        place = thread is threading.main_thread(), asyncio.get_running_loop() is self.loop
        return x, before, ids(), seen, self.flavour.get(), place

    @modal.method()
    def stream(self, n):
        self.together.wait(WAIT)
        for x in range(n):
            yield x, threading.get_ident(), ids(), self.flavour.get()

    @modal.method()
    async def a_stream(self, n):
        await self.loop.run_in_executor(self.threads, self.together.wait, WAIT)
        for x in range(n):
            await asyncio.sleep(0)
            yield x, threading.get_ident(), ids(), self.flavour.get()

    @modal.method()
    def endless(self):
        yield from itertools.count()

    @modal.method()
    async def a_endless(self):
        for x in itertools.count():
            yield x

    # -- what is ended

    def is_open(self, gate):
        return Path(self.folder, gate).exists()

    @modal.method()
    def hold(self, name, gate="gate"):
        self.note(f"begin {name}")
        while not self.is_open(gate):
            time.sleep(0.005)
        self.note(f"end {name}")
        return name, os.environ["MODAL_TASK_ID"]

    @modal.method()
    async def a_hold(self, name, gate="gate"):
        self.note(f"begin {name}")
        try:
            while not await asyncio.sleep(0.005, self.is_open(gate)):
                pass
        except asyncio.CancelledError:
            self.note(f"cancelled {name}")
            raise
        self.note(f"end {name}")
        return name, os.environ["MODAL_TASK_ID"]

    # -- and the rest

    @modal.method()
    def quick(self, x):
        return x

    @modal.method()
    async def where(self):
        return os.environ["MODAL_TASK_ID"]

    @modal.method()
    def is_main(self):
        return threading.current_thread() is threading.main_thread()

    @modal.method()
    def fail(self, x):
        if x % 2:
            raise ValueError(x)
        return x

    @modal.method()
    def meet_and_call(self, x):
        self.together.wait(WAIT)
        return self.quick.remote(x)

    @modal.method()
    async def a_meet_and_call(self, x):
        await self.loop.run_in_executor(self.threads, self.together.wait, WAIT)
        return await self.quick.remote.aio(x)

    @modal.method()
    def call(self, x):
        return Callee().double.remote(x), ids()

    @modal.method()
    async def a_call(self, x):
        return await Callee().double.remote.aio(x), ids()


@app.cls(max_containers=1)
@modal.concurrent(max_inputs=MOST)
class Wide(Code):
    pass


@app.cls(max_containers=4)
@modal.concurrent(max_inputs=4, target_inputs=2)
class Aiming(Code):
    pass


@app.cls(max_containers=1, timeout=2, startup_timeout=60)
@modal.concurrent(max_inputs=MOST)
class Hasty(Code):
    pass


@app.cls(max_containers=1)
class Narrow(Code):
    """One at a time."""


@app.cls(max_containers=1)
@modal.concurrent(max_inputs=3)
class Callee:
    @modal.method()
    async def double(self, x):
        await asyncio.sleep(0)
        return 2 * x


class Notes:
    """What the containers of an instance wrote down."""

    def __init__(self, folder):
        self.folder = folder

    def by_container(self):
        """How many lines each wrote, the fewest first."""
        return sorted(len(path.read_text().splitlines()) for path in self.folder.glob("ct-*"))

    def lines(self):
        return [line for path in self.folder.glob("ct-*") for line in path.read_text().splitlines()]

    def of(self, word):
        """The names behind this word."""
        return [line.split()[1] for line in self.lines() if line.split()[0] == word]

    def open(self, gate="gate"):
        (self.folder / gate).touch()
