"""A class to map over, and what its containers note."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

import modal_nb as modal

app = modal.App("map")


@app.cls(max_containers=2)
class Mapper:
    @modal.method()
    def square(self, x):
        return x * x

    @modal.method()
    async def square_async(self, x):
        await asyncio.sleep(0)
        return x * x

    @modal.method()
    def combine(self, a, b=0, *, c=0):
        return a, b, c

    @modal.method()
    def odd_only(self, x):
        if x % 2 == 0:
            raise ValueError(f"{x} is even")
        return x

    @modal.method()
    def wait_for(self, path, x):
        while not Path(path).exists():
            time.sleep(0.01)
        return x

    @modal.method()
    def note(self, path, x):
        with Path(path).open("a") as file:
            file.write(f"{x}\n")

    @modal.method()
    def first_then_hang(self, path, x):
        if x == 0:
            return x
        try:
            with Path(path).open("a") as file:
                file.write(f"begin {x}\n")
            time.sleep(1000)
        except BaseException as error:
            with Path(path).open("a") as file:
                file.write(f"{type(error).__name__} {x}\n")
            raise


async def gathered(results):
    return [item async for item in results]


def lines(path):
    return path.read_text().splitlines() if path.exists() else []
