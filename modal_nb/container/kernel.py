"""The container as a Jupyter kernel: ipykernel's, inside a loop that already serves inputs."""

from __future__ import annotations

import asyncio
import json
import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from ipykernel.iostream import IOPubThread
from ipykernel.ipkernel import IPythonKernel
from ipykernel.kernelapp import IPKernelApp
from ipykernel.zmqshell import ZMQInteractiveShell
from traitlets import Type
from traitlets.config import Config

from modal_nb.container import breakpoints, cell_files
from modal_nb.container.attach import Attachment
from modal_nb.container.audience import audience
from modal_nb.container.publishing import ContainerDisplayHook, ContainerDisplayPublisher

#: under these a KeyboardInterrupt is caught, reported to the client, and ends nothing else
_INTERRUPTIBLE = (IPythonKernel.do_execute, IPythonKernel.do_complete, IPythonKernel.do_inspect)


#: with these a debugger lets an input run
_GO_ON = {"continue", "next", "stepIn", "stepOut", "disconnect", "terminate"}
#: these read the files of cells, which another container may have taken along
_READ_FILES = {"setBreakpoints", "source"}


class ContainerShell(ZMQInteractiveShell):
    """Cells of an attached console, beside the user's class."""

    display_pub_class = Type(ContainerDisplayPublisher)
    displayhook_class = Type(ContainerDisplayHook)

    #: the cell that runs belongs to an input, whose caller is told what it raised
    _raises = False

    @contextmanager
    def raising(self) -> Iterator[None]:
        """Show no tracebacks meanwhile."""
        self._raises = True
        try:
            yield
        finally:
            self._raises = False

    def _showtraceback(self, etype: Any, evalue: Any, stb: Any) -> None:
        if self._raises:
            return
        if audience(self.kernel.attachment.output) is not None:  # of a widget's callback
            sys.stderr.write("\n".join(stb) + "\n")
        else:
            super()._showtraceback(etype, evalue, stb)  # type: ignore[no-untyped-call]

    def ask_exit(self) -> None:
        """``exit`` in a console: who looked in goes. Stock: the loop stops, which serves inputs here."""
        self.keepkernel_on_exit = True  # type: ignore[assignment]
        super().ask_exit()  # type: ignore[no-untyped-call]

    def init_sys_modules(self) -> None:
        """``__main__`` stays what it was: values of the running inputs may be pickled by it."""


#: what libraries look for to know a notebook
ContainerShell.__name__ = ContainerShell.__qualname__ = ZMQInteractiveShell.__name__


class Listeners:
    """Holds the first answers back until the client that rang hears iopub.

    Its channels dial again one by one after we bound them. A client that is answered on shell before its
    iopub is there misses the ``idle`` of its first cell, and waits for it for ever.
    """

    #: seconds that a client may take which does not listen at all
    PATIENCE = 1.0

    def __init__(self, iopub: IOPubThread) -> None:
        self.heard = False
        #: counted from the first message: code of an input may have wanted the kernel long before anybody came
        self._deadline: float | None = None
        self._stream = iopub._xpub_stream  # noqa: SLF001 - ipykernel offers no other way to see a subscription
        self._pass_on: Callable[[list[bytes]], None] = iopub._handle_subscription  # noqa: SLF001
        iopub.io_loop.add_callback(self._stream.on_recv, self._on_subscription)

    async def first(self) -> None:
        """Returns when somebody listens to iopub, or could have."""
        if self._deadline is None:
            self._deadline = time.monotonic() + self.PATIENCE
        # set on another thread; once per container, so a look now and then is enough
        while not self.heard and time.monotonic() < self._deadline:  # noqa: ASYNC110
            await asyncio.sleep(0.005)

    def _on_subscription(self, frames: list[bytes]) -> None:
        self.heard = True
        self._pass_on(frames)


