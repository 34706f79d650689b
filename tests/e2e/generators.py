"""A class with generators that write down how far they are."""

from __future__ import annotations

import asyncio
import os
import threading
import time
from pathlib import Path

import numpy as np

import modal_nb as modal

app = modal.App("generators")
MIB = 1024 * 1024


class Writer:
    """Writes down in its folder which items it has begun; one file for each container."""

    folder: str = modal.parameter(default="")

    @modal.enter()
    def enter(self):
        self.entered = True

    def note(self, word):
        with Path(self.folder, os.environ["MODAL_TASK_ID"]).open("a") as file:
            file.write(f"{word}\n")

    @modal.method()
    def count(self, n, size=0):
        for number in range(n):
            yield number if not size else np.full(size, number, dtype=np.uint8)

    @modal.method()
    async def a_count(self, n):
        for number in range(n):
            await asyncio.sleep(0)
            yield number

    @modal.method()
    def noted(self, n=10**9, size=0):
        try:
            for number in range(n):
                self.note(number)
                yield number if not size else bytes(size)
        finally:
            self.note("finally")

    @modal.method()
    async def a_noted(self, n=10**9):
        try:
            for number in range(n):
                self.note(number)
                yield number
        finally:
            await asyncio.sleep(0)
            self.note("finally")

    @modal.method()
    def stuck(self):
        try:
            yield 0
            self.note("stuck")
            threading.Event().wait(60)
        finally:
            self.note("finally")

    @modal.method()
    async def a_stuck(self):
        try:
            yield 0
            self.note("stuck")
            await asyncio.Event().wait()
        finally:
            self.note("finally")

    @modal.method()
    def fails(self, n):
        yield from range(n)
        raise KeyError("in the middle")

    @modal.method()
    async def a_fails(self, n):
        for number in range(n):
            yield number
        raise KeyError("in the middle")

    @modal.method()
    def poison(self):
        yield 1
        os._exit(9)

    @modal.method(is_generator=True)
    def returns_an_iterator(self, n):
        return map(str, range(n))

    @modal.method()
    def through_self(self, n):
        for item in self.count.local(n):
            yield self.entered, item

    @modal.method()
    def nested(self, n):
        for item in self.count.remote_gen(n):
            yield item * 2

    @modal.method()
    def leaves_a_nested_one(self):
        for item in self.noted.remote_gen():
            if item == 10:
                return item

    @modal.method()
    def ids(self):
        yield modal.current_input_id()
        yield modal.current_function_call_id()

    @modal.method()
    def where(self):
        return os.environ["MODAL_TASK_ID"]


@app.cls(max_containers=2, scaledown_window=60)
class Stream(Writer):
    pass


@app.cls(max_containers=1, scaledown_window=60)
class Single(Writer):
    pass


@app.cls(timeout=2, startup_timeout=60, max_containers=1)
class Hasty:
    @modal.method()
    def count(self, n, seconds=0.0):
        for number in range(n):
            time.sleep(seconds)
            yield number


def only(notes):
    """What the only container wrote."""
    (lines,) = notes().values() or [[]]
    return lines


def collect(iterator):
    async def go():
        return [item async for item in iterator()]

    return asyncio.run(go())
