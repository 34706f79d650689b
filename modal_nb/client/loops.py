"""What blocks must not run on an event loop."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from typing import TypeVar

from modal_nb.client.running import in_ipython
from modal_nb.exception import InvalidError

T = TypeVar("T")


def refuse_to_block(what: str) -> None:
    """InvalidError where a plain loop over ``what`` would stop a running event loop.

    A cell of a notebook runs inside the kernel's loop and may block it: that is what cells do.
    """
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return
    if not in_ipython():
        raise InvalidError(
            f"a plain `for` over {what} would block the running event loop: write `async for`, or use it outside of "
            "coroutines"
        )


def call_soon(loop: asyncio.AbstractEventLoop, function: Callable[[T], object], value: T) -> None:
    """Call it on the loop, from any thread; where the loop is closed nobody waits any more."""
    with contextlib.suppress(RuntimeError):
        loop.call_soon_threadsafe(function, value)
