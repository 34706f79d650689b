"""Sync code of the user runs inside a callback of the container's event loop, and must not notice."""

from __future__ import annotations

import asyncio


class out_of_sight:  # noqa: N801 - read as what it does, as other context managers are
    """Within this block ``running`` counts as the running loop; None: none runs, so that ``asyncio.run`` works.

    ``_set_running_loop`` is documented for those who implement loops; there is no other way. A class, because it is on
    the way of every call.
    """

    __slots__ = ("_hidden", "_running")

    def __init__(self, running: asyncio.AbstractEventLoop | None = None) -> None:
        self._running = running

    def __enter__(self) -> None:
        self._hidden = asyncio._get_running_loop()  # noqa: SLF001
        asyncio._set_running_loop(self._running)  # noqa: SLF001

    def __exit__(self, *_: object) -> None:
        asyncio._set_running_loop(self._hidden)  # noqa: SLF001
