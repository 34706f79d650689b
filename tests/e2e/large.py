"""What is called with large values, and gives them back."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

import numpy as np

import modal_nb as modal
from modal_nb.protocol import segments

app = modal.App("large")


class Rich(Exception):
    """Holds an array."""

    def __init__(self, array):
        super().__init__("rich")
        self.array = array


@app.cls(max_containers=2)
class Large:
    @modal.enter()
    def begin(self):
        self.kept = []

    @modal.method()
    def same(self, value):
        return value

    @modal.method()
    async def same_async(self, value):
        await asyncio.sleep(0)
        return value

    @modal.method(is_generator=True)
    def items(self, value, count):
        for number in range(count):
            yield number, value

    @modal.method()
    def fill(self, array):
        array[:] = 42
        return array

    @modal.method()
    def fill_and_fail_once(self, array, path):
        found = int(array[0]), int(array[-1])
        array[:] = 42
        if not Path(path).exists():
            Path(path).touch()
            raise RuntimeError("again")
        return found

    @modal.method()
    def fail(self, array):
        raise Rich(array)

    @modal.method()
    def keep(self, array):
        self.kept.append(array)
        return len(self.kept)

    @modal.method()
    def kept_sums(self):
        return [int(array[:10].sum()) for array in self.kept]

    @modal.method()
    def nested(self, array):
        return Large().same.remote(array)

    @modal.method()
    def lend_nothing(self):
        segments._ours = segments.Segments(bound=0)

    @modal.method()
    def lent(self):
        """How many segments of this container are lent, and how many there are."""
        return segments.ours().lent(), len(segments.ours().sizes())

    @modal.method()
    def hold(self, array, begun, go_on):
        Path(begun).touch()
        while not Path(go_on).exists():
            time.sleep(0.01)
        return array


def numbered(size, number=0):
    """An array of so many bytes that knows its number."""
    return np.arange(number, number + size // 8, dtype=np.int64)
