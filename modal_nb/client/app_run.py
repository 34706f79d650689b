"""``with app.run():``, in both worlds."""

from __future__ import annotations

import asyncio
from types import TracebackType
from typing import TYPE_CHECKING, Any

from modal_nb.client import running
from modal_nb.client.client import checked_client, session_of
from modal_nb.exception import InvalidError
from modal_nb.runtime.context import is_local

if TYPE_CHECKING:
    from modal_nb.client.app import App
    from modal_nb.client.running import RunningApp


class AppRun:
    """A run of an app, from the start of a ``with`` or ``async with`` block to its end; gives the app."""

    def __init__(self, app: App, runs: list[RunningApp], name: str | None, client: Any = None) -> None:
        """InvalidError for a ``client`` that is none."""
        checked_client(client)
        self._client = client
        self._app = app
        self._runs = runs
        self._name = name
        self._run: RunningApp | None = None

    def __enter__(self) -> App:
        self._start()
        return self._app

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._stop()

    async def __aenter__(self) -> App:
        starting = asyncio.ensure_future(asyncio.to_thread(self._start))
        try:
            await asyncio.shield(starting)
        except asyncio.CancelledError:
            # the thread goes on: what it starts must not be left behind
            starting.add_done_callback(lambda _: self._stop())
            raise
        return self._app

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await asyncio.shield(asyncio.to_thread(self._stop))

    def _start(self) -> None:
        if not is_local():
            raise InvalidError(
                "app.run() cannot be used inside a container: the app that started it runs already"
            )
        if self._run is not None:
            raise InvalidError("This app.run() is entered already; write app.run() again for another run")
        self._run = running.start(self._app, self._name, session_of(self._client))
        self._runs.append(self._run)

    def _stop(self) -> None:
        run, self._run = self._run, None
        if run is None:
            return
        # app.stop() may have been faster
        if run in self._runs:
            self._runs.remove(run)
            run.stop()
