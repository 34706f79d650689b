"""Sync code of the user runs inside a callback of the container's event loop, and must not notice."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def out_of_sight(running: asyncio.AbstractEventLoop | None = None) -> Iterator[None]:
    """Within this block ``running`` counts as the running loop; None: none runs, so that ``asyncio.run`` works.

    ``_set_running_loop`` is documented for those who implement loops; there is no other way.
    """
    hidden = asyncio._get_running_loop()  # noqa: SLF001
    asyncio._set_running_loop(running)  # noqa: SLF001
    try:
        yield
    finally:
        asyncio._set_running_loop(hidden)  # noqa: SLF001
