"""Jupyter channels when somebody wants them: an idle container without them takes a quarter of the memory."""

from __future__ import annotations

import asyncio
import contextvars
import json
import os
import signal
import sys
import threading
import traceback
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from modal_nb.container.doorbell import Doorbell
from modal_nb.container.interrupts import Interrupts, OnInterrupt
from modal_nb.container.output import Output
from modal_nb.container.pauses import Pauses
from modal_nb.runtime.loops import out_of_sight

if TYPE_CHECKING:
    from modal_nb.container.kernel import ContainerApp

#: content and buffers of a call_request -> those of its call_reply
OnCallRequest = Callable[[dict[str, Any], list[memoryview]], Awaitable[tuple[dict[str, Any], list[Any]]]]

#: seconds that a thread waits for the main thread to bring the kernel up
_PATIENCE = 10.0
#: they may raise in whatever the main thread runs, which must not be half an attach
_RAISING = (signal.SIGINT, signal.SIGUSR1)


class Attachment:
    """The kernel's front door: closed, with a doorbell, until the first ``jupyter console --existing`` comes.

    From ``listen`` on, SIGINT is for the input (``on_interrupt``) or the cell that runs, and SIGUSR2
    attaches.
    """

    def __init__(
        self,
        connection_file: str | os.PathLike[str],
        user_ns: dict[str, Any],
        on_call_request: OnCallRequest | None = None,
        *,
        on_interrupt: OnInterrupt | None = None,
        on_shutdown: Callable[[], None] | None = None,
        output: Output | None = None,
    ) -> None:
        """
        ``user_ns``: what cells see; by our documentation ``self`` is the instance that serves.
        ``on_call_request``: serves call_request on the shell channel, on the main loop.
        ``on_interrupt``: a signal handler that raises KeyboardInterrupt when an input may be hit, else
        returns. ``on_shutdown``: called on the main loop when a client asks the kernel to end; without it the
        loop is stopped. ``output``: what inputs show goes there, and not to who is attached.
        """
        self.output = output
        #: what asks who called an input: (prompt, name of the function, password=) -> answer
        self.ask: Callable[..., str] | None = None
        #: told when a debugger stops inputs and lets them go
        self.pauses: Pauses | None = None
        #: set when the channels are up, or could not come up
        self.up = threading.Event()
        self.connection_file = Path(connection_file)
        self.user_ns = user_ns
        self.on_call_request = on_call_request or _no_calls
        self.on_shutdown = on_shutdown
        self.interrupts = Interrupts(on_interrupt)
        self._app: ContainerApp | None = None
        self._bell = Doorbell(_shell_path(self.connection_file), self.attach)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._context = contextvars.copy_context()
        #: once: what has failed is not tried again
        self._starting = False

    @property
    def attached(self) -> bool:
        """True once the channels are up; they stay."""
        return self._app is not None

    def listen(self, loop: asyncio.AbstractEventLoop) -> None:
        """Wait for the first client. Called once, on the main thread, by whoever runs ``loop`` there."""
        self._loop = loop
        self._context = contextvars.copy_context()
        self.interrupts.install()
        self._bell.listen(loop)

    def ring(self) -> None:
        """Have ``attach`` called on the main thread, also while a method runs there. From any thread."""
        self._bell.press()

    def attach(self) -> None:
        """Bring the channels up. On the main thread, also inside a signal handler; failures go to the log
        only.
        """
        if self.attached or self._starting or self._loop is None:
            return
        self._starting = True
        with _undisturbed(), out_of_sight(self._loop):
            self._bell.close()
            try:
                # the input that happens to run is not what cells are run for
                self._app = self._context.copy().run(self._start, self._loop)
            except Exception:  # noqa: BLE001 - it would hit the method that happens to run
                sys.stderr.write(f"cannot attach, the channels did not come up: {traceback.format_exc()}\n")
            self.up.set()

    def shell(self) -> Any:
        """The shell of the kernel, which is brought up for it. From any thread. RuntimeError if it cannot be."""
        if not self.attached:
            if threading.current_thread() is threading.main_thread():
                self.attach()
            else:
                self.ring()
                self.up.wait(_PATIENCE)
        if self._app is None:
            raise RuntimeError("the Jupyter channels of this container did not come up: its log says why")
        return self._app.shell

    def close(self) -> None:
        """Nobody can attach any more; channels that are up stay until the process ends."""
        self._bell.close()

    def _start(self, loop: asyncio.AbstractEventLoop) -> ContainerApp:
        from modal_nb.container.kernel import start_channels  # noqa: PLC0415  15 MiB and 300 ms, when wanted

        app = start_channels(self)
        # we may be in a signal handler under a sleeping loop, which does not know of what was scheduled
        loop.call_soon_threadsafe(lambda: None)
        return app


def _shell_path(connection_file: Path) -> Path:
    """Where the shell channel will be; ValueError for a transport on which nobody can wait by a doorbell."""
    connection = json.loads(connection_file.read_bytes())
    if connection["transport"] != "ipc":
        found = connection["transport"]
        raise ValueError(f"{connection_file} has transport {found!r}: a container needs 'ipc'")
    return Path(f"{connection['ip']}-{connection['shell_port']}")


async def _no_calls(content: dict[str, Any], buffers: list[memoryview]) -> tuple[dict[str, Any], list[Any]]:
    del content, buffers
    raise NotImplementedError("calls to this container go through its supervisor only")


@contextmanager
def _undisturbed() -> Iterator[None]:
    before = signal.pthread_sigmask(signal.SIG_BLOCK, _RAISING)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