class ContainerKernel(IPythonKernel):
    """An IPython kernel that also answers ``call_request`` and leaves signals to the container."""

    msg_types = [*IPythonKernel.msg_types, "call_request"]  # noqa: RUF012 - as ipykernel declares it
    shell_class = Type(ContainerShell)

    def __init__(self, **kwargs: Any) -> None:
        self.attachment: Attachment = kwargs["parent"].attachment
        super().__init__(**kwargs)  # type: ignore[no-untyped-call]
        self._listeners: Listeners = kwargs["parent"].listeners
        self._in_order = asyncio.Lock()

    async def shell_channel_thread_main(self, msg: Any) -> None:
        """Called by ipykernel on the shell channel's thread, for each message, before anything else."""
        async with self._in_order:
            await self._listeners.first()
        await super().shell_channel_thread_main(msg)  # type: ignore[no-untyped-call]

    def _publish_debug_event(self, event: dict[str, Any]) -> None:
        """Called on the control thread for each event of the debugger."""
        pauses = self.attachment.pauses
        if pauses is not None and event.get("event") == "stopped":
            pauses.stop()
        super()._publish_debug_event(event)  # type: ignore[no-untyped-call]

    async def do_debug_request(self, msg: dict[str, Any]) -> Any:
        """Called on the control thread for each request of a debugger's front end."""
        if msg.get("command") in _GO_ON and self.attachment.pauses is not None:
            self.attachment.pauses.go_on()
        if msg.get("command") in _READ_FILES:
            self.write_cells()
        return await super().do_debug_request(msg)  # type: ignore[no-untyped-call]

    def write_cells(self) -> None:
        """Debuggers find the text of the cells that the class comes from. From any thread."""
        cell_files.write(type(self.attachment.user_ns.get("self")).__name__)

    @property
    def listened(self) -> bool:
        """Whether somebody is attached, or was."""
        return self._listeners.heard

    def get_parent(self, channel: str | None = None) -> Any:
        """Called by ipykernel, and by code of inputs that wants to know which message it serves: the call_request."""
        viewers = audience(self.attachment.output)
        if viewers is None or not viewers.routes:
            return super().get_parent(channel)  # type: ignore[no-untyped-call]
        header = json.loads(bytes(viewers.routes[0].header))
        return {"header": header, "parent_header": {}, "metadata": {}, "content": {}, "buffers": []}

    def raw_input(self, prompt: Any = "") -> str:
        """In place of ``input`` while a cell runs. Inputs may run meanwhile."""
        if audience(self.attachment.output) is None or self.attachment.ask is None:
            return str(super().raw_input(prompt))  # type: ignore[no-untyped-call]
        return self.attachment.ask(str(prompt), "input()", password=False)

    def getpass(self, prompt: str = "", stream: Any = None, **options: Any) -> str:
        """In place of ``getpass.getpass``, as raw_input."""
        if audience(self.attachment.output) is None or self.attachment.ask is None:
            return str(super().getpass(prompt, stream, **options))
        return self.attachment.ask(prompt, "getpass()", password=True)

    async def call_request(self, stream: Any, ident: Any, parent: dict[str, Any]) -> None:
        """Called by ipykernel for each such message on the shell channel; one at a time, as cells are."""
        try:
            content, buffers = await self.attachment.on_call_request(parent["content"], parent["buffers"])
        except Exception as error:  # noqa: BLE001 - whatever it is, somebody waits for a reply
            content, buffers = _failure(error), []
        assert self.session is not None
        self.session.send(stream, "call_reply", content, parent, ident=ident, buffers=buffers)

    async def shutdown_request(self, stream: Any, ident: Any, parent: dict[str, Any]) -> None:
        """Called on the control thread. Inputs and exit hooks come first, so the container is only told."""
        told = self.attachment.on_shutdown
        if told is None:
            await super().shutdown_request(stream, ident, parent)  # type: ignore[no-untyped-call]
            return
        assert self.session is not None
        content = {"status": "ok", "restart": False}
        self.session.send(stream, "shutdown_reply", content, parent, ident=ident)
        self.io_loop.add_callback(told)

    def pre_handler_hook(self) -> None:
        """Stock: swap the SIGINT handler for one that raises anywhere. Ours looks where it raises."""

    def post_handler_hook(self) -> None:
        """As pre_handler_hook."""

    @contextmanager
    def _cancel_on_sigint(self, future: asyncio.Future[Any]) -> Iterator[None]:
        """Stock: swap the SIGINT handler while a cell is awaited, in which time inputs run too."""
        interrupts, loop = self.attachment.interrupts, self.io_loop
        interrupts.cancel_cell = lambda: loop.add_callback_from_signal(future.cancel)
        try:
            yield
        finally:
            interrupts.cancel_cell = None


class ContainerApp(IPKernelApp):
    """Brings up sockets and kernel, and nothing else of an application."""

    attachment: Attachment
    listeners: Listeners

    def init_iopub(self, context: Any) -> None:
        super().init_iopub(context)  # type: ignore[no-untyped-call]
        self.listeners = Listeners(self.iopub_thread)

    def init_signal(self) -> None:
        """SIGINT has its handler for life."""

    def init_code(self) -> None:
        """The user's start-up files are for sessions, not for a look into a running container."""


def start_channels(attachment: Attachment) -> ContainerApp:
    """Make the kernel and its channels inside the running loop of this thread. Once per process."""
    # said at each debugger attach otherwise, about modules of the standard library
    os.environ.setdefault("PYDEVD_DISABLE_FILE_VALIDATION", "1")
    app = ContainerApp.instance(
        connection_file=str(attachment.connection_file),
        kernel_class=ContainerKernel,
        user_ns=attachment.user_ns,
        config=_config(attachment),
        # no parent to watch (the guard does), and no greeting on stdout
        parent_handle=1,
        # what is printed goes to the log as before, and to who is attached; raw descriptors only to the log
        quiet=False,
        capture_fd_output=False,
    )
    app.attachment = attachment
    app.initialize([])  # type: ignore[no-untyped-call]
    for above, below in ((sys.stdout, sys.__stdout__), (sys.stderr, sys.__stderr__)):
        if below is not None:  # what worked before the kernel came up goes on to work
            above.buffer = below.buffer  # type: ignore[misc]
    attachment.interrupts.cells = frozenset(handler.__code__ for handler in _INTERRUPTIBLE)
    app.kernel.start()
    app.kernel.write_cells()
    breakpoints.outrank(lambda: bool(getattr(app.kernel.debugger, "is_started", False)))
    return app


def _config(attachment: Attachment) -> Config:
    config = Config()
    # no thread and no database for the sake of a console
    config.HistoryManager.enabled = False
    # ipykernel takes every file imported before it for its own, the user's class among them: no breakpoints
    # there
    config.IPythonKernel.filter_internal_frames = False
    # as in every kernel: libraries look for this section to know a notebook
    config.IPKernelApp.connection_file = str(attachment.connection_file)
    return config


def _failure(error: Exception) -> dict[str, Any]:
    return {"status": "error", "ename": type(error).__name__, "evalue": str(error), "traceback": []}
