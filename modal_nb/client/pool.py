"""A pool as its caller sees it: where inputs go, and how it is steered."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

import msgspec

from modal_nb.client import screens
from modal_nb.client.calls import Call, Sink
from modal_nb.client.link import Link
from modal_nb.client.screens import Screen
from modal_nb.exception import ConflictError, NotFoundError, RequestSizeError
from modal_nb.protocol import messages as ms
from modal_nb.protocol.codec import Frame
from modal_nb.protocol.lending import LEAST, lend
from modal_nb.protocol.stream import body_of, size_of
from modal_nb.runtime.payload import dumps
from modal_nb.spec.cls_spec import label_of
from modal_nb.spec.options import Options
from modal_nb.spec.scaling import Autoscaler

if TYPE_CHECKING:
    from modal_nb.client.running import RunningApp

T = TypeVar("T", bound=ms.Content)

#: times a pool is opened again because its class was deployed anew meanwhile
_TRIES = 5
#: weight of the newest run time in the moving average
_WEIGHT = 0.3


class Pool:
    """Made by a RunningApp. Its number changes when the supervisor is restarted."""

    def __init__(self, app: RunningApp, request: ms.PoolOpen, load: Sequence[Frame]) -> None:
        """``request``: what opens it, but for the app's number; ``load``: the frames of its LOAD message."""
        self.app = app
        self.number = 0
        self.take(request, load)
        #: changes made by ``update_autoscaler``, for a supervisor that must be told again
        self._changes: dict[str, Any] = {}
        #: looks its class up again and gives it what it finds, by ``take``
        self.renew: Callable[[Pool], None] | None = None
        #: method -> seconds per input, a moving average; what chunks are sized by
        self.seconds: dict[str, float] = {}

    def take(self, request: ms.PoolOpen, load: Sequence[Frame]) -> None:
        """From now on it is this one."""
        self.spec = request.spec
        self._load = b"".join(body_of(load))
        self._request = msgspec.structs.replace(request, load_parts=len(load))
        #: batched method -> how its calls name it
        self.batches = {name: at for at, (name, _) in enumerate(request.spec.batching, 1)}

    @classmethod
    def own(cls, app: RunningApp, inside: ms.Inside) -> Pool:
        """The pool of the container that this code runs in."""
        pool = cls(app, ms.PoolOpen(app=inside.app, spec=inside.spec), ())
        pool.number = inside.pool
        return pool

    def open(self) -> None:
        """Tell the supervisor of it. UnsupportedOptionError when the back end cannot honour an option."""
        try:
            self.number = self.app.session.ask(self._opening, ms.PoolOpened, [self._load]).pool
        except (
            ConflictError,
            NotFoundError,
        ):  # it was looked up before a newer version came, or the app was stopped
            if self.renew is None:
                raise
            self.reopen(self.app.session.link())

    def reopen(self, link: Link) -> None:
        """Tell a new supervisor of it; of a class that is found by name, what the name means now."""
        self.app.know(link)
        for _ in range(_TRIES if self.renew else 1):
            if self.renew is not None:
                self.renew(self)
            try:
                self.number = link.ask(self._opening(), ms.PoolOpened, [self._load])[0].pool
                break
            except ConflictError:
                continue  # one more version was deployed meanwhile
        else:
            raise ConflictError(f"{self.spec.service} is deployed anew again and again: try again later")
        if self._changes and not self.app.deployed:  # else the supervisor knows them, or they are over
            link.ask(ms.AutoscalerUpdate(pool=self.number, **self._changes), ms.AutoscalerSettings)

    def _opening(self) -> ms.PoolOpen:
        return msgspec.structs.replace(self._request, app=self.app.number)

    # -- calls --------------------------------------------------------------------------------------------------

    def submit(
        self,
        method: str,
        frames: Sequence[Frame],
        sink: Sink,
        count: int = 1,
        *,
        call_id: str = "",
        first: int = 0,
        parent: int | None = None,
        screen: Screen | None = None,
    ) -> Call:
        """Send one input, or a chunk of ``count``; ``frames`` as runtime.payload made them.

        ``call_id``: the function call that they belong to, from its input ``first`` on; "": a new one.
        ``parent``: the input whose code waits for it, 0 if none does; None: the one that this code serves.
        ``screen``: where what they show is read; None: where this code is.
        """
        size = size_of(frames)
        if count == 1:
            self.check_size(method, size)
        screen = screen or screens.here()
        message = self._message(method, frames, size, screen, call_id, first)
        return self.app.session.enter(self, method, message, count, sink, parent, screen)

    def submit_stream(self, method: str, frames: Sequence[Frame], sink: Sink) -> Call:
        """Send one input of a generator: ``sink`` gets its items, then its outcome."""
        size = size_of(frames)
        self.check_size(method, size)
        screen = screens.here()
        message = self._message(method, frames, size, screen, stream=True)
        return self.app.session.enter(self, method, message, 1, sink, screen=screen)

    def submit_later(self, method: str, frames: Sequence[Frame], sink: Sink) -> Call:
        """``submit``, written with the session's next ``flush``."""
        size = size_of(frames)
        self.check_size(method, size)
        screen = screens.here()
        message = self._message(method, frames, size, screen)
        return self.app.session.enter_later(self, method, message, sink, screen)

    def check_size(self, method: str, size: int) -> None:
        """RequestSizeError if the arguments of one input take more bytes than the supervisor lets pass."""
        bound = self.app.session.payload_bound
        if size > bound:
            raise RequestSizeError(
                f"the arguments of {label_of(self.spec.service, method)} take {size / 2**20:.1f} MiB, over the limit "
                f"of {bound / 2**20:.1f} MiB for one input: pass less, or a path in place of the data; or start the "
                "supervisor with a higher MODAL_NB_MAX_PAYLOAD"
            )

    def _message(
        self,
        method: str,
        frames: Sequence[Frame],
        size: int,
        screen: Screen | None,
        call_id: str = "",
        first: int = 0,
        **more: bool,
    ) -> list[Frame]:
        call = call_id or self.app.session.kept.next_id()
        content = {"method": method, "call": call, "first": first, **more}
        if screen is not None:
            content["out"] = screen.out
        if size >= LEAST:
            frames = lend(content, frames)
        return self.app.codec.pack("call_request", content, frames)

    def ran(self, method: str, seconds: float, count: int) -> None:
        """A message of ``count`` inputs ran for ``seconds``."""
        each = seconds / count
        known = self.seconds.get(method)
        self.seconds[method] = each if known is None else known + _WEIGHT * (each - known)

    # -- steering -----------------------------------------------------------------------------------------------

    def update_autoscaler(self, **changes: Any) -> Autoscaler:
        """Change the settings that are given, at once and without restarts; returns all four."""
        settings = self._asked(ms.AutoscalerUpdate(pool=0, **changes), ms.AutoscalerSettings).settings
        self._changes |= changes
        return settings

    def stats(self) -> ms.PoolStats:
        """Backlog, containers, running inputs and free slots, now."""
        return self._asked(ms.PoolAsk(pool=0), ms.PoolStats)

    def _asked(self, content: ms.AutoscalerUpdate | ms.PoolAsk, answer: type[T]) -> T:
        """Ask about this pool, or about what has taken its place."""

        def asked() -> ms.Content:
            return msgspec.structs.replace(content, pool=self.number, follows=self._request.follows)

        try:
            return self.app.session.ask(asked, answer)
        except ConflictError:
            if not self._request.follows:
                raise
        self.reopen(self.app.session.link())
        return self.app.session.ask(asked, answer)

    def __repr__(self) -> str:
        return f"<pool of {self.spec.service} in {self.app.name}>"


def load_message(
    app: RunningApp,
    class_frames: Sequence[Frame],
    parameter_frames: Sequence[Frame],
    options: Options,
    batched: Sequence[str],
    where: str,
) -> list[Frame]:
    """The LOAD message: the class, its parameters and how its inputs run, signed with the app's key.

    ``where`` names interpreter, folder and import path, for the keys of pools that the container opens.
    """
    policy = options.retries
    counted = dumps(policy.on or (BaseException,)) if policy is not None and policy.max_retries else []
    content = {
        "class_frames": len(class_frames),
        "parameter_frames": len(parameter_frames),
        "max_inputs": 1 if options.limits.single_use else options.concurrency.max_inputs,
        "batched": list(batched),
        "where": where,
        "out": screens.out_of(None if app.deployed else screens.here()),
    }
    return app.codec.pack("load_request", content, [*class_frames, *parameter_frames, *counted])
