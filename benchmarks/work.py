"""What the methods do; every peer does the same."""

from __future__ import annotations

import asyncio

import numpy as np

from benchmarks.light import Light

#: section D: the most inputs that a batch has, and milliseconds that one waits for more
BATCH_SIZES = (1, 4, 16, 64)
WAIT_MS = 10
#: section E: inputs that one container has under way at a time, and seconds that each waits
SIDE_BY_SIDE = 100
PAUSE_S = 0.01

WIDTH, RANK, LAYERS = 512, 64, 4


class Model:
    """A fixed time for each batch, and a little for each row.

    The matrix of a layer is put together from its two factors whenever it is needed, as a server does that has no
    room for all of them.
    """

    def __init__(self) -> None:
        random = np.random.default_rng(0)
        self.factors = [
            (
                random.standard_normal((WIDTH, RANK), dtype=np.float32),
                random.standard_normal((RANK, WIDTH), dtype=np.float32),
            )
            for _ in range(LAYERS)
        ]

    def classes(self, rows: list[np.ndarray]) -> list[int]:
        """One number for each row."""
        x = np.stack(rows)
        for left, right in self.factors:
            x = np.maximum(x @ (left @ right), 0)
        return x.argmax(axis=1).tolist()


def some_rows() -> list[np.ndarray]:
    """What clients send, in turn: more than a batch or a message has, so that none of them has the same row twice."""
    return list(np.random.default_rng(1).standard_normal((1_024, WIDTH), dtype=np.float32))


async def pause(x: object) -> object:
    """Input and output that others do."""
    await asyncio.sleep(PAUSE_S)
    return x


class Service(Light):
    """Sections A, B, C and F: an object with a method that does nothing, and two for arrays."""

    def __init__(self) -> None:
        self.held: np.ndarray | None = None

    def take(self, array: np.ndarray) -> float:
        """Reads both ends, so that a mapping which is made at the first look is there."""
        return float(array[0]) + float(array[-1])

    def give(self, size: int) -> np.ndarray:
        """So many bytes: the same array each time, for its making is not what is timed."""
        if self.held is None or self.held.nbytes != size:
            self.held = np.ones(size // 8)
        return self.held
