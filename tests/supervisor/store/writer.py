"""Writes rows for ever and says which are acknowledged: ``python -m ... FILE RUN DURABILITY``."""

from __future__ import annotations

import asyncio
import itertools
import os
import sys
from pathlib import Path

from modal_nb.supervisor.store import calls
from modal_nb.supervisor.store.blobs import Blobs
from modal_nb.supervisor.store.store import Store
from tests.supervisor.store.pools import one_pool

#: inputs that are on their way at a time
SIDE_BY_SIDE = 16


async def write(file: Path, run: str, durability: str) -> None:
    store, blobs = Store(file, durability, asyncio.get_running_loop()), Blobs(file.parent / "blobs")
    numbers = itertools.count()

    async def one(call: str) -> None:
        body = b"arguments of " + call.encode()
        new = calls.Accepted(call, 0, 1, "pool", "method", "Class.method", 0, 1, body)
        assert await store.ask(lambda c: calls.accept(c, blobs, new, 0.0)) is calls.Entry.NEW
        end = calls.Settled(0, 1, 0.0, b"result of " + call.encode(), ok=True)
        os.write(1, f"accepted {call}\n".encode())
        await store.ask(lambda c: calls.settle(c, blobs, call, 0, end, 1.0))
        os.write(1, f"settled {call}\n".encode())

    async def on_and_on() -> None:
        while True:
            await one(f"fc-{run}-{next(numbers)}")

    await store.ask(one_pool)
    await asyncio.gather(*(on_and_on() for _ in range(SIDE_BY_SIDE)))


if __name__ == "__main__":
    asyncio.run(write(Path(sys.argv[1]), sys.argv[2], sys.argv[3]))
